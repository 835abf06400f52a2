// SPDX-License-Identifier: Apache-2.0
// One thread of the data path: its listeners, its connections, its relay. A connection never
// changes thread.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "userspace/dataplane/relay.h"
#include "userspace/endpoints/service.h"
#include "userspace/proxy/dial.h"
#include "userspace/support/log_limit.h"

namespace ambbpf {

class Worker {
 public:
  static Result<std::unique_ptr<Worker>> create(const RelayOptions& relay, const DialOptions& dial,
                                                const ConnectionSettings& settings);
  // Stops its thread; what is still open is closed.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before start(): connections to `socket` go to `service`, which outlives the worker.
  void serve(UniqueFd listener, Service& service);
  void start();

  // From here on any thread may call.
  void stop_accepting();
  // Closes what is open with a reset, held and connecting ones included.
  void reset_all();
  // Answers in the caller's coroutine.
  awaitable<RelayCounts> counts();
  // Returns in the caller's coroutine when the worker's thread has taken up work: never while it
  // hangs.
  awaitable<void> turn();

 private:
  struct Listening {
    asio::posix::stream_descriptor socket;
    Service& service;
  };

  // A client that has no backend yet. Its coroutine owns the place in waiting_.
  struct Waiting {
    UniqueFd client;  // none, and not counted, after reset_all()
    Service& service;
  };

  Worker() = default;
  static awaitable<void> accept_all(Worker& worker, Listening& listening);
  static awaitable<void> dial_for(Worker& worker, std::list<Waiting>::iterator place,
                                  std::optional<Attempt> begun);
  enum class Accepted { kAll, kSome, kOutOfFiles };
  Accepted accept_some(Listening& listening);
  void take_in(UniqueFd client, Service& service);
  void refuse(UniqueFd client, Service& service, const std::string& why);
  void relay(UniqueFd client, Service& service, Dialled dialled);

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> busy_{io_.get_executor()};
  DialOptions dial_;
  ConnectionSettings settings_;
  LogLimit failures_log_;
  std::vector<std::unique_ptr<Listening>> listening_;
  std::list<Waiting> waiting_;
  std::unique_ptr<Relay> relay_;
  std::thread thread_;
};

}  // namespace ambbpf
