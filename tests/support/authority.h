// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ambbpf::test {

// Files in PEM.
struct Certificate {
  std::string certificate;
  std::string key;
};

// What stands in a certificate.
struct Subject {
  std::string common_name;                           // empty: none
  std::string names = "IP:127.0.0.1,DNS:localhost";  // as OpenSSL's subjectAltName has them
  int days = 1;                                      // -1: expired yesterday
};

// A certificate authority of the test's own. Its files, and those it issues, go with it.
class Authority {
 public:
  Authority();
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& certificate() const { return certificate_; }

  // For a server and for a client alike: etcd's gateway talks to its server with the server's.
  Certificate issue(const Subject& subject = {});

 private:
  std::string directory_;
  std::string certificate_;
  int issued_ = 0;
};

}  // namespace ambbpf::test
