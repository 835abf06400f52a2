// SPDX-License-Identifier: Apache-2.0
// A sender may cut its stream into other segments when it sends a part of it again.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {
namespace {

enum Queue : int { kReceiveQueue = 1, kSendQueue = 2 };  // linux/tcp.h

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void repair(int socket, int mode) {  // tcp(7), TCP_REPAIR: 1 on, -1 off without a probe
  if (::setsockopt(socket, IPPROTO_TCP, TCP_REPAIR, &mode, sizeof mode) != 0)
    throw_errno("TCP_REPAIR");
}

// The sequence number of the next byte of the queue; in repair mode.
std::uint32_t next_byte(int socket, Queue queue) {
  std::uint32_t number = 0;
  socklen_t size = sizeof number;
  if (::setsockopt(socket, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue) != 0 ||
      ::getsockopt(socket, IPPROTO_TCP, TCP_QUEUE_SEQ, &number, &size) != 0)
    throw_errno("TCP_QUEUE_SEQ");
  return number;
}

sockaddr_in address_of(int socket, decltype(::getsockname)* which) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (which(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) throw_errno("address");
  return address;
}

// RFC 1071, over an even number of bytes or with a zero behind.
std::uint16_t checksum(std::string bytes) {
  if (bytes.size() % 2) bytes += '\0';
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// Sends a segment in the peer's name, which begins `back` bytes before the next one it would send.
void send_segment(const Peer& peer, std::uint32_t back, const std::string& bytes) {
  const auto from = address_of(peer.socket(), ::getsockname);
  const auto to = address_of(peer.socket(), ::getpeername);
  repair(peer.socket(), 1);
  tcphdr head{};
  head.source = from.sin_port;
  head.dest = to.sin_port;
  head.seq = htonl(next_byte(peer.socket(), kSendQueue) - back);
  head.ack_seq = htonl(next_byte(peer.socket(), kReceiveQueue));
  repair(peer.socket(), -1);
  head.doff = sizeof head / 4;
  head.psh = head.ack = 1;
  head.window = htons(512);

  struct {
    in_addr from, to;
    std::uint16_t protocol, size;
  } const pseudo{from.sin_addr, to.sin_addr, htons(IPPROTO_TCP),
                 htons(static_cast<std::uint16_t>(sizeof head + bytes.size()))};
  const auto raw_bytes = [](const auto& object) {
    return std::string(reinterpret_cast<const char*>(&object), sizeof object);
  };
  head.check = checksum(raw_bytes(pseudo) + raw_bytes(head) + bytes);

  const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
  const auto packet = raw_bytes(head) + bytes;
  if (::sendto(raw.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
               sizeof to) != static_cast<ssize_t>(packet.size()))
    throw_errno("send a segment");
}

}  // namespace

TEST_P(RelayPromises, DeliversBytesOnceThatAreSentAgainInOtherSegments) {
  for (const std::uint32_t again : {1U, 10U, 5000U, 20000U}) {
    SCOPED_TRACE(again);
    start();
    let_the_kernel_take_over(1);
    const auto bytes = bytes_from_seed(again, again + 100);
    client.send(bytes.substr(0, again));
    EXPECT_TRUE(same(backend.read(again), bytes.substr(0, again)));
    send_segment(client, again, bytes);
    EXPECT_TRUE(same(backend.read(100), bytes.substr(again)));
    backend.reset();  // the client's own TCP does not know of the hundred
    client.wait_until_broken();
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

}  // namespace ambbpf::test
