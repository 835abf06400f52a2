// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/session.h"

#include "tests/bench/sockets.h"

namespace ambbpf::bench {

bool Session::proceed(Shared& shared) {
  if (role_ == Role::kSource) {
    const ssize_t sent = send_some(socket_.get(), shared.pattern.from(moved_));
    if (sent > 0) moved_ += sent;
    return true;
  }
  if (!unsent_.empty()) {
    const std::string rest = std::move(unsent_);
    unsent_.clear();
    send(rest);
    return !(last_ && unsent_.empty());
  }
  return read(shared);
}

bool Session::read(Shared& shared) {
  const ssize_t got = read_some(socket_.get(), shared.scratch);
  if (got == kWouldBlock) return true;
  if (got == 0) return false;
  std::span<const char> bytes(shared.scratch.data(), got);
  if (role_ == Role::kUnknown) {
    role_ = static_cast<Role>(bytes.front());
    if (role_ == Role::kSink || role_ == Role::kCounter) bytes = bytes.subspan(1);
    if (bytes.empty()) return true;
  }
  return take(shared, bytes);
}

bool Session::take(Shared& shared, std::span<const char> bytes) {
  switch (role_) {
    case Role::kSink:
      if (!Pattern::matches(moved_, bytes)) ++shared.sunk.mismatches;
      moved_ += bytes.size();
      shared.sunk.bytes += bytes.size();
      return true;
    case Role::kCounter:
      tell_count(shared, bytes.size());
      return true;
    case Role::kEcho:
      unread_.append(bytes.begin(), bytes.end());
      return echo();
    case Role::kHttp:
      unread_.append(bytes.begin(), bytes.end());
      return answer_requests(shared);
    case Role::kSource:
      return true;
    case Role::kUnknown:
      break;
  }
  return false;
}

bool Session::echo() {
  if (frame_size_ == 0) {
    if (unread_.size() < 1 + sizeof frame_size_) return true;
    std::memcpy(&frame_size_, unread_.data() + 1, sizeof frame_size_);
    if (frame_size_ == 0) return false;
    unread_.erase(0, 1 + sizeof frame_size_);
  }
  const std::size_t whole = unread_.size() - unread_.size() % frame_size_;
  if (whole == 0) return true;
  send(std::string_view(unread_).substr(0, whole));
  unread_.erase(0, whole);
  return true;
}

bool Session::answer_requests(Shared& shared) {
  std::string_view rest = unread_;
  while (!last_) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    const auto end = rest.find(kEnd);
    if (end == std::string_view::npos) break;
    const std::string_view request = rest.substr(0, end + kEnd.size());
    if (request != kKeepAliveRequest && request != kLastRequest) return false;
    last_ = request == kLastRequest;
    send(last_ ? shared.last_response : shared.keep_alive_response);
    rest.remove_prefix(request.size());
  }
  unread_.erase(0, unread_.size() - rest.size());
  return !(last_ && unsent_.empty());
}

void Session::tell_count(Shared& shared, std::size_t times) {
  shared.sunk.taken_at_ns = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
  for (; times > 0; --times) {
    send({reinterpret_cast<const char*>(&shared.sunk), sizeof shared.sunk});
  }
}

void Session::send(std::string_view bytes) {
  if (unsent_.empty()) {
    const ssize_t sent = send_some(socket_.get(), bytes);
    if (sent > 0) bytes.remove_prefix(sent);
  }
  unsent_.append(bytes);
}

}  // namespace ambbpf::bench
