// SPDX-License-Identifier: Apache-2.0
// What the program says of its open connections.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidjson/document.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/borrowed_socket.h"
#include "tests/support/free_port.h"
#include "tests/support/hung_thread.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "tests/support/status.h"
#include "userspace/controller/descriptor_budget.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::StartsWith;

class ProgramConnections : public testing::Test {
 protected:
  // With two services, "one" and "a/b".
  std::vector<std::string> two_services(const std::string& process = "") const {
    const auto file = place.path() / "ambbpf.toml";
    std::ofstream(file) << fmt::format(
        "admin = \"{}\"\n{}"
        "[service.one]\nlisten = \"{}\"\nendpoints = [\"{}\"]\n"
        "[service.\"a/b\"]\nlisten = \"{}\"\nendpoints = [\"{}\"]\n",
        admin, process, to_string(front), to_string(backend.address()), to_string(second),
        to_string(backend.address()));
    return {"run", "--config", file.string()};
  }
  std::vector<std::string> forward(const std::string& engine) const {
    return {"forward",  to_string(backend.address()),
            "--listen", to_string(front),
            "--engine", engine,
            "--admin",  admin};
  }

  // What `ambbpf connections` says of the only process.
  rapidjson::Document ask(std::vector<std::string> words = {}) const {
    words.insert(words.begin(), {"connections", "--json", "--admin", admin});
    const auto ran = run(words);
    rapidjson::Document all;
    if (ran.code != 0 || all.Parse(ran.out.c_str()).HasParseError())
      throw std::runtime_error("ambbpf connections: " + ran.out + ran.err);
    rapidjson::Document first;
    first.CopyFrom(all["processes"][0], first.GetAllocator());
    return first;
  }

  struct Pair {
    Peer client;
    Peer server;
  };
  Pair connect(const tcp::endpoint& address) {
    Pair pair;
    pair.client = Peer::connect_to(address);
    pair.server = backend.accept();
    return pair;
  }

  TemporaryDirectory place;
  const std::string admin = (place.path() / "admin.sock").string();
  Listener backend{loopback_v4()};
  const tcp::endpoint front = free_address();
  const tcp::endpoint second = free_address();
};

class ProgramConnectionsByEngine : public ProgramConnections,
                                   public testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Engines, ProgramConnectionsByEngine,
                         testing::Values("sockmap", "splice", "copy"),
                         [](const auto& engine) { return engine.param; });

