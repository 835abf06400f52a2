// SPDX-License-Identifier: Apache-2.0
// Zero hop: this process is the consumer, and the program's kernel programs connect it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <rapidjson/document.h>
#include <sys/socket.h>

#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "tests/support/borrowed_socket.h"
#include "tests/support/free_port.h"
#include "tests/support/must.h"
#include "tests/support/named_backend.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

tcp::endpoint peer_of(int socket) {
  tcp::endpoint address;
  auto size = static_cast<socklen_t>(address.capacity());
  must(::getpeername(socket, address.data(), &size) == 0, "getpeername");
  address.resize(size);
  return address;
}

class Direct : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  std::filesystem::path file() const { return place.path() / "ambbpf.toml"; }

  // `endpoints`: as they stand in a list of the file.
  void write(const std::string& endpoints, const std::string& more = {}) const {
    std::ofstream(file()) << "threads = 1\nadmin = \"" << admin()
                          << "\"\n[service.web]\nlisten = \""
                          << (wildcard ? ":" + std::to_string(front.port()) : to_string(front))
                          << "\"\ndirect = true\nendpoints = [" << endpoints << "]\n"
                          << more;
  }
  static std::string quoted(const NamedBackend& backend) {
    return '"' + to_string(backend.listener().address()) + '"';
  }
  std::vector<std::string> run_it() const { return {"run", "--config", file().string()}; }

  rapidjson::Document service() const {
    const auto ran = run({"status", "--json", "--admin", admin()});
    rapidjson::Document document;
    document.Parse(ran.out.c_str());
    rapidjson::Document first;
    if (!document.HasParseError())
      first.CopyFrom(document["processes"][0]["services"][0], first.GetAllocator());
    return first;
  }
  std::uint64_t connects() const { return service()["direct_connects"].GetUint64(); }

  // The first consumers go by the proxy, and have the endpoints asked.
  void wait_until_direct() const {
    const auto before = connects();
    ASSERT_TRUE(eventually([&] {
      ask(front);
      return connects() > before;
    }));
  }

  TemporaryDirectory place;
  bool wildcard = false;
  tcp::endpoint front = free_address();
};

TEST_F(Direct, ConnectsAConsumerStraightToTheEndpoint) {
  Listener backend(loopback_v4());
  write('"' + to_string(backend.address()) + '"');
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  // One by the proxy has the endpoint asked.
  { Peer by_proxy = Peer::connect_to(front); }
  ASSERT_TRUE(eventually([&] {
    Peer consumer = Peer::connect_to(front);
    return connects() > 0;
  }));
  Peer consumer = Peer::connect_to(front);
  tcp::endpoint own;
  auto size = static_cast<socklen_t>(own.capacity());
  must(::getsockname(consumer.socket(), own.data(), &size) == 0, "getsockname");
  own.resize(size);
  EXPECT_TRUE(eventually([&] {
    Peer served = backend.accept();
    return peer_of(served.socket()) == own;
  })) << "nobody is between them";
  EXPECT_EQ(peer_of(consumer.socket()), front) << "the consumer sees what it has dialled";
}

// As a program would that is careful about one thing.
using Dial = UniqueFd (*)(const tcp::endpoint& front);

UniqueFd new_socket(int family, int protocol = IPPROTO_TCP, int flags = 0) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, protocol));
  must(static_cast<bool>(socket), "socket");
  return socket;
}

void connect(int socket, const tcp::endpoint& address) {
  must(::connect(socket, address.data(), static_cast<socklen_t>(address.size())) == 0, "connect");
}

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

struct Manner {
  const char* name;
  Dial dial;
};

class DirectManners : public Direct, public testing::WithParamInterface<Manner> {};

TEST_P(DirectManners, OfDialAllReachTheServiceAndSeeWhatTheyDialled) {
  NamedBackend backend("web");
  write(quoted(backend));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  Peer consumer(GetParam().dial(front));
  EXPECT_EQ(unmapped(peer_of(consumer.socket())), front);
  consumer.send("?");
  EXPECT_EQ(consumer.read_all(), "web");
  consumer.finish();
}

