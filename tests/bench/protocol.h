// SPDX-License-Identifier: Apache-2.0
// What clients and server of the load generator say to each other. One port serves every kind of
// work, because `ambbpf forward` has one target: a connection's first byte tells what it is for.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace ambbpf::bench {

enum class Role : char {
  kUnknown = 0,
  kEcho = 'E',     // then the size of a frame, 4 bytes; each whole frame is sent back
  kHttp = 'G',     // of "GET"
  kSink = 'U',     // an upload: the pattern, to be read
  kSource = 'D',   // a download: the pattern, without end
  kCounter = 'C',  // each further byte is answered with a SinkCount
};

inline std::string echo_greeting(std::uint32_t frame_size) {
  std::string greeting(1 + sizeof frame_size, static_cast<char>(Role::kEcho));
  std::memcpy(greeting.data() + 1, &frame_size, sizeof frame_size);
  return greeting;
}

// All that the server's sinks have read since its start.
struct SinkCount {
  std::uint64_t bytes;
  std::uint64_t mismatches;  // reads that were not a piece of the pattern
  std::int64_t taken_at_ns;  // on the monotonic clock, which all processes share
};

inline constexpr std::string_view kKeepAliveRequest = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
inline constexpr std::string_view kLastRequest =
    "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";

inline std::string response(bool last) {
  return std::string("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n") +
         (last ? "Connection: close\r\n" : "") + "\r\n" + std::string(100, 'x');
}

// Bulk streams carry 0, 1, ... 250, 0, 1, ... so that a lost, doubled or swapped piece shows at a
// look at the ends of what was read.
inline constexpr std::uint64_t kPatternPeriod = 251;

class Pattern {
 public:
  Pattern() : bytes_(kPatternPeriod * 1024, '\0') {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = at(i);
  }

  // What may be sent in one go of a stream of which `offset` bytes were sent.
  std::string_view from(std::uint64_t offset) const {
    return std::string_view(bytes_).substr(offset % bytes_.size());
  }

  static bool matches(std::uint64_t offset, std::span<const char> read) {
    return read.front() == at(offset) && read.back() == at(offset + read.size() - 1);
  }

 private:
  static char at(std::uint64_t offset) { return static_cast<char>(offset % kPatternPeriod); }

  std::string bytes_;
};

inline constexpr std::size_t kReadSize = 256 * 1024;

}  // namespace ambbpf::bench
