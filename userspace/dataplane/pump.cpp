// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/pump.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "userspace/dataplane/tcp_info.h"

namespace ambbpf {
namespace {

// What one direction may move before the other connections of its thread get their turn.
constexpr std::uint64_t kTurn = 1024 * 1024;
constexpr std::size_t kSparePipes = 64;

// After a read of this size the next one is spliced: below, the pipe's two system calls and its
// page references cost more than the copy (PERFORMANCE.md).
constexpr std::size_t kWorthSplicing = 20 * 1024;

}  // namespace

std::optional<Pipe> PumpTools::take_pipe() {
  if (!pipes_.empty()) {
    Pipe pipe = std::move(pipes_.back());
    pipes_.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
  Pipe made{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (std::max(ends[0], ends[1]) >= pipes_below_) return std::nullopt;
  // Past the user's pipe quota (pipe(7)) the pipe stays at its default size: slower, still right.
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeSize);
  return made;
}

void PumpTools::give_back(Pipe empty) {
  if (pipes_.size() < kSparePipes) pipes_.push_back(std::move(empty));
}

Pump::Outcome Pump::run(int source, int target, PumpTools& tools, Until until) {
  const auto outcome = move_all(source, target, tools, until);
  if (pipe_ && !has_buffered_bytes()) {
    tools.give_back(std::move(*pipe_));
    pipe_.reset();
  }
  return outcome;
}

bool Pump::reads_in_bulk() const { return largest_lately_ >= kWorthSplicing; }
bool Pump::would_splice() const { return splices_ && last_read_ >= kWorthSplicing; }

void Pump::count_read(std::size_t bytes) {
  read_ += bytes;
  last_read_ = static_cast<std::uint32_t>(bytes);
  largest_lately_ = std::max(last_read_, largest_lately_ - largest_lately_ / 4);
}

Pump::Outcome Pump::move_all(int source, int target, PumpTools& tools, Until until) {
  for (const auto start = read_;;) {
    const auto flushed = rest_ ? flush_rest(target) : flush_pipe(target);
    if (flushed != Outcome::kDrained) return flushed;
    if (read_ - start >= kTurn) return Outcome::kUnfinished;
    const auto moved =
        would_splice() ? fill_pipe(source, tools) : copy_once(source, target, tools, until);
    if (moved != Outcome::kUnfinished) return moved;
  }
}

// kUnfinished: there may be more.
Pump::Outcome Pump::copy_once(int source, int target, PumpTools& tools, Until until) {
  const auto got = ::recv(source, tools.buffer(), PumpTools::kBufferSize, MSG_DONTWAIT);
  if (got == 0) return Outcome::kSourceEnded;
  if (got < 0) {
    if (errno == EINTR) return Outcome::kUnfinished;
    if (errno == EAGAIN) return Outcome::kDrained;
    return failed(Outcome::kSourceFailed, errno);
  }
  const auto size = static_cast<std::size_t>(got);
  count_read(size);

  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (until == Until::kFin ? MSG_MORE : 0);
  const auto put = ::send(target, tools.buffer(), size, flags);
  if (put < 0 && errno != EAGAIN && errno != EINTR) return failed(Outcome::kTargetFailed, errno);
  const auto taken = static_cast<std::size_t>(std::max<ssize_t>(put, 0));
  written_ += taken;
  if (taken < size) rest_.reset(new Rest{.bytes = {tools.buffer() + taken, tools.buffer() + size}});
  const bool may_have_more =
      taken < size || size == PumpTools::kBufferSize || until != Until::kShortRead;
  return may_have_more ? Outcome::kUnfinished : Outcome::kDrained;
}

Pump::Outcome Pump::flush_rest(int target) {
  while (has_buffered_bytes()) {
    const auto put = ::send(target, rest_->bytes.data() + rest_->at,
                            rest_->bytes.size() - rest_->at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return Outcome::kBlocked;
      return failed(Outcome::kTargetFailed, errno);
    }
    written_ += static_cast<std::uint64_t>(put);
    rest_->at += static_cast<std::size_t>(put);
    if (rest_->at == rest_->bytes.size()) rest_.reset();
  }
  return Outcome::kDrained;
}

Pump::Outcome Pump::drain(int source, std::uint64_t read_before, PumpTools& tools) {
  constexpr int kAttempts = 16;  // each urgent byte ends a read
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto counts = tcp_counts(source);
    if (!counts || counts->received == read_before + read_) return Outcome::kDrained;
    if (counts->received - read_before - written_ > PumpTools::kMostBuffered)
      return Outcome::kUnfinished;
    auto& buffer = tools.large_buffer();
    const auto got = ::recv(source, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR) return failed(Outcome::kSourceFailed, errno);
    if (got <= 0) return Outcome::kDrained;  // only the FIN is left, or bytes that are not here yet
    if (!rest_) rest_ = std::make_unique<Rest>();
    rest_->bytes.insert(rest_->bytes.end(), buffer.begin(), buffer.begin() + got);
    read_ += static_cast<std::uint64_t>(got);
  }
  return Outcome::kUnfinished;
}

// kUnfinished: look at what is buffered, and go on.
Pump::Outcome Pump::fill_pipe(int source, PumpTools& tools) {
  if (!pipe_) pipe_ = tools.take_pipe();
  if (!pipe_) {
    last_read_ = 0;  // out of descriptors: copy, and try again with the next large read
    return Outcome::kUnfinished;
  }
  // The pipe is empty here, so EAGAIN speaks of the source.
  const auto got = ::splice(source, nullptr, pipe_->write.get(), nullptr, PumpTools::kPipeSize,
                            SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (got > 0) {
    count_read(static_cast<std::size_t>(got));
  } else if (got == 0 || errno == EINVAL) {
    // Refused, or the end; but before an urgent byte splice(2) also says 0 once the FIN is there,
    // so recv(2) has the last word.
    splices_ = false;
  } else if (errno == EAGAIN) {
    return Outcome::kDrained;
  } else if (errno != EINTR) {
    return failed(Outcome::kSourceFailed, errno);
  }
  return Outcome::kUnfinished;
}

Pump::Outcome Pump::flush_pipe(int target) {
  while (has_buffered_bytes()) {
    const auto put = ::splice(pipe_->read.get(), nullptr, target, nullptr, read_ - written_,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (put > 0) {
      written_ += static_cast<std::uint64_t>(put);
    } else if (put < 0 && errno == EAGAIN) {
      return Outcome::kBlocked;
    } else if (put == 0 || errno != EINTR) {
      return failed(Outcome::kTargetFailed, put == 0 ? EPIPE : errno);
    }
  }
  return Outcome::kDrained;
}

Pump::Outcome Pump::failed(Outcome which, int error) {
  error_ = error;
  return which;
}

}  // namespace ambbpf
