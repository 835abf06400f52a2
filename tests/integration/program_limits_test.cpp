// SPDX-License-Identifier: Apache-2.0
// One service that runs wild hurts nobody but itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <atomic>
#include <cstring>
#include <vector>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/named_backend.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr rlim_t kFewDescriptors = 256;

class ProgramLimits : public testing::Test {
 protected:
  void SetUp() override {
    etcd.put_v3("/services/other/a", registered(backend.listener().address()));
  }

  std::string socket(const std::string& name) const { return (place.path() / name).string(); }

  // Services and ports, on every address, as is the default.
  std::vector<std::string> proxy(std::vector<std::string> services,
                                 const std::string& admin) const {
    std::vector<std::string> words{"proxy"};
    words.insert(words.end(), services.begin(), services.end());
    words.insert(words.end(), {"--etcd", etcd.url(), "--etcd-api", "v3", "--admin", admin});
    return words;
  }
  std::vector<std::string> web_and_other() const {
    return proxy({"web", std::to_string(front.port()), "other", std::to_string(second.port())},
                 socket("admin.sock"));
  }

  void expect_the_other_service_is_served() {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(second), "answer");
  }

  // A number of the first service.
  std::uint64_t count_of(const char* name) const {
    const auto status = run({"status", "--json", "--admin", socket("admin.sock")});
    rapidjson::Document document;
    if (document.Parse(status.out.c_str()).HasParseError() || document["processes"].Empty())
      throw std::runtime_error("no status: " + status.out + status.err);
    return document["processes"][0]["services"][0][name].GetUint64();
  }

  const ProgramSetting few{.environment = {}, .descriptors = kFewDescriptors};
  EtcdProcess etcd;
  TemporaryDirectory place;
  NamedBackend backend{"answer"};
  tcp::endpoint front = free_address();
  tcp::endpoint second = free_address();
};

// Clients of `address` that come back as often as they are reset.
class Insistent {
 public:
  explicit Insistent(const tcp::endpoint& address) {
    for (int i = 0; i < 3; ++i)
      clients_.push_back(in_background([this, address] { run(address); }));
  }
  ~Insistent() { stopping_ = true; }
  Insistent(const Insistent&) = delete;
  Insistent& operator=(const Insistent&) = delete;

 private:
  void run(const tcp::endpoint& address) {
    while (!stopping_) {
      try {
        Peer client = Peer::connect_to(address);
        client.send("x");
        client.read_until_end();
      } catch (const std::system_error&) {
        // Refused or reset: once more.
      }
    }
  }

  std::atomic<bool> stopping_{false};
  std::vector<std::future<void>> clients_;
};

TEST_F(ProgramLimits, AServiceThatPointsToItselfIsRejectedAndHurtsNobody) {
  etcd.put_v3("/services/web/self", registered(front));
  Program ambassador(web_and_other(), few);
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  const Insistent clients(front);
  expect_the_other_service_is_served();
  const auto reason = to_string(front) + " is where this process listens";
  EXPECT_TRUE(ambassador.says("/services/web/self: value rejected: " + reason)) << ambassador.err();
  const auto status = run({"status", "--admin", socket("admin.sock")});
  EXPECT_EQ(status.code, 1) << status.err;
  EXPECT_THAT(status.out, HasSubstr("/services/web/self: " + to_string(front)));
  EXPECT_THAT(ambassador.err(), Not(HasSubstr("Too many open files")));
}

