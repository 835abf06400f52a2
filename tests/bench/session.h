// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tests/bench/protocol.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::bench {

// What all sessions of a server use.
struct Shared {
  Pattern pattern;
  std::string keep_alive_response = response(false);
  std::string last_response = response(true);
  std::string scratch = std::string(kReadSize, '\0');
  SinkCount sunk{};
};

// The server's end of one connection.
class Session {
 public:
  explicit Session(UniqueFd socket) : socket_(std::move(socket)) {}

  int socket() const { return socket_.get(); }
  bool wants_to_write() const { return !unsent_.empty() || role_ == Role::kSource; }

  // The socket is ready for what is wanted. False: the connection has come to its end.
  bool proceed(Shared& shared);

 private:
  bool read(Shared& shared);
  bool take(Shared& shared, std::span<const char> bytes);
  bool echo();
  bool answer_requests(Shared& shared);
  void tell_count(Shared& shared, std::size_t times);
  void send(std::string_view bytes);

  UniqueFd socket_;
  Role role_ = Role::kUnknown;
  std::uint64_t moved_ = 0;  // of the pattern
  std::uint32_t frame_size_ = 0;
  std::string unread_;  // not a whole frame or request yet
  std::string unsent_;
  bool last_ = false;  // ends when all is sent
};

}  // namespace ambbpf::bench
