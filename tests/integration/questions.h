// SPDX-License-Identifier: Apache-2.0
// Traffic through a service that has to go on whatever else happens.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/peers.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {

// Sends back what comes, on as many connections as there are.
class EchoServer {
 public:
  EchoServer() {
    serving_ = in_background([this] { serve(); });
  }
  ~EchoServer() { stopping_ = true; }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  std::string address() const { return to_string(listener_.address()); }

 private:
  void serve() {
    std::vector<std::future<void>> connections;
    while (!stopping_) {
      pollfd coming{.fd = listener_.socket(), .events = POLLIN, .revents = 0};
      if (::poll(&coming, 1, 20) <= 0) continue;
      connections.push_back(in_background([peer = listener_.accept()]() mutable { echo(peer); }));
      std::erase_if(connections, [](auto& one) {
        return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
      });
    }
  }

  Listener listener_{loopback_v4()};
  std::atomic<bool> stopping_{false};
  std::future<void> serving_;
};

// Questions that are answered through a service: over one connection all the time, and over ever
// new ones. The first that goes wrong is told by end().
class Questions {
 public:
  explicit Questions(const tcp::endpoint& front)
      : lasting_(in_background([this, front] { ask_on(front); })),
        new_ones_(in_background([this, front] { ask_anew(front); })) {}
  ~Questions() { stopping_ = true; }
  Questions(const Questions&) = delete;
  Questions& operator=(const Questions&) = delete;

  // Not before more have been answered.
  void end() {
    const std::pair before(answered_.load(), connections_.load());
    EXPECT_TRUE(
        eventually([&] { return answered_ > before.first && connections_ > before.second; }));
    stopping_ = true;
    lasting_.get();
    new_ones_.get();
    fmt::print("measured, beside hostile clients: {} answers on one connection, {} connections\n",
               answered_.load(), connections_.load());
  }

 private:
  static void expect_echo(Peer& peer) {
    peer.send("ping");
    if (peer.read(4) != "ping") throw std::runtime_error("another answer");
  }
  void ask_on(const tcp::endpoint& front) {
    Peer peer = Peer::connect_to(front);
    for (; !stopping_; ++answered_) expect_echo(peer);
    peer.finish();
    peer.read_all();
  }
  void ask_anew(const tcp::endpoint& front) {
    for (; !stopping_; ++connections_) {
      Peer peer = Peer::connect_to(front);
      expect_echo(peer);
      peer.finish();
      peer.read_all();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::atomic<bool> stopping_{false};
  std::atomic<int> answered_{0};
  std::atomic<int> connections_{0};
  std::future<void> lasting_;
  std::future<void> new_ones_;
};

}  // namespace ambbpf::test
