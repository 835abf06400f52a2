// SPDX-License-Identifier: Apache-2.0
// Zero hop, and the ways in which programs connect.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/integration/direct_fixture.h"
#include "tests/support/borrowed_socket.h"
#include "tests/support/ring_connect.h"

namespace ambbpf::test {
namespace {

// As a program would that is careful about one thing.
using Dial = UniqueFd (*)(const tcp::endpoint& front);

tcp::endpoint mapped(const tcp::endpoint& address) {
  return {asio::ip::make_address_v6(asio::ip::v4_mapped, address.address().to_v4()),
          address.port()};
}

UniqueFd dial_plainly(const tcp::endpoint& front) {
  auto socket = new_socket(AF_INET);
  connect(socket.get(), front);
  return socket;
}

UniqueFd dial_mapped(const tcp::endpoint& front) {
  auto socket = new_socket(AF_INET6);
  connect(socket.get(), mapped(front));
  return socket;
}

UniqueFd dial_without_waiting(const tcp::endpoint& front) {
  auto socket = new_socket(AF_INET, IPPROTO_TCP, SOCK_NONBLOCK);
  const int done = ::connect(socket.get(), front.data(), static_cast<socklen_t>(front.size()));
  must(done == 0 || errno == EINPROGRESS, "connect");
  pollfd writable{socket.get(), POLLOUT, 0};
  must(::poll(&writable, 1, 20'000) == 1, "poll");
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  must(error == 0, "connect");
  must(::fcntl(socket.get(), F_SETFL, 0) == 0, "fcntl");
  return socket;
}

UniqueFd dial_from_a_source(const tcp::endpoint& front) {
  auto socket = new_socket(AF_INET);
  const tcp::endpoint source(asio::ip::make_address("127.0.0.77"), 0);
  must(::bind(socket.get(), source.data(), static_cast<socklen_t>(source.size())) == 0, "bind");
  connect(socket.get(), front);
  return socket;
}

UniqueFd dial_with_fast_open(const tcp::endpoint& front) {
  auto socket = new_socket(AF_INET);
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  connect(socket.get(), front);
  return socket;
}

UniqueFd dial_by_sending(const tcp::endpoint& front) {
  auto socket = new_socket(AF_INET);
  must(::sendto(socket.get(), "", 0, MSG_FASTOPEN, front.data(),
                static_cast<socklen_t>(front.size())) == 0,
       "sendto");
  return socket;
}

UniqueFd dial_by_many_paths(const tcp::endpoint& front) {
  constexpr int kMptcp = 262;  // IPPROTO_MPTCP
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, kMptcp));
  if (!socket) return dial_plainly(front);  // a kernel without it
  connect(socket.get(), front);
  return socket;
}

UniqueFd dial_by_ring(const tcp::endpoint& front) {
  auto socket = new_socket(AF_INET);
  const int result = connect_by_ring(socket.get(), front);
  if (result == -ENOSYS || result == -EPERM) return dial_plainly(front);  // there is none
  must(result == 0, "connect by io_uring");
  return socket;
}

// In a thread whose user is not the process's own, as of a program that has given up being root.
UniqueFd dial_as_nobody(const tcp::endpoint& front) {
  return in_background([front] {
           must(::syscall(SYS_setresuid, 65534, 65534, 65534) == 0, "setresuid");
           return dial_plainly(front);
         })
      .get();
}

struct Manner {
  const char* name;
  Dial dial;
};

class DirectManners : public Direct, public testing::WithParamInterface<Manner> {};

TEST_P(DirectManners, OfDialAllReachTheServiceAndSeeWhatTheyDialled) {
  NamedBackend backend("web");
  write(quoted(backend));
  const auto ambassador = start();
  wait_until_direct();
  Peer consumer(GetParam().dial(front));
  EXPECT_EQ(unmapped(peer_of(consumer.socket())), front);
  consumer.send("?");
  EXPECT_EQ(consumer.read_all(), "web");
  consumer.finish();
}

INSTANTIATE_TEST_SUITE_P(
    Each, DirectManners,
    testing::Values(Manner{"Plain", dial_plainly}, Manner{"Mapped", dial_mapped},
                    Manner{"NonBlocking", dial_without_waiting},
                    Manner{"Bound", dial_from_a_source}, Manner{"FastOpen", dial_with_fast_open},
                    Manner{"FastOpenBySending", dial_by_sending},
                    Manner{"ManyPaths", dial_by_many_paths}, Manner{"Ring", dial_by_ring},
                    Manner{"AsNobody", dial_as_nobody}),
    [](const auto& manner) { return manner.param.name; });

// The way to an endpoint may lead through another device, and an address of this host may get no
// answer from it.
TEST_F(Direct, SocketsThatAreBoundToADeviceGoByTheProxy) {
  NamedBackend backend("web");
  write(quoted(backend));
  const auto ambassador = start();
  wait_until_direct();
  const auto before = connects();
  for (int i = 0; i < 5; ++i) {
    const auto socket = new_socket(AF_INET);
    must(::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0, "SO_BINDTODEVICE");
    connect(socket.get(), front);
  }
  EXPECT_EQ(connects(), before);
}

// localhost is ::1 first, and many services have addresses of IPv4 only.
TEST_F(Direct, EndpointOfIpv4IsReachedFromIpv6WhereTheSocketAllowsIt) {
  NamedBackend backend("web");
  wildcard = true;
  write(quoted(backend));
  const auto ambassador = start();
  wait_until_direct();
  const tcp::endpoint six(asio::ip::address_v6::loopback(), front.port());
  const auto before = connects();
  EXPECT_EQ(ask(six), "web");
  EXPECT_EQ(connects(), before + 1);
  for (const int only : {0, 1}) {
    const auto direct_before = connects();
    const auto socket = new_socket(AF_INET6);
    must(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0,
         "IPV6_V6ONLY");
    connect(socket.get(), six);
    EXPECT_EQ(peer_of(socket.get()), six);
    EXPECT_EQ(connects(), only == 1 ? direct_before : direct_before + 1);
  }
}

}  // namespace
}  // namespace ambbpf::test