TEST_F(ProgramLimits, ALoopOverTwoAmbassadorsHurtsThatServiceOnly) {
  const auto there = free_address();
  etcd.put_v3("/services/web/a", registered(there));
  etcd.put_v3("/services/loop/a", registered(front));
  Program ambassador(web_and_other(), few);
  Program peer(proxy({"loop", std::to_string(there.port())}, socket("peer.sock")), few);
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(peer.says("admin socket")) << peer.err();
  {
    const Insistent clients(front);
    expect_the_other_service_is_served();
    EXPECT_TRUE(eventually([&] { return count_of("refused") > 0; })) << ambassador.err();
    expect_the_other_service_is_served();
    // Ready, though its only endpoint may be ejected by now: without --ready the code would say so.
    EXPECT_EQ(run({"status", "--ready", "--admin", socket("peer.sock")}).code, 0);
  }
  EXPECT_TRUE(eventually([&] { return count_of("connections_now") == 0; }));
  EXPECT_THAT(ambassador.err(), Not(HasSubstr("Too many open files")));
  EXPECT_THAT(peer.err(), Not(HasSubstr("Too many open files")));
}

TEST_F(ProgramLimits, OneServiceLeavesDescriptorsToTheOthersAndToItsSources) {
  Listener crowded(loopback_v4());
  etcd.put_v3("/services/web/a", registered(crowded.address()));
  Program ambassador(web_and_other(), few);
  ASSERT_TRUE(ambassador.says("service web: 1 endpoint")) << ambassador.err();
  std::vector<Peer> clients;
  for (rlim_t i = 0; i < kFewDescriptors; ++i) clients.push_back(Peer::connect_to(front));
  ASSERT_TRUE(eventually([&] { return count_of("refused") > 0; })) << ambassador.err();
  EXPECT_EQ(count_of("connections_now"), count_of("max_connections"));
  expect_the_other_service_is_served();
  etcd.put_v3("/services/web/b", registered(free_address()));
  EXPECT_TRUE(ambassador.says("(2 endpoints)")) << ambassador.err();
  EXPECT_THAT(ambassador.err(), Not(HasSubstr("Too many open files")));
}

TEST_F(ProgramLimits, MaxConnectionsIsForEachService) {
  Listener crowded(loopback_v4());
  etcd.put_v3("/services/web/a", registered(crowded.address()));
  auto words = web_and_other();
  words.insert(words.end(), {"--max-connections", "1"});
  Program ambassador(words);
  ASSERT_TRUE(ambassador.says("service web: 1 endpoint")) << ambassador.err();
  Peer first = Peer::connect_to(front);
  Peer backend_of_first = crowded.accept();
  EXPECT_EQ(Peer::connect_to(front).read_until_end().error, std::errc::connection_reset);
  EXPECT_TRUE(ambassador.says("service web: connection reset: 1 are open (--max-connections)"))
      << ambassador.err();
  EXPECT_EQ(ask(second), "answer");
}

TEST_F(ProgramLimits, WhoFindsNoRoomIsQueued) {
  Listener crowded(loopback_v4());
  etcd.put_v3("/services/web/a", registered(crowded.address()));
  auto words = web_and_other();
  words.insert(words.end(), {"--max-connections-per-endpoint", "1", "--queue", "1",
                             "--queue-timeout", "20s", "--idle-timeout", "5s"});
  Program ambassador(words);
  ASSERT_TRUE(ambassador.says("service web: 1 endpoint")) << ambassador.err();
  Peer first = Peer::connect_to(front);
  Peer backend_of_first = crowded.accept();
  Peer second = Peer::connect_to(front);
  EXPECT_TRUE(eventually([&] { return count_of("queued_now") == 1; }));
  EXPECT_EQ(Peer::connect_to(front).read_until_end().error, std::errc::connection_reset);
  EXPECT_TRUE(ambassador.says("service web: 1 are queued (queue); connection reset"))
      << ambassador.err();
  // The first one is idle, and makes room.
  Peer backend_of_second = crowded.accept();
  EXPECT_EQ(first.read_until_end().error, std::errc::connection_reset);
  EXPECT_TRUE(eventually([&] { return count_of("idle_timeouts") >= 1; }));
  EXPECT_EQ(count_of("queue_full"), 1U);
  EXPECT_EQ(count_of("queued"), 1U);
}

}  // namespace
}  // namespace ambbpf::test
