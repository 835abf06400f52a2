// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/program.h"
#include "userspace/support/asio.h"

namespace ambbpf::test {

// A real DNS server (dnsmasq) on a free loopback port, which knows the zone "example" and asks
// nobody else. It goes with the object, or with the test process. Throws std::system_error where
// there is none.
class DnsServer {
 public:
  // `ttl`: of all answers, in seconds. `options`: more of dnsmasq's.
  explicit DnsServer(int ttl = 1, std::vector<std::string> options = {});
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  const tcp::endpoint& address() const { return address_; }

  // When it returns these are its hosts, each as in the hosts file: "127.0.0.2 web.example".
  void hosts(const std::vector<std::string>& lines);

  void stop();
  void start();  // on the same port, with the same hosts
  void start(std::vector<std::string> options);

 private:
  std::string log() const;
  std::size_t times_read() const;

  TemporaryDirectory place_;
  const tcp::endpoint address_;
  const int ttl_;
  std::vector<std::string> options_;
  pid_t pid_ = -1;
};

}  // namespace ambbpf::test
