// SPDX-License-Identifier: Apache-2.0
// A sender may cut its stream into other segments when it sends a part of it again.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {
namespace {

// struct virtio_net_hdr of <linux/virtio_net.h>, which is no C++.
struct InFrontOfPacket {
  std::uint8_t flags, gso_type;
  std::uint16_t header_size, gso_size, checksum_start, checksum_offset;
};

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

template <class Object>
std::string raw_bytes(const Object& object) {
  return std::string(reinterpret_cast<const char*>(&object), sizeof object);
}

// Sends a segment in the peer's name, which begins `ahead` bytes after the next one that it would
// send. The bytes lie in pages of their own, as those of a real sender do, so that TCP can put
// segments together (packet(7), PACKET_VNET_HDR).
void send_segment(const Peer& peer, std::int64_t ahead, const std::string& bytes) {
  const auto from = address_of(peer.socket(), ::getsockname);
  const auto to = address_of(peer.socket(), ::getpeername);
  repair(peer.socket(), 1);
  tcphdr head{};
  head.source = from.sin_port;
  head.dest = to.sin_port;
  head.seq = htonl(next_byte(peer.socket(), kSendQueue) + static_cast<std::uint32_t>(ahead));
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
  head.check = checksum(raw_bytes(pseudo) + raw_bytes(head) + bytes);

  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof ip / 4;
  ip.tot_len = htons(static_cast<std::uint16_t>(sizeof ip + sizeof head + bytes.size()));
  ip.ttl = 64;
  ip.protocol = IPPROTO_TCP;
  ip.saddr = from.sin_addr.s_addr;
  ip.daddr = to.sin_addr.s_addr;
  ip.check = checksum(raw_bytes(ip));

  ethhdr ethernet{};
  ethernet.h_proto = htons(ETH_P_IP);
  InFrontOfPacket in_front{};
  in_front.header_size = sizeof ethernet + sizeof ip + sizeof head;
  const auto packet =
      raw_bytes(in_front) + raw_bytes(ethernet) + raw_bytes(ip) + raw_bytes(head) + bytes;

  const UniqueFd raw(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (::setsockopt(raw.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0)
    throw_errno("PACKET_VNET_HDR");
  sockaddr_ll loopback{};
  loopback.sll_family = AF_PACKET;
  loopback.sll_protocol = ethernet.h_proto;
  loopback.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
  if (::sendto(raw.get(), packet.data(), packet.size(), 0,
               reinterpret_cast<const sockaddr*>(&loopback),
               sizeof loopback) != static_cast<ssize_t>(packet.size()))
    throw_errno("send a segment");
}

}  // namespace

TEST_P(RelayPromises, DeliversBytesOnceThatAreSentAgainInOtherSegments) {
  for (const std::uint32_t again : {1U, 10U, 5000U, 20000U}) {
    SCOPED_TRACE(again);
    start();
    // A backend that resets before it has said anything is suspect, and the next one is waited for.
    backend.send("!");
    EXPECT_EQ(client.read(1), "!");
    let_the_kernel_take_over(1);
    const auto bytes = bytes_from_seed(again, again + 100);
    client.send(bytes.substr(0, again));
    EXPECT_TRUE(same(backend.read(again), bytes.substr(0, again)));
    send_segment(client, -std::int64_t{again}, bytes);
    EXPECT_TRUE(same(backend.read(100), bytes.substr(again)));
    backend.reset();  // the client's own TCP does not know of the hundred
    client.wait_until_broken();
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

// What waits for an earlier segment is put together to one far longer than any packet, and two such
// may overlap: nearly all of the second one has been there.
TEST_P(RelayPromises, DeliversBytesOnceThatWereSentTwiceInLongSegments) {
  start();
  // Until the window is open for what comes.
  const auto warm_up = bytes_from_seed(7, 16 * kMiB);
  auto sending = in_background([&] { client.send(warm_up); });
  EXPECT_TRUE(same(backend.read(warm_up.size()), warm_up));
  sending.get();
  let_the_kernel_take_over(1);
  constexpr std::size_t kGap = 1000, kPacket = 60'000;
  const auto bytes = bytes_from_seed(8, 2 * kGap + 2 * kPacket);
  const auto send = [&](std::size_t from, std::size_t size) {
    send_segment(client, static_cast<std::int64_t>(from), bytes.substr(from, size));
  };
  send(kGap, kPacket);
  send(2 * kGap, kPacket);
  send(2 * kGap + kPacket, kPacket);
  send(kGap + kPacket, kPacket);
  send(0, kGap);
  EXPECT_TRUE(same(backend.read(bytes.size()), bytes));
  backend.reset();  // the client's own TCP does not know of them
  client.wait_until_broken();
  EXPECT_TRUE(proxy->becomes_idle());
}

}  // namespace ambbpf::test