INSTANTIATE_TEST_SUITE_P(Each, DirectManners,
                         testing::Values(Manner{"Plain", dial_plainly},
                                         Manner{"Mapped", dial_mapped},
                                         Manner{"NonBlocking", dial_without_waiting},
                                         Manner{"Bound", dial_from_a_source},
                                         Manner{"FastOpen", dial_with_fast_open},
                                         Manner{"FastOpenBySending", dial_by_sending},
                                         Manner{"ManyPaths", dial_by_many_paths}),
                         [](const auto& manner) { return manner.param.name; });

TEST_F(Direct, LeavesOtherPortsAndDatagramsAlone) {
  NamedBackend backend("web");
  NamedBackend other("other");
  write(quoted(backend));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  const auto before = connects();
  EXPECT_EQ(ask(other.listener().address()), "other");
  EXPECT_EQ(ask(backend.listener().address()), "web");
  const UniqueFd datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  connect(datagrams.get(), front);
  EXPECT_EQ(peer_of(datagrams.get()), front);
  EXPECT_EQ(connects(), before);
}

TEST_F(Direct, ListenerOnEveryAddressMeansThoseOfThisHost) {
  NamedBackend backend("web");
  wildcard = true;
  write(quoted(backend));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  const tcp::endpoint added(asio::ip::make_address("198.51.100.7"), front.port());
  const tcp::endpoint elsewhere(asio::ip::make_address("198.51.100.8"), front.port());
  ASSERT_EQ(std::system("ip address replace 198.51.100.7/32 dev lo"), 0);
  const auto before = connects();
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(ask(added), "web");
    return connects() > before;
  }));
  const auto socket = new_socket(AF_INET);
  EXPECT_NE(::connect(socket.get(), elsewhere.data(), static_cast<socklen_t>(elsewhere.size())), 0)
      << "an address that is not ours does not mean the service";
}

TEST_F(Direct, GivesOutAsTheWeightsSay) {
  NamedBackend one("one");
  NamedBackend three("three");
  write("{address = " + quoted(one) + ", weight = 1}, {address = " + quoted(three) +
        ", weight = 3}");
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  ASSERT_TRUE(eventually([&] {  // both have answered
    const auto before = service()["direct_left"].GetUint64();
    for (int i = 0; i < 8; ++i) ask(front);
    return service()["direct_left"].GetUint64() == before && ask(front) == "one";
  }));
  std::map<std::string, int> answers;
  for (int i = 0; i < 400; ++i) ++answers[ask(front)];
  EXPECT_EQ(answers["one"], 100);
  EXPECT_EQ(answers["three"], 300);
}

TEST_F(Direct, EndpointOfThisHostThatStopsFailsNobody) {
  NamedBackend stays("stays");
  auto goes = std::make_unique<NamedBackend>("goes");
  write(quoted(stays) + ", " + quoted(*goes));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  ASSERT_TRUE(eventually([&] { return ask(front) == "goes"; }));
  goes.reset();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(ask(front), "stays") << i;
  EXPECT_GT(connects(), 100U);
}

TEST_F(Direct, FollowsAChange) {
  NamedBackend before("before");
  NamedBackend after("after");
  write(quoted(before));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  write(quoted(after));
  ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  EXPECT_TRUE(eventually([&] { return ask(front) == "after"; }));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(ask(front), "after") << i;
  EXPECT_TRUE(eventually([&] {
    ask(front);
    return service()["endpoints"][0]["direct_total"].GetUint64() > 0;
  }));
}

// Consumers that connect while the table changes all the time get one of the old or of the new.
TEST_F(Direct, ChangesAreSeenWholeOrNotAtAll) {
  std::vector<std::unique_ptr<NamedBackend>> backends;
  for (int i = 0; i < 4; ++i) backends.push_back(std::make_unique<NamedBackend>("web"));
  write(quoted(*backends[0]) + ", " + quoted(*backends[1]));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::thread consumer([&] {
    while (!stop)
      if (ask(front) != "web") ++wrong;
  });
  for (int i = 0; i < 30; ++i) {
    const int first = i % 2 == 0 ? 2 : 0;
    write(quoted(*backends[static_cast<std::size_t>(first)]) + ", " +
          quoted(*backends[static_cast<std::size_t>(first) + 1]));
    EXPECT_EQ(run({"reload", "--admin", admin()}).code, 0);
  }
  stop = true;
  consumer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(connects(), 0U);
}

