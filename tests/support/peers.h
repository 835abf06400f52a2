// SPDX-License-Identifier: Apache-2.0
// The two peers of a proxied connection as tests play them: blocking sockets with a deadline on
// every wait, so that a broken proxy fails a test and does not hang it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "userspace/support/asio.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::test {

inline constexpr std::chrono::seconds kTimeout{20};  // for any single wait
inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

// Bytes; 0 leaves it to the kernel.
struct Buffers {
  int receive = 0;
  int send = 0;
};

// What came until the stream ended, and how it ended: no error is a clean end.
struct Received {
  std::string bytes;
  std::error_code error;
};

// One end of a TCP connection. Calls throw std::system_error when the connection breaks or when
// nothing moves for kTimeout, unless they say otherwise. One thread may send while another reads.
class Peer {
 public:
  Peer() = default;
  explicit Peer(UniqueFd socket);
  // `from`: its own address. Whoever is reset at once may be told so by connect(2) already, which
  // takes it from the socket: the first read says it then.
  static Peer connect_to(const tcp::endpoint& address, Buffers buffers = {},
                         const std::optional<tcp::endpoint>& from = std::nullopt);

  int socket() const { return socket_.get(); }

  void send(std::string_view bytes);
  void send_urgent(char byte);
  // The end of the stream travels in the segment that carries the last byte.
  void send_and_finish(std::string_view bytes);
  // Returns how many were taken before there was no room for more for a second.
  std::size_t send_until_stalled(std::string_view bytes);
  // Sends again and again until the connection is broken, and returns how it broke.
  std::error_code send_until_broken(std::string_view bytes);

  std::string read(std::size_t size);
  std::string read_some(std::size_t at_most);  // empty at the end of the stream
  std::string read_all();                      // up to a clean end
  Received read_until_end();                   // up to whatever end

  void finish();  // no more from here; the other direction stays open
  void reset();
  void close() { socket_ = UniqueFd(); }
  void wait_until_broken();

 private:
  UniqueFd socket_;
  bool was_reset_ = false;  // and no read has said so
};

class Listener {
 public:
  // Port 0: any free one.
  explicit Listener(const tcp::endpoint& address, int backlog = 1024);

  const tcp::endpoint& address() const { return address_; }
  int socket() const { return socket_.get(); }
  void set_buffers(Buffers buffers);  // of what is accepted from now on
  Peer accept();

 private:
  UniqueFd socket_;
  tcp::endpoint address_;
};

bool is_refused(const tcp::endpoint& address);  // nobody listens there

tcp::endpoint loopback_v4();
tcp::endpoint loopback_v6();

// Sends everything back as it comes, up to the clean end, and then ends as well.
void echo(Peer& peer);

// The same bytes for the same seed, and no two stretches alike.
std::string bytes_from_seed(std::uint64_t seed, std::size_t size);

// In place of EXPECT_EQ, which would print megabytes.
::testing::AssertionResult same(std::string_view got, std::string_view sent);
::testing::AssertionResult is_prefix(std::string_view got, std::string_view sent);

// True as soon as `condition` is; false when that takes longer than kTimeout.
bool eventually(const std::function<bool()>& condition);

// The future waits for the end of its work when it goes, and get() throws what the work threw.
template <class Work>
[[nodiscard]] auto in_background(Work work) {
  return std::async(std::launch::async, std::move(work));
}

}  // namespace ambbpf::test
