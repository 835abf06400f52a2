// SPDX-License-Identifier: Apache-2.0
// Real etcd servers for tests: on free loopback ports, with data of their own under /tmp, gone with
// the object (and with the test process, however that ends).
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/authority.h"

namespace ambbpf::test {

// With TLS the server wants https; the test itself does not look at its certificate.
struct EtcdTls {
  Certificate server;
  std::string clients_ca;  // of client certificates that are asked for; empty: none are
  Certificate client;      // the test's own
};

struct EtcdFlags {
  bool enable_v2 = true;
  std::optional<EtcdTls> tls = std::nullopt;
};

struct HttpAnswer {
  long status = 0;  // 0: no answer
  std::string body;
};

struct CallAs {
  Certificate client;
  std::string user_and_password;  // "root:secret", for HTTP Basic
  std::string token;              // field Authorization
};

// One blocking request, without a proxy; any certificate of the server's will do.
HttpAnswer call(const std::string& method, const std::string& url, const std::string& body = "",
                const CallAs& as = {});

class EtcdProcess {
 public:
  explicit EtcdProcess(EtcdFlags flags = {});  // alone, and ready when this returns
  ~EtcdProcess();
  EtcdProcess(const EtcdProcess&) = delete;
  EtcdProcess& operator=(const EtcdProcess&) = delete;

  const std::string& url() const { return url_; }

  void kill();   // as a power failure would
  void pause();  // SIGSTOP: accepts connections, answers nothing
  void resume();
  void wipe();   // the data, of a server that was killed
  void start();  // again, on the same ports
  void start(EtcdFlags flags);

  void put_v2(const std::string& key, const std::string& value, int ttl = 0) const;
  void remove_v2(const std::string& key, bool recursive = false) const;
  void put_v3(const std::string& key, const std::string& value, int ttl = 0) const;
  void remove_v3(const std::string& key, bool recursive = false) const;
  std::size_t leases() const;
  void revoke_leases() const;  // all that there are
  // As this member has it, also without a leader. Nothing: it is not there.
  std::optional<std::string> get_v2(const std::string& key) const;
  std::optional<std::string> get_v3(const std::string& key) const;
  void compact_v3() const;  // up to now

  // Everything below a directory: whole keys and their values.
  std::map<std::string, std::string> tree_v2(const std::string& directory) const;
  std::map<std::string, std::string> tree_v3(const std::string& directory) const;

  // Authentication: root, as whom the functions above write from then on, and the users below have
  // all rights and those below /services; nobody else has any.
  void enable_auth_v2();  // then add_user_v2
  void enable_auth_v3();  // then add_user_v3
  void disable_auth_v3();
  void add_user_v2(const std::string& name, const std::string& password) const;
  void add_user_v3(const std::string& name, const std::string& password) const;
  void set_password_v2(const std::string& name, const std::string& password) const;
  void set_password_v3(const std::string& name, const std::string& password) const;

  bool is_leader() const;
  bool wait_until_ready() const;  // false: not within 20 s

 private:
  static constexpr const char* kRootsPassword = "roots-secret";

  friend class EtcdCluster;
  EtcdProcess(std::string name, unsigned short peer_port);  // a cluster's member, not yet started
  std::vector<std::string> arguments() const;
  void spawn();
  void signal(int number) const;
  Certificate own_certificate() const;
  void must_v2(const std::string& target, const std::string& body) const;  // PUT
  HttpAnswer call_v2(const std::string& method, const std::string& target,
                     const std::string& body = "") const;
  std::string post_v3(const std::string& call, const std::string& body) const;

  EtcdFlags flags_;
  bool auth_v2_ = false;  // switched on
  bool auth_v3_ = false;
  bool rooted_v3_ = false;  // has its root and its role
  std::string name_ = "alone";
  std::string directory_;  // data and log
  std::string url_;
  std::string peer_url_;
  std::string cluster_;  // name=peer_url of all members
  pid_t pid_ = -1;
};

// Three members; ready when the constructor returns.
class EtcdCluster {
 public:
  EtcdCluster();

  std::vector<std::string> urls() const;
  EtcdProcess& leader();
  EtcdProcess& follower();
  const std::vector<std::unique_ptr<EtcdProcess>>& members() const { return members_; }

 private:
  std::vector<std::unique_ptr<EtcdProcess>> members_;
};

}  // namespace ambbpf::test
