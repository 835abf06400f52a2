// SPDX-License-Identifier: Apache-2.0
// What the tests of registration have: a Docker Engine and an etcd in a network of the test's own,
// and the built program between them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/docker_engine.h"
#include "tests/support/etcd_process.h"
#include "tests/support/own_network.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"

namespace ambbpf::test {

inline const std::string kKey = "/services/web/web-1";  // of "register web-1 80 web"

using Words = std::vector<std::string>;

inline Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class OwnNetwork {
 public:
  OwnNetwork() { enter_own_network({}); }
};

class Registration : public testing::Test {
 protected:
  static constexpr auto kAddress = "127.0.0.1";  // what registrars advertise, unless told otherwise

  virtual std::string api() const { return "v3"; }

  // `ambbpf register WORDS`, with the way to Docker and etcd.
  Words registering(const Words& words) const;
  Words advertising(const Words& words, const std::string& address = kAddress) const {
    return registering(words + Words{"--advertise", address});
  }
  // The same for `ambbpf proxy SERVICE PORT`.
  Words proxy(const std::string& service, const tcp::endpoint& front, const Words& words) const;
  std::string admin() const;  // the socket of the last one

  // `docker run`: detached, and under this name.
  void run_container(const std::string& name, const Words& flags = {"-p", "80"}) const;
  // The port that a container's port is published as at this address, as Docker says.
  std::string published(const std::string& container, const std::string& port = "80",
                        const std::string& address = "0.0.0.0") const;
  std::string inspect(const std::string& container, const std::string& field) const;
  // Where a container's port 80 is published; `more` are further members.
  std::string value_of(const std::string& container, const std::string& more = "",
                       const std::string& host = kAddress) const;

  std::map<std::string, std::string> keys() const;  // all of them
  std::string value(const std::string& key) const;  // "" without the key
  bool becomes(const std::string& key, const std::string& wanted) const;
  bool goes(const std::string& key) const { return becomes(key, ""); }
  // Whether it has that value all the time until `end` holds.
  bool stays(const std::string& key, const std::string& wanted,
             const std::function<bool()>& end) const;

  OwnNetwork network;
  DockerEngine engine;
  EtcdProcess etcd;
  TemporaryDirectory place;

 private:
  std::string new_admin() const;

  mutable int programs_ = 0;
};

// The same promises for both APIs of etcd.
class RegistrationInBoth : public Registration, public testing::WithParamInterface<std::string> {
 protected:
  std::string api() const override { return GetParam(); }
};

inline std::string name_of_api(const testing::TestParamInfo<std::string>& api) { return api.param; }

// What a container of DockerEngine::kImage answers on a loopback port: its host name; "" for none.
std::string fetch(const std::string& port);

// True when this much time is over; for what must hold for a while.
std::function<bool()> after(std::chrono::milliseconds span);

}  // namespace ambbpf::test
