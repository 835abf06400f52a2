// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/memory/held_memory.h"
#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/dataplane/engine.h"

namespace ambbpf::test {

// A client and the backend that it reached.
struct ConnectedPair {
  Peer client;
  Peer backend;
};

// `ambbpf forward` in a process of its own: what it holds can then be told from what the test
// holds, and it is what a user runs.
class Ambassador {
 public:
  static constexpr int kThreads = 2;

  // Throws std::runtime_error when it does not start.
  explicit Ambassador(Engine engine);

  std::vector<ConnectedPair> connect(std::size_t count);
  HeldMemory held() const { return HeldMemory::of(program_.pid()); }
  // What it held when it had served a few connections: more than before the first, because of what
  // its threads take once for all.
  const HeldMemory& at_rest() const { return at_rest_; }

  // One of the fields of "connections" in `ambbpf status --json`.
  std::uint64_t count_of(const char* name) const;

  // When all connections are closed: every descriptor comes back, and its accounting is right.
  void expect_rest();

  // Prints `bytes` of each of so many connections, and keeps it in the test's record.
  void report(const std::string& what, std::int64_t bytes, std::int64_t connections) const;

 private:
  std::string admin() const { return (place_.path() / "admin.sock").string(); }
  std::vector<std::string> arguments() const;
  void warm_up();

  Engine engine_;
  TemporaryDirectory place_;
  Listener listener_{loopback_v4()};
  tcp::endpoint front_ = free_address();
  Program program_;
  HeldMemory at_rest_;
};

// A word to the peers in both directions.
void exchange(ConnectedPair& pair);

// For INSTANTIATE_TEST_SUITE_P.
inline std::string engine_name(const ::testing::TestParamInfo<Engine>& engine) {
  return std::string(name_of(engine.param));
}

}  // namespace ambbpf::test
