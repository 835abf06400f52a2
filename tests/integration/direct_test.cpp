// SPDX-License-Identifier: Apache-2.0
// Zero hop: this process is the consumer, and the program's kernel programs connect it.
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <map>
#include <thread>

#include "tests/integration/direct_fixture.h"
#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/must.h"
#include "tests/support/named_backend.h"
#include "tests/support/peers.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

TEST_F(Direct, ConnectsAConsumerStraightToTheEndpoint) {
  Listener backend(loopback_v4());
  write('"' + to_string(backend.address()) + '"');
  const auto ambassador = start();
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

TEST_F(Direct, LeavesOtherPortsAndDatagramsAlone) {
  NamedBackend backend("web");
  NamedBackend other("other");
  write(quoted(backend));
  const auto ambassador = start();
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
  const auto ambassador = start();
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
  const auto ambassador = start();
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

TEST_F(Direct, PolicyThatTheKernelCannotFollowIsTheProxys) {
  NamedBackend one("one");
  NamedBackend two("two");
  const auto endpoints = quoted(one) + ", " + quoted(two);
  const auto reloaded_by = [&](const std::string& policy) {
    more = "policy = \"" + policy + "\"\n";
    write(endpoints);
    return run({"reload", "--admin", admin()}).code == 0;
  };
  write(endpoints);
  const auto ambassador = start();
  wait_until_direct();
  for (const std::string policy : {"least_connections", "random_two", "source"}) {
    ASSERT_TRUE(reloaded_by(policy));
    const auto served = [&] { return service()["connections_total"].GetUint64(); };
    const auto before = served();
    for (int i = 0; i < 20; ++i) ask(front);
    EXPECT_EQ(served(), before + 20) << "none went past the proxy";
    EXPECT_EQ(service()["direct_reason"].GetString(),
              "only the proxy can follow the policy " + policy);
    EXPECT_TRUE(ambassador->says(
        "consumers go by the proxy: only the proxy can follow the policy " + policy));
  }
  ASSERT_TRUE(reloaded_by("first"));
  wait_until_direct();
}

TEST_F(Direct, BackupIsGivenOutWhenTheOthersAreGone) {
  auto primary = std::make_unique<NamedBackend>("primary");
  NamedBackend backup("backup");
  write("{address = " + quoted(backup) + ", backup = true}, " + quoted(*primary));
  const auto ambassador = start();
  wait_until_direct();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(ask(front), "primary");
  primary.reset();
  ASSERT_EQ(ask(front), "backup");
  wait_until_direct();
  const auto endpoints = service();
  EXPECT_GT(endpoints["endpoints"][0]["direct_total"].GetUint64(), 0U);
}

TEST_F(Direct, EndpointOfThisHostThatStopsFailsNobody) {
  NamedBackend stays("stays");
  auto goes = std::make_unique<NamedBackend>("goes");
  write(quoted(stays) + ", " + quoted(*goes));
  const auto ambassador = start();
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
  const auto ambassador = start();
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

// As soon as the ambassador knows, the kernel does.
TEST_F(Direct, ChangeInEtcdIsInForceForConsumersSoon) {
  constexpr int kChanges = 50;
  NamedBackend one("one");
  NamedBackend two("two");
  EtcdProcess etcd;
  Program ambassador({"proxy", "web", std::to_string(front.port()), "--etcd", etcd.url(), "--admin",
                      admin(), "--direct"});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  std::vector<double> took_ms;
  for (int i = 0; i < kChanges; ++i) {
    const auto& next = i % 2 == 0 ? one : two;
    const std::string name = i % 2 == 0 ? "one" : "two";
    etcd.put_v3("/services/web/only", registered(next.listener().address()));
    const auto written = std::chrono::steady_clock::now();
    ASSERT_TRUE(eventually([&] { return ask(front) == name; })) << ambassador.err();
    took_ms.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - written)
            .count());
    ASSERT_TRUE(eventually([&] {
      ask(front);
      return service()["endpoints"][0]["direct_total"].GetUint64() > 0;
    }));
    EXPECT_EQ(ask(front), name);
  }
  std::ranges::sort(took_ms);
  std::cout << "measured, from etcd's answer to a consumer's: median " << took_ms[kChanges / 2]
            << " ms, longest " << took_ms.back() << " ms" << std::endl;
}

// Consumers that connect while the table changes all the time get one of the old or of the new.
TEST_F(Direct, ChangesAreSeenWholeOrNotAtAll) {
  std::vector<std::unique_ptr<NamedBackend>> backends;
  for (int i = 0; i < 4; ++i) backends.push_back(std::make_unique<NamedBackend>("web"));
  write(quoted(*backends[0]) + ", " + quoted(*backends[1]));
  const auto ambassador = start();
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
  const auto ambassador = start();
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
  const auto ambassador = start();
  wait_until_direct();
  std::ofstream(file()) << "threads = 1\nadmin = \"" << admin() << "\"\n[service.web]\nlisten = \""
                        << to_string(front) << "\"\nendpoints = [" << quoted(backend) << "]\n";
  ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  const auto before = service()["connections_total"].GetUint64();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "web");
  EXPECT_EQ(service()["connections_total"].GetUint64(), before + 10);
  EXPECT_STREQ(service()["direct"].GetString(), "");
}

TEST_F(Direct, ServesByTheProxyWhereItCannotBeHadAndSaysWhy) {
  NamedBackend backend("web");
  std::filesystem::permissions(place.path(), std::filesystem::perms(0777));
  engine = "splice";  // which loads no program of its own
  write(quoted(backend));
  Program ambassador(run_it(), {.environment = {}, .privileged = false});
  ASSERT_TRUE(ambassador.says("all consumers go by the proxy: load the kernel programs"))
      << ambassador.err();
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(ask(front), "web");
  EXPECT_STREQ(service()["direct"].GetString(), "failing");
  EXPECT_EQ(ambassador.err().find("libbpf"), std::string::npos) << ambassador.err();
}

TEST_F(Direct, CountsWhatItSendsOn) {
  NamedBackend backend("web");
  write(quoted(backend));
  const auto ambassador = start();
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
