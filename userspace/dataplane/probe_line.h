// SPDX-License-Identifier: Apache-2.0
// Inside the probe: a client and a backend on loopback, with the engine under trial between them.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "userspace/dataplane/relay.h"
#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// A relay on a thread of its own, which puts every connection into the map at once.
class TrialRelay {
 public:
  static Result<std::unique_ptr<TrialRelay>> start(Engine engine);
  TrialRelay() = default;
  ~TrialRelay();
  TrialRelay(const TrialRelay&) = delete;
  TrialRelay& operator=(const TrialRelay&) = delete;

  void adopt(UniqueFd client, UniqueFd backend);
  RelayCounts counts();

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> busy_{io_.get_executor()};
  std::unique_ptr<Relay> relay_;
  std::thread thread_;
};

// One of the two peers, blocking, with a deadline on every call. The first thing that goes wrong is
// kept, and what follows it does nothing.
class ProbePeer {
 public:
  ProbePeer(UniqueFd socket, std::string name, std::string& failure)
      : socket_(std::move(socket)), name_(std::move(name)), failure_(failure) {}

  void send(std::size_t bytes);
  void send_urgent_byte();
  std::size_t send_until_stalled(std::size_t most);  // how much was taken
  void finish();                                     // FIN
  void expect(std::size_t bytes);                    // exactly these, in order
  void expect_end();

 private:
  bool failed() const { return !failure_.empty(); }
  void fail(const std::string& what, int error = 0);

  UniqueFd socket_;
  std::string name_;
  std::string& failure_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

class ProbeLine {
 public:
  // `loopback`: 127.0.0.1 or ::1.
  static Result<std::unique_ptr<ProbeLine>> open(const asio::ip::address& loopback);

  void join(TrialRelay& relay);  // from here on the relay is between them

  std::string failure;
  ProbePeer client;
  ProbePeer backend;

 private:
  struct Pair {
    UniqueFd near;
    UniqueFd far;
  };
  ProbeLine(Pair front, Pair back);
  static Result<Pair> connected_pair(const asio::ip::address& loopback);

  UniqueFd relay_client_;
  UniqueFd relay_backend_;
};

}  // namespace ambbpf
