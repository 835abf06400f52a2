// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "tests/bench/session.h"
#include "tests/bench/sockets.h"
#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

class Server {
 public:
  explicit Server(const sockaddr_in& address) : listener_(listen_on(address)) {
    epoll_.add(listener_.get(), EPOLLIN, kListener);
  }

  void run() {
    for (;;) {
      for (const epoll_event& event : epoll_.wait(std::chrono::milliseconds(-1))) {
        if (event.data.u64 == kListener) {
          accept_all();
        } else {
          serve(event.data.u64);
        }
      }
    }
  }

 private:
  static constexpr std::uint64_t kListener = ~0ULL;

  void accept_all() {
    for (;;) {
      UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket) return;  // none left; or out of descriptors, which its client will see
      set_nodelay(socket.get());
      const auto place = static_cast<std::size_t>(socket.get());
      if (sessions_.size() <= place) sessions_.resize(place + 1);
      epoll_.add(socket.get(), EPOLLIN, place);
      sessions_[place] = std::make_unique<Session>(std::move(socket));
    }
  }

  void serve(std::size_t place) {
    auto& session = sessions_[place];
    const bool wanted = session->wants_to_write();
    bool goes_on = false;
    try {
      goes_on = session->proceed(shared_);
    } catch (const std::system_error&) {
      // A client that goes in the middle of a download resets its connection.
    }
    if (!goes_on) {
      session.reset();
    } else if (session->wants_to_write() != wanted) {
      epoll_.modify(session->socket(), wanted ? EPOLLIN : EPOLLOUT, place);
    }
  }

  UniqueFd listener_;
  Epoll epoll_;
  Shared shared_;
  std::vector<std::unique_ptr<Session>> sessions_;  // by descriptor
};

}  // namespace

void serve(const sockaddr_in& address) { Server(address).run(); }

}  // namespace ambbpf::bench
