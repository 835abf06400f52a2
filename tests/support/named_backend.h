// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <future>
#include <string>

#include "tests/support/peers.h"

namespace ambbpf::test {

// Answers each connection with its name, one after another, until it goes.
class NamedBackend {
 public:
  explicit NamedBackend(std::string name, const tcp::endpoint& address = loopback_v4());
  ~NamedBackend();
  NamedBackend(const NamedBackend&) = delete;
  NamedBackend& operator=(const NamedBackend&) = delete;

  const Listener& listener() const { return listener_; }

 private:
  void serve();

  std::string name_;
  Listener listener_;
  std::atomic<bool> stopping_{false};
  std::future<void> serving_;
};

// The name of the backend behind `address`.
std::string ask(const tcp::endpoint& address);

// What a registrar writes for an address on this machine.
std::string registered(const tcp::endpoint& address);

}  // namespace ambbpf::test
