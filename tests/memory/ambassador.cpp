// SPDX-License-Identifier: Apache-2.0
#include "tests/memory/ambassador.h"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <iostream>
#include <sstream>
#include <stdexcept>

#include "userspace/cli/status.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {

Ambassador::Ambassador(Engine engine) : engine_(engine), program_(arguments()) {
  if (!program_.says("admin socket")) throw std::runtime_error(program_.err());
  warm_up();
}

std::vector<std::string> Ambassador::arguments() const {
  return {"forward",   to_string(listener_.address()),
          "--listen",  to_string(front_),
          "--admin",   admin(),
          "--engine",  std::string(name_of(engine_)),
          "--threads", std::to_string(kThreads)};
}

void Ambassador::warm_up() {
  constexpr std::size_t kEnoughForEveryThread = 32;
  const auto before = held().descriptors;
  for (auto& pair : connect(kEnoughForEveryThread)) exchange(pair);
  const std::int64_t spare_pipes = engine_ == Engine::kSplice ? 2 * kThreads : 0;
  if (!eventually([&] { return held().descriptors <= before + spare_pipes; }))
    throw std::runtime_error("ambbpf does not give back its first descriptors");
  at_rest_ = held();
}

std::vector<ConnectedPair> Ambassador::connect(std::size_t count) {
  std::vector<ConnectedPair> pairs;
  for (; count > 0; --count) {
    Peer client = Peer::connect_to(front_);
    pairs.push_back({std::move(client), listener_.accept()});
  }
  return pairs;
}

std::uint64_t Ambassador::count_of(const char* name) const {
  std::ostringstream out;
  std::ostringstream err;
  run_status({.admin = admin(), .form = StatusOptions::Form::kJson}, {}, out, err);
  rapidjson::Document status;
  if (status.Parse(out.str().c_str()).HasParseError() || status["processes"].Empty())
    throw std::runtime_error("no status: " + err.str());
  return status["processes"][0]["connections"][name].GetUint64();
}

void Ambassador::expect_rest() {
  EXPECT_TRUE(eventually([&] { return count_of("now") == 0; }));
  // Pipes may stay in reserve (PumpTools), sockets may not.
  const auto sockets = [](const HeldMemory& held) { return held.descriptors - held.pipes; };
  EXPECT_TRUE(eventually([&] { return sockets(held()) <= sockets(at_rest_); }))
      << sockets(held()) << " descriptors, and " << sockets(at_rest_) << " at the start";
  EXPECT_EQ(count_of("mismatches"), 0U);
}

void Ambassador::report(const std::string& what, std::int64_t bytes,
                        std::int64_t connections) const {
  const auto each = bytes / connections;
  std::cout << fmt::format("{:8} {:36} {:9} bytes a connection\n", name_of(engine_), what, each);
  ::testing::Test::RecordProperty(fmt::format("{}: {}", name_of(engine_), what),
                                  std::to_string(each));
}

void exchange(ConnectedPair& pair) {
  pair.client.send("question");
  EXPECT_EQ(pair.backend.read(8), "question");
  pair.backend.send("answer");
  EXPECT_EQ(pair.client.read(6), "answer");
}

}  // namespace ambbpf::test
