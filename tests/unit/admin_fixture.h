// SPDX-License-Identifier: Apache-2.0
// Real directories, sockets and users for the tests of the admin socket.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include "userspace/admin/server.h"
#include "userspace/support/asio.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/ambbpf-test-XXXXXX";
    if (!::mkdtemp(name)) throw std::runtime_error("mkdtemp");
    path_ = name;
    ::chmod(name, 0755);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline sockaddr_un unix_address(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy_n(path.c_str(), std::min(path.native().size(), sizeof address.sun_path - 1),
              address.sun_path);
  return address;
}

// A bound socket; a process listens on it for as long as the result is kept if `listening`.
inline UniqueFd bind_socket(const std::filesystem::path& path, bool listening,
                            int type = SOCK_STREAM) {
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const auto address = unix_address(path);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  if (listening) {
    EXPECT_EQ(::listen(fd.get(), 8), 0);
  }
  return fd;
}

// As a crashed process leaves it behind.
inline void leave_socket(const std::filesystem::path& path) { bind_socket(path, true); }

inline bool is_root() { return ::geteuid() == 0; }

// What `work` returns when the user nobody does it. Needs root.
inline std::string as_nobody(const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "pipe2 failed";
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool changed =
        ::setgroups(0, nullptr) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0;
    const std::string said = changed ? work() : "setuid failed";
    _exit(::write(writer.get(), said.data(), said.size()) < 0 ? 1 : 0);
  }
  writer = UniqueFd();
  std::string said;
  char piece[4096];
  for (ssize_t size = 0; (size = ::read(reader.get(), piece, sizeof piece)) > 0;)
    said.append(piece, static_cast<std::size_t>(size));
  ::waitpid(child, nullptr, 0);
  return said;
}

// A client that knows nothing of HTTP; gives up after 5 s.
class RawClient {
 public:
  explicit RawClient(const std::filesystem::path& path) : RawClient(AF_UNIX) {
    const auto address = unix_address(path);
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  explicit RawClient(const tcp::endpoint& address) : RawClient(address.protocol().family()) {
    connect(address.data(), static_cast<socklen_t>(address.size()));
  }

  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  // To the end of the stream; "(no end)" or "(reset)" where there is none.
  std::string read_all() {
    std::string all;
    for (char piece[4096];;) {
      const auto size = ::recv(fd_.get(), piece, sizeof piece, 0);
      if (size == 0) return all;
      if (size < 0) return all + (errno == EAGAIN ? "(no end)" : "(reset)");
      all.append(piece, static_cast<std::size_t>(size));
    }
  }

  std::string ask(std::string_view request) {
    send(request);
    return read_all();
  }

 private:
  explicit RawClient(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval timeout{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  }
  void connect(const sockaddr* address, socklen_t size) {
    EXPECT_EQ(::connect(fd_.get(), address, size), 0);
  }

  UniqueFd fd_;
};

inline std::string get(const std::filesystem::path& socket, std::string_view target) {
  RawClient client(socket);
  return client.ask("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

inline awaitable<Result<std::string>> soon(Result<std::string> answer) { co_return answer; }

inline AdminAnswers answers(std::string status, std::string not_ready = "") {
  AdminAnswers made;
  made.status = [status] { return status; };
  made.events = [](std::uint64_t after) { return "{\"after\":" + std::to_string(after) + "}"; };
  made.later_events = [](std::uint64_t, Clock::time_point) -> awaitable<void> { co_return; };
  made.why = [](const std::string& service) { return WhyAnswer{service == "web", service + "\n"}; };
  made.history = [] { return std::string("{\"every_ms\":5000}"); };
  made.metrics = [] { return std::string("ambbpf_draining 0\n"); };
  made.not_ready = [not_ready] { return not_ready; };
  made.connections = [](const ConnectionsQuestion&) { return soon("{}"); };
  return made;
}

// An admin server with a thread of its own.
class ServingProcess {
 public:
  ServingProcess(const std::filesystem::path& path, AdminAnswers given, AdminLimits limits = {}) {
    auto opened = AdminServer::open(io_, path, std::move(given), limits);
    if (!opened) throw std::runtime_error(opened.error().message());
    server_ = std::move(*opened);
    thread_ = std::thread([this] { io_.run(); });
  }
  // By TCP.
  ServingProcess(UniqueFd listener, std::vector<std::string> names, AdminAnswers given,
                 AdminLimits limits = {})
      : server_(AdminServer::to_network(io_, std::move(listener), std::move(names),
                                        std::move(given), limits)),
        thread_([this] { io_.run(); }) {}
  ~ServingProcess() {
    io_.stop();
    thread_.join();
  }
  ServingProcess(const ServingProcess&) = delete;
  ServingProcess& operator=(const ServingProcess&) = delete;

  // Ends the server while its loop still turns.
  void end_server() {
    std::promise<void> ended;
    asio::post(io_, [&] {
      server_.reset();
      ended.set_value();
    });
    ended.get_future().wait();
  }

 private:
  asio::io_context io_;
  std::unique_ptr<AdminServer> server_;
  std::thread thread_;
};

}  // namespace ambbpf
