// SPDX-License-Identifier: Apache-2.0
// One end of one connection: plays its part of the script and checks all that it sees.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "tests/torture/book.h"
#include "userspace/proxy/proxy_header.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::torture {

class Peer {
 public:
  // A client, its socket connecting.
  Peer(UniqueFd socket, Book& book, Account& account, const Script& script);
  // A backend, which learns from the client who it is.
  Peer(UniqueFd socket, Book& book);

  int socket() const { return socket_.get(); }

  // An edge of epoll's (EPOLLIN or EPOLLOUT or whatever else: the calls will tell).
  void ready() { readable_ = writable_ = true; }

  // Does all that can be done now; `scratch` is any memory.
  void go(Clock::time_point now, std::span<std::byte> scratch);
  bool is_over() const { return !socket_; }
  // When to go again without an edge; time_point::max() for never. The past: at once.
  Clock::time_point wake() const;
  // A connection that stands still for longer than anything may take has failed.
  void check_timeout(Clock::time_point now);

 private:
  using Bytes = std::span<std::byte>;

  void take_part(Account& account, Side side, const Script& script);
  bool take_proxy_header();
  void learn_part();
  bool send_proxy_header(Bytes scratch);
  void read(Clock::time_point now, Bytes scratch);
  void write(Clock::time_point now, Bytes scratch);
  std::uint64_t may_send_up_to() const;
  bool may_finish() const;
  void finish();
  void pause(const Manner& manner, Clock::duration& spent, Clock::time_point now,
             Clock::time_point& until);
  void received(std::span<const std::byte> bytes);
  void end_of_stream();
  void broken(const char* call, int error, Bytes scratch);
  void abort_when_reached(Clock::time_point now);
  void abort();
  void fail(const std::string& what);
  void end();
  std::string where() const;

  UniqueFd socket_;
  Book& book_;
  Account* account_ = nullptr;  // none: a backend that has not heard the hello
  Side side_ = kBackend;
  Part part_;
  Stream incoming_;
  std::uint64_t incoming_size_ = 0;
  Random random_{0};
  std::array<std::byte, kHelloSize> hello_{};
  std::string header_;                             // of a client: what is left to be sent of it
  std::optional<ProxyHeader> told_of_the_client_;  // to a backend

  bool readable_ = true;
  bool writable_ = true;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool finished_ = false;  // has sent its FIN
  bool ended_ = false;     // has seen the other's
  Clock::time_point read_after_{};
  Clock::time_point write_after_{};
  Clock::duration read_pauses_{};
  Clock::duration write_pauses_{};
  std::optional<Clock::time_point> aborts_at_;
  Clock::time_point begun_ = Clock::now();
};

}  // namespace ambbpf::torture
