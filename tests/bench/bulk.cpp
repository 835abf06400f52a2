// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/bench/pace.h"
#include "tests/bench/protocol.h"
#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

// What the server's sinks have read, asked past the proxy.
class SinkCounter {
 public:
  explicit SinkCounter(const sockaddr_in& server) : socket_(connect_to(server)) {
    send_all(socket_.get(), {&kGreeting, 1});
  }
  SinkCount ask() {
    send_all(socket_.get(), "?");
    SinkCount count{};
    read_exactly(socket_.get(), {reinterpret_cast<char*>(&count), sizeof count});
    return count;
  }

 private:
  static constexpr char kGreeting = static_cast<char>(Role::kCounter);
  UniqueFd socket_;
};

struct Stream {
  UniqueFd socket;
  std::uint64_t moved = 0;  // of the pattern
};

class Streams {
 public:
  Streams(const sockaddr_in& to, BulkWork work) : pace_(work.rate), upload_(work.upload) {
    const char greeting = static_cast<char>(upload_ ? Role::kSink : Role::kSource);
    for (int i = 0; i < work.streams; ++i) {
      Stream stream{connect_to(to)};
      send_all(stream.socket.get(), {&greeting, 1});
      set_nonblocking(stream.socket.get());
      // At a fixed rate there is room all the time, and it is the clock that says when to send.
      if (!pace_.fixed()) {
        epoll_.add(stream.socket.get(), upload_ ? EPOLLOUT : EPOLLIN, streams_.size());
      }
      streams_.push_back(std::move(stream));
    }
  }

  void run_until(Clock::time_point end) {
    while (Clock::now() < end) {
      for (const epoll_event& event : epoll_.wait(pace_.fixed() ? kTick : kTimeout)) {
        Stream& stream = streams_[event.data.u64];
        upload_ ? send(stream) : read(stream);
      }
      if (pace_.fixed()) {
        for (Stream& stream : streams_) send(stream);
      }
    }
  }

  void finish() {
    for (const Stream& stream : streams_) ::shutdown(stream.socket.get(), SHUT_WR);
  }

  std::uint64_t moved() const {
    std::uint64_t sum = 0;
    for (const Stream& stream : streams_) sum += stream.moved;
    return sum;
  }

 private:
  static constexpr std::chrono::milliseconds kTimeout{100};

  void send(Stream& stream) {
    std::uint64_t due = pace_.due();
    while (due > 0) {
      const ssize_t sent =
          send_some(stream.socket.get(), pattern_.from(stream.moved).substr(0, due));
      if (sent == kWouldBlock) return;
      stream.moved += sent;
      pace_.done(sent);
      if (!pace_.fixed()) return;  // the others first
      due -= sent;
    }
  }

  void read(Stream& stream) {
    const ssize_t got = read_some(stream.socket.get(), scratch_);
    if (got == kWouldBlock) return;
    if (got == 0) throw std::runtime_error("a download ended early");
    if (!Pattern::matches(stream.moved, {scratch_.data(), static_cast<std::size_t>(got)})) {
      throw std::runtime_error("not the bytes that were sent");
    }
    stream.moved += got;
  }

  Pace pace_;
  bool upload_;
  Pattern pattern_;
  Epoll epoll_;
  std::vector<Stream> streams_;
  std::string scratch_ = std::string(kReadSize, '\0');
};

// Everything that was sent must arrive, though it may take a moment after the last byte is sent.
void check_arrival(Streams& streams, SinkCounter& counter, const SinkCount& at_start) {
  streams.finish();
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  SinkCount count = counter.ask();
  while (count.bytes - at_start.bytes != streams.moved()) {
    if (Clock::now() > deadline) throw std::runtime_error("not everything that was sent arrived");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    count = counter.ask();
  }
  if (count.mismatches != at_start.mismatches) {
    throw std::runtime_error("not the bytes that were sent");
  }
}

Clock::time_point after(Seconds seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(seconds);
}

Report upload(const sockaddr_in& to, const BulkWork& work, Span span) {
  SinkCounter counter(work.server);
  const SinkCount at_start = counter.ask();
  Streams streams(to, work);
  streams.run_until(after(span.warm_up));
  if (work.spins) work.spins->since_last();
  const SinkCount begin = counter.ask();
  streams.run_until(after(span.measured));
  const double spins = work.spins ? work.spins->since_last() : 0;
  const SinkCount end = counter.ask();
  check_arrival(streams, counter, at_start);
  if (end.bytes == begin.bytes) throw std::runtime_error("nothing arrived in the time given");

  Report report;
  report.add("bytes_per_second", 1e9 * static_cast<double>(end.bytes - begin.bytes) /
                                     static_cast<double>(end.taken_at_ns - begin.taken_at_ns));
  if (work.spins) report.add("spins_per_second", spins);
  return report;
}

Report download(const sockaddr_in& to, const BulkWork& work, Span span) {
  Streams streams(to, work);
  streams.run_until(after(span.warm_up));
  const std::uint64_t before = streams.moved();
  const auto begin = Clock::now();
  streams.run_until(after(span.measured));
  const double seconds = Seconds(Clock::now() - begin).count();
  if (streams.moved() == before) throw std::runtime_error("nothing arrived in the time given");
  Report report;
  report.add("bytes_per_second", static_cast<double>(streams.moved() - before) / seconds);
  return report;
}

}  // namespace

Report bulk(const sockaddr_in& to, BulkWork work, Span span) {
  return work.upload ? upload(to, work, span) : download(to, work, span);
}

}  // namespace ambbpf::bench