TEST_F(Direct, AddressThatMovesToAnotherServiceTakesItsConsumersAlong) {
  NamedBackend one("one");
  NamedBackend two("two");
  const auto second = free_address();
  const auto write_both = [&](const tcp::endpoint& of_web, const tcp::endpoint& of_zoo) {
    std::ofstream(file()) << "threads = 1\nadmin = \"" << admin()
                          << "\"\n[defaults]\ndirect = true\n[service.web]\nlisten = \""
                          << to_string(of_web) << "\"\nendpoints = [" << quoted(one)
                          << "]\n[service.zoo]\nlisten = \"" << to_string(of_zoo)
                          << "\"\nendpoints = [" << quoted(two) << "]\n";
  };
  write_both(front, second);
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  for (const bool crossed : {true, false}) {
    crossed ? write_both(second, front) : write_both(front, second);
    ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
    const auto of_web = crossed ? second : front;
    const auto of_zoo = crossed ? front : second;
    EXPECT_TRUE(eventually([&] { return ask(of_web) == "one" && ask(of_zoo) == "two"; }));
    const auto before = connects();  // of web
    EXPECT_TRUE(eventually([&] {
      EXPECT_EQ(ask(of_web), "one");
      EXPECT_EQ(ask(of_zoo), "two");
      return connects() > before;
    }));
  }
}

TEST_F(Direct, EndsWithAReloadThatAsksForItNoMore) {
  NamedBackend backend("web");
  write(quoted(backend));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  std::ofstream(file()) << "threads = 1\nadmin = \"" << admin() << "\"\n[service.web]\nlisten = \""
                        << to_string(front) << "\"\nendpoints = [" << quoted(backend) << "]\n";
  ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  const auto before = service()["connections_total"].GetUint64();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "web");
  EXPECT_EQ(service()["connections_total"].GetUint64(), before + 10);
  EXPECT_STREQ(service()["direct"].GetString(), "");
}

TEST_F(Direct, OpenConnectionsOutliveTheAmbassador) {
  Listener backend(loopback_v4());
  write('"' + to_string(backend.address()) + '"');
  auto ambassador = std::make_unique<Program>(run_it());
  ASSERT_TRUE(ambassador->says("admin socket")) << ambassador->err();
  ASSERT_TRUE(eventually([&] {
    Peer::connect_to(front);
    return connects() > 0;
  }));
  Peer consumer = Peer::connect_to(front);
  consumer.send("question");
  Peer served;
  ASSERT_TRUE(eventually([&] {
    served = backend.accept();
    return served.read_some(8) == "question";
  }));
  ambassador->signal(SIGKILL);
  EXPECT_EQ(ambassador->wait(), -SIGKILL);
  served.send_and_finish("answer");
  EXPECT_EQ(consumer.read_all(), "answer");
}

TEST_F(Direct, ServesByTheProxyWhereItCannotBeHadAndSaysWhy) {
  NamedBackend backend("web");
  std::filesystem::permissions(place.path(), std::filesystem::perms(0777));
  write(quoted(backend));
  Program ambassador(run_it(), {.environment = {}, .privileged = false});
  ASSERT_TRUE(ambassador.says("all consumers go by the proxy: load the kernel programs"))
      << ambassador.err();
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(ask(front), "web");
  EXPECT_STREQ(service()["direct"].GetString(), "failing");
}

TEST_F(Direct, CountsWhatItSendsOn) {
  NamedBackend backend("web");
  write(quoted(backend));
  Program ambassador(run_it());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  wait_until_direct();
  const auto before = service()["endpoints"][0]["direct_total"].GetUint64();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ask(front), "web");
  EXPECT_TRUE(eventually([&] {
    const auto now = service();
    const auto& endpoint = now["endpoints"][0];
    return endpoint["direct_total"].GetUint64() == before + 50 &&
           endpoint["direct_now"].GetUint64() == 0;
  }));
  EXPECT_GE(service()["endpoints"][0]["direct_bytes_to_client"].GetUint64(), 50 * 3U);
}

}  // namespace
}  // namespace ambbpf::test
