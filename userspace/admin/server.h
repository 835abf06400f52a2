// SPDX-License-Identifier: Apache-2.0
// The admin socket: HTTP over a Unix socket, for `ambbpf status` and for scripts (curl
// --unix-socket). One request a connection. Routes:
//   GET /status    the StatusReport as JSON
//   GET /healthz   200 "ok": the loop turns
//   GET /readyz    200 "ready", or 503 with the reason
//   POST /reload   200 with what has changed, or 422 with what is wrong, a line each; 409 where the
//                  process has no configuration file
// Any other path gets 404, any other method 405, what is no HTTP 400, a head of over 8 KiB 431.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "userspace/admin/socket_file.h"
#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// What came of reloading the configuration file.
struct ReloadAnswer {
  bool in_force = false;
  std::string lines;  // what has changed, or what is wrong
};

// What the server asks the process; called on the server's thread. Neither may throw.
struct AdminAnswers {
  std::function<std::string()> status;     // JSON
  std::function<std::string()> not_ready;  // empty: ready
  std::function<ReloadAnswer()>
      reload;  // puts the configuration file in force; null: there is none
};

struct AdminLimits {
  // Answered at once; who asks beyond that gets 503. As many more may wait with their request: when
  // another comes, the oldest of them gets 503 in its favour.
  std::size_t connections = 32;
  std::chrono::milliseconds request{2'000};  // from accept to the end of the request
  std::chrono::milliseconds answer{10'000};  // from there to the close
};

struct AdminConnections;

// The socket of one process. Removes its file at the end, if it still is its own, and closes its
// connections.
class AdminServer {
 public:
  // Fails with one clear line when `path` is too long for a socket address, names something that is
  // no socket, is answered by a running process, belongs to another user, or cannot be made. A
  // socket file that nobody answers is a leftover and is replaced. Creates the last directory of
  // the path where it is missing. The file's mode is 0660.
  static Result<std::unique_ptr<AdminServer>> open(asio::io_context& io, std::filesystem::path path,
                                                   AdminAnswers answers,
                                                   const AdminLimits& limits = {});
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  AdminServer(std::shared_ptr<AdminConnections> connections, SocketFile file);

  std::shared_ptr<AdminConnections> connections_;  // its coroutines end a turn of `io` after *this
  SocketFile file_;
};

}  // namespace ambbpf
