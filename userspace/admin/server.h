// SPDX-License-Identifier: Apache-2.0
// The admin socket: HTTP over a Unix socket, for `ambbpf status` and for scripts (curl
// --unix-socket); and, for those who may read only, over TCP. One request a connection. Routes:
//   GET /          the status page, a view of the next two for people; by TCP as well
//   GET /status    the StatusReport as JSON; by TCP as well
//   GET /connections  what the open connections do, as JSON (connection_report.h, also for what may
//                  stand behind a ?): 400 for what cannot be asked, 404 for a service that there is
//                  not, with those that there are. Waits for the threads that serve, some 2 s at
//                  most
//   GET /events    what was decided and why (events_answer.h): ?after=ID the events after this one,
//                  &wait=SECONDS as soon as there is one, in 30 s at most; by TCP as well
//   GET /why       ?service=NAME: why its next connection goes where it goes (why_report.h); 404
//                  with the names that there are; by TCP as well
//   GET /history   what was carried in the last 15 minutes (history.h); by TCP as well
//   GET /metrics   the same for Prometheus; by TCP as well
//   GET /healthz   200 "ok": the loop turns
//   GET /readyz    200 "ready", or 503 with the reason
//   POST /reload   200 with what has changed, or 422 with what is wrong, a line each; 409 where the
//                  process has no configuration file
//   POST /drain, /enable, /reset, /weight
//                  ?service=NAME[&endpoint=ENDPOINT][&weight=N]: 200 with a line that says what was
//                  done (order.h), 404 for a service and 422 for an endpoint that there is not,
//                  with those that there are
// HEAD is answered like GET. Any other path gets 404, any other method 405, what is no HTTP 400, a
// head of over 8 KiB 431, and by TCP a Host that is not ours (host_names.h) 421.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/admin/connection_report.h"
#include "userspace/admin/order.h"
#include "userspace/admin/socket_file.h"
#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// What came of reloading the configuration file.
struct ReloadAnswer {
  bool in_force = false;
  std::string lines;  // what has changed, or what is wrong
};

// Why a service's next connection goes where it goes.
struct WhyAnswer {
  bool known = false;  // there is such a service
  std::string text;    // the WhyReport as JSON; or a line that says which services there are
};

// What the server asks the process; called on the server's thread. Neither may throw.
struct AdminAnswers {
  std::function<std::string()> status;                     // JSON
  std::function<std::string()> history;                    // JSON
  std::function<std::string(std::uint64_t after)> events;  // JSON
  // Returns when there is an event after this one, at the deadline at the latest.
  std::function<awaitable<void>(std::uint64_t after, Clock::time_point deadline)> later_events;
  std::function<WhyAnswer(const std::string& service)> why;
  std::function<std::string()> metrics;    // to_metrics()
  std::function<std::string()> not_ready;  // empty: ready
  // JSON; an error: there is no such service. It may take its time.
  std::function<awaitable<Result<std::string>>(ConnectionsQuestion)> connections;
  std::function<OrderAnswer(const Order&)> carry_out;
  std::function<ReloadAnswer()>
      reload;  // puts the configuration file in force; null: there is none
};

struct AdminLimits {
  // Answered at once; who asks beyond that gets 503, unless one of them has not read its answer for
  // as long as there is `patience`: it is reset. As many more may wait with their request: when
  // another comes, the oldest of them gets 503 in its favour. Half as many may wait for events; who
  // asks beyond that is answered at once.
  std::size_t connections = 32;
  std::chrono::milliseconds patience{1'000};
  std::chrono::milliseconds request{2'000};  // from accept to the end of the request
  std::chrono::milliseconds answer{10'000};  // from when there is an answer to the close
};

struct AdminConnections;

// One socket of a process. Removes its file at the end, if there is one that still is its own, and
// closes its connections.
class AdminServer {
 public:
  // Fails with one clear line when `path` is too long for a socket address, names something that is
  // no socket, is answered by a running process, belongs to another user, or cannot be made. A
  // socket file that nobody answers is a leftover and is replaced. Creates the last directory of
  // the path where it is missing. The file's mode is 0660.
  static Result<std::unique_ptr<AdminServer>> open(asio::io_context& io, std::filesystem::path path,
                                                   AdminAnswers answers,
                                                   const AdminLimits& limits = {});
  // By TCP, on a socket that listens already. `names`: of this host, beside its addresses.
  static std::unique_ptr<AdminServer> to_network(asio::io_context& io, UniqueFd listener,
                                                 std::vector<std::string> names,
                                                 AdminAnswers answers,
                                                 const AdminLimits& limits = {});
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

 private:
  AdminServer(std::shared_ptr<AdminConnections> connections, std::optional<SocketFile> file);

  std::shared_ptr<AdminConnections> connections_;  // its coroutines end a turn of `io` after *this
  std::optional<SocketFile> file_;
};

}  // namespace ambbpf
