// SPDX-License-Identifier: Apache-2.0
// Real etcd servers for tests: on free loopback ports, with data of their own under /tmp, gone with
// the object (and with the test process, however that ends).
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ambbpf::test {

struct EtcdFlags {
  bool enable_v2 = true;
};

struct HttpAnswer {
  long status = 0;  // 0: no answer
  std::string body;
};

// One blocking request, without a proxy.
HttpAnswer call(const std::string& method, const std::string& url, const std::string& body = "");

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

  bool is_leader() const;
  bool wait_until_ready() const;  // false: not within 20 s

 private:
  friend class EtcdCluster;
  EtcdProcess(std::string name, unsigned short peer_port);  // a cluster's member, not yet started
  std::vector<std::string> arguments() const;
  void spawn();
  void signal(int number) const;
  std::string post_v3(const std::string& call, const std::string& body) const;

  EtcdFlags flags_;
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