TEST_P(ProgramConnectionsByEngine, AreKnownInAllTheirFields) {
  Program ambassador(forward(GetParam()));
  if (!ambassador.says("admin socket")) {
    if (GetParam() == "sockmap") GTEST_SKIP() << ambassador.err();
    FAIL() << ambassador.err();
  }
  auto [client, server] = connect(front);
  client.send(std::string(1000, 'q'));
  server.read(1000);
  const std::string by = GetParam() == "sockmap" ? "kernel" : "copy";  // no read was large
  if (by == "kernel") {
    ASSERT_TRUE(eventually([&] {
      return status_at("/processes/0/connections/directions_in_kernel_now", admin).GetUint64() == 2;
    }));
  }
  server.send(std::string(3000, 'a'));  // by the kernel, where it moves them now
  client.read(3000);

  const auto report = ask();
  ASSERT_EQ(report["connections"].Size(), 1U);
  const auto& only = report["connections"][0];
  EXPECT_STREQ(only["client"]["address"].GetString(),
               to_string(local_address(client.socket())).c_str());
  EXPECT_STREQ(only["backend"]["address"].GetString(), to_string(backend.address()).c_str());
  EXPECT_GE(only["age_ms"].GetUint64(), 1000U) << "it has taken a second to tell";
  EXPECT_LT(only["age_ms"].GetUint64(), 60'000U);
  EXPECT_EQ(only["to_backend"]["bytes"].GetUint64(), 1000U);
  EXPECT_EQ(only["to_client"]["bytes"].GetUint64(), 3000U);
  EXPECT_EQ(only["to_client"]["bytes_per_second"].GetUint64(), 0U);
  EXPECT_GT(only["client"]["rtt_us"].GetUint64(), 0U);
  EXPECT_GT(only["backend"]["rtt_us"].GetUint64(), 0U);
  EXPECT_EQ(only["client"]["retransmits"].GetUint64(), 0U);
  const std::string why = by == "kernel"           ? "for "
                          : GetParam() == "splice" ? "small reads"
                                                   : "engine copy";
  for (const auto* way : {"to_backend", "to_client"}) {
    EXPECT_EQ(only[way]["by"].GetString(), by) << way;
    EXPECT_THAT(only[way]["why"].GetString(), StartsWith(why)) << way;
  }
  const auto& service = report["services"][0];
  EXPECT_STREQ(only["service"].GetString(), service["name"].GetString());
  EXPECT_EQ(service["open"].GetUint64(), 1U);
  EXPECT_EQ(service["bytes_to_client"].GetUint64(), 3000U);
  EXPECT_EQ(service["directions_in_kernel"].GetUint64(), by == "kernel" ? 2U : 0U);
}

TEST_P(ProgramConnectionsByEngine, HaveTheRatesOfNow) {
  Program ambassador(forward(GetParam()));
  if (!ambassador.says("admin socket")) {
    if (GetParam() == "sockmap") GTEST_SKIP() << ambassador.err();
    FAIL() << ambassador.err();
  }
  auto [client, server] = connect(front);
  std::atomic<bool> ended = false;
  std::atomic<std::uint64_t> sent = 0;
  auto talk = in_background([&, &from = client, &to = server] {
    while (!ended) {
      from.send("question");
      sent += 8;
      to.read(8);
      std::this_thread::sleep_for(5ms);
    }
  });
  ASSERT_TRUE(eventually([&] { return sent > 80; }));
  const std::uint64_t before = sent;
  const auto report = ask({"--sort", "rate"});
  const std::uint64_t between = sent - before;
  ended = true;
  talk.get();
  const auto rate = report["connections"][0]["to_backend"]["bytes_per_second"].GetUint64();
  EXPECT_GT(rate, 0U);
  EXPECT_LE(rate, between + 8);
  EXPECT_LT(rate, report["connections"][0]["to_backend"]["bytes"].GetUint64()) << "those before";
}

TEST_F(ProgramConnections, OfAThousandTheHighestAreListed) {
  raise_descriptor_limit();
  Program ambassador(two_services("threads = 2\n"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  std::vector<Pair> pairs;
  for (int i = 0; i < 1000; ++i) pairs.push_back(connect(front));
  for (const std::size_t i : {7U, 500U, 900U}) pairs[i].server.send(std::string(i, 'x'));
  const auto report = ask({"--limit", "3"});
  EXPECT_EQ(report["services"][0]["open"].GetUint64(), 1000U);
  ASSERT_EQ(report["connections"].Size(), 3U);
  for (const auto& [place_in_list, bytes] : {std::pair(0U, 900U), {1U, 500U}, {2U, 7U}})
    EXPECT_EQ(report["connections"][place_in_list]["to_client"]["bytes"].GetUint64(), bytes);

  const auto oldest = ask({"--limit", "2", "--sort", "age"});
  ASSERT_EQ(oldest["connections"].Size(), 2U);
  // A backend may have accepted the next one before the proxy's other thread has begun to relay it.
  std::set<std::string> first_ones;
  for (std::size_t i = 0; i < 10; ++i)
    first_ones.insert(to_string(local_address(pairs[i].client.socket())));
  EXPECT_THAT(first_ones, Contains(oldest["connections"][0]["client"]["address"].GetString()));
  EXPECT_EQ(ask({"--limit", "0"})["connections"].Size(), 0U);
  EXPECT_EQ(ask()["connections"].Size(), 100U);
  EXPECT_EQ(ask({"--limit", "10000"})["connections"].Size(), 1000U);
}

TEST_F(ProgramConnections, AreThoseOfTheServiceThatIsAskedFor) {
  Program ambassador(two_services());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  const auto one = connect(front);
  const auto other = connect(second);
  const auto report = ask({"--service", "a/b"});
  ASSERT_EQ(report["connections"].Size(), 1U);
  EXPECT_STREQ(report["connections"][0]["service"].GetString(), "a/b");
  EXPECT_STREQ(report["connections"][0]["client"]["address"].GetString(),
               to_string(local_address(other.client.socket())).c_str());
  EXPECT_EQ(report["services"].Size(), 1U);
  EXPECT_EQ(ask()["connections"].Size(), 2U);
}

TEST_F(ProgramConnections, OfAServiceThatThereIsNotAreAnErrorThatNamesThoseThatThereAre) {
  Program ambassador(two_services());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  const auto ran = run({"connections", "--service", "web", "--admin", admin});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "ambbpf: there is no service 'web'; there are a/b, one\n");
}

TEST_F(ProgramConnections, OfARemovedServiceAreToldWhileTheyGoOn) {
  Program ambassador(two_services());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  const auto pair = connect(front);
  std::ofstream(place.path() / "ambbpf.toml")
      << fmt::format("admin = \"{}\"\n[service.\"a/b\"]\nlisten = \"{}\"\nendpoints = [\"{}\"]\n",
                     admin, to_string(second), to_string(backend.address()));
  ASSERT_EQ(run({"reload", "--admin", admin}).code, 0);
  EXPECT_EQ(ask({"--service", "one"})["connections"].Size(), 1U);
}

TEST_F(ProgramConnections, SayWhenOneSideHasEnded) {
  Program ambassador(forward("copy"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  auto [client, server] = connect(front);
  client.finish();
  EXPECT_EQ(server.read_all(), "");
  const auto report = ask();
  EXPECT_STREQ(report["connections"][0]["to_backend"]["by"].GetString(), "-");
  EXPECT_STREQ(report["connections"][0]["to_backend"]["why"].GetString(), "ended");
}

TEST_F(ProgramConnections, OfAThreadThatHangsAreMissedInTime) {
  Program ambassador(two_services("threads = 2\n"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  try {
    const HungThread hung(ambassador.pid());
    const auto report = ask();
    EXPECT_EQ(report["silent_threads"].GetUint64(), 1U);
    EXPECT_EQ(report["threads"].GetUint64(), 2U);
  } catch (const std::system_error& error) {
    GTEST_SKIP() << error.what();
  }
  EXPECT_EQ(ask()["silent_threads"].GetUint64(), 0U);
}

TEST_F(ProgramConnections, AreToldToNobodyByTcp) {
  const auto network = free_address();
  Program ambassador(two_services(fmt::format("admin_listen = \"{}\"\n", to_string(network))));
  ASSERT_TRUE(ambassador.says("status page on")) << ambassador.err();
  auto client = Peer::connect_to(network);
  client.send(fmt::format("GET /connections HTTP/1.1\r\nHost: {}\r\n\r\n", to_string(network)));
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 404 "));
}

}  // namespace
}  // namespace ambbpf::test
