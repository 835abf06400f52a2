// SPDX-License-Identifier: Apache-2.0
// What both peers of one connection do. All of it follows from the connection's seed (and from what
// the run allows).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "tests/torture/stream.h"

namespace ambbpf::torture {

enum Side : std::size_t { kClient = 0, kBackend = 1 };
constexpr Side other(Side side) { return side == kClient ? kBackend : kClient; }
constexpr const char* name_of(Side side) { return side == kClient ? "client" : "backend"; }

// splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15); }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  std::uint64_t up_to(std::uint64_t most) { return next() % (most + 1); }
  bool percent(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

// The socket buffers of the two peers.
enum class Buffers { kDefault, kTiny, kMixed };

struct Allowed {
  Buffers buffers = Buffers::kDefault;
  bool aborts = true;
  bool long_lived = false;     // hundreds of small turns, now and then many bytes
  bool proxy_headers = false;  // each connection begins with one, to the proxy and from it
};

// The client begins with its number and its seed.
inline constexpr std::size_t kHelloSize = sizeof(Stream::Head);

inline constexpr std::uint64_t kEnd = UINT64_MAX;  // as a count of bytes received: and the end

// May be sent once so many bytes have been received.
struct Stretch {
  std::uint64_t until;  // of the stream sent
  std::uint64_t after;  // bytes received, or kEnd
};

// How one reads or writes.
struct Manner {
  std::uint64_t most = 1;  // bytes at a time
  std::chrono::microseconds first_after{};
  unsigned pauses_percent = 0;  // after so many of a hundred reads or writes
  std::chrono::microseconds longest_pause{};
  std::chrono::microseconds all_pauses{};  // once they sum up to this there are no more
};

struct Abort {
  enum class Kind {
    kNone,
    kReset,   // SO_LINGER 0
    kVanish,  // close(2): a reset where bytes are unread, else the end of what was sent so far
  };
  enum class When { kSent, kReceived, kFinished };

  Kind kind = Kind::kNone;
  When when = When::kSent;
  std::uint64_t at = 0;               // bytes
  std::chrono::microseconds delay{};  // it neither reads nor writes meanwhile
};

// What one side does.
struct Part {
  std::vector<Stretch> sends;  // the last one's `until` is the stream's size
  bool finishes_last = false;  // half-closes only after the other side has
  bool end_in_last_segment = false;
  unsigned urgent_percent = 0;  // of a hundred writes so many end with an urgent byte
  Manner reading;
  Manner writing;
  Abort abort;
  int receive_buffer = 0;  // SO_RCVBUF, SO_SNDBUF; 0 leaves it to the kernel
  int send_buffer = 0;
  std::uint64_t seed = 0;  // of the sizes and pauses of its reads and writes
  Stream stream;           // what it sends

  std::uint64_t size() const { return sends.back().until; }
};

struct Script {
  std::array<Part, 2> parts;

  bool is_clean() const {
    return parts[kClient].abort.kind == Abort::Kind::kNone &&
           parts[kBackend].abort.kind == Abort::Kind::kNone;
  }
};

Script make_script(std::uint64_t number, std::uint64_t seed, const Allowed& allowed);

}  // namespace ambbpf::torture
