// SPDX-License-Identifier: Apache-2.0
// Endpoints whose keys vanish from a real etcd all at once, while they live and when they are dead.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/integration/program_reload.h"
#include "tests/integration/reconciler.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Asks again and again until it goes.
class AskingClient {
 public:
  explicit AskingClient(const tcp::endpoint& front)
      : thread_([this, front] {
          for (; !stop_; std::this_thread::sleep_for(20ms)) try {
              ++(ask(front).empty() ? failed_ : answered_);
            } catch (const std::exception&) {
              ++failed_;
            }
        }) {}
  ~AskingClient() {
    stop_ = true;
    thread_.join();
  }
  AskingClient(const AskingClient&) = delete;
  AskingClient& operator=(const AskingClient&) = delete;

  int answered() const { return answered_; }
  int failed() const { return failed_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> answered_{0};
  std::atomic<int> failed_{0};
  std::thread thread_;
};

class ProgramGrace : public RunByFile, public testing::WithParamInterface<EtcdApi> {
 protected:
  std::unique_ptr<Program> started(const std::vector<std::string>& urls,
                                   const std::string& more = "") const {
    write(
        fmt::format("[etcd.main]\nurls = [\"{}\"]\napi = \"{}\"\n[service.web]\nlisten = \"{}\"\n"
                    "source = \"etcd.main\"\nhold = \"0s\"\n{}\n",
                    fmt::join(urls, "\", \""), GetParam() == EtcdApi::kV2 ? "v2" : "v3",
                    to_string(front), more));
    auto program = std::make_unique<Program>(by_file());
    EXPECT_TRUE(program->says("admin socket")) << program->err();
    return program;
  }
  std::size_t endpoints() const { return status_of("web").endpoints.size(); }
  std::size_t listed() const { return status_of("web").sources.at(0).endpoints; }
  std::string events() const { return run({"events", "--admin", admin()}).out; }

  const tcp::endpoint front = free_address();
};

INSTANTIATE_TEST_SUITE_P(Api, ProgramGrace, testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(ProgramGrace, LivingEndpointsWhoseKeysExpireTogetherStayForAWhile) {
  EtcdProcess process;
  const Etcd etcd{process, GetParam()};
  NamedBackend one("one");
  NamedBackend two("two");
  const auto put_both = [&](int ttl) {
    etcd.put("/services/web/one", registered(one.listener().address()), ttl);
    etcd.put("/services/web/two", registered(two.listener().address()), ttl);
  };
  const auto program = started({process.url()}, "grace = \"4s\"");
  put_both(5);
  ASSERT_TRUE(eventually([&] { return endpoints() == 2; }));
  {
    const AskingClient client(front);
    ASSERT_TRUE(eventually([&] { return listed() == 0; }));
    EXPECT_THAT(status_of("web").sources.at(0).note, HasSubstr("2 endpoints vanished at once"));
    EXPECT_EQ(endpoints(), 2U);
    put_both(3);  // for once more
    ASSERT_TRUE(eventually([&] { return listed() == 2; }));
    EXPECT_EQ(status_of("web").sources.at(0).note, "");
    ASSERT_TRUE(eventually([&] { return listed() == 0; }));
    std::this_thread::sleep_for(2s);
    EXPECT_EQ(endpoints(), 2U);
    EXPECT_EQ(client.failed(), 0) << "of " << client.answered();
  }
  EXPECT_TRUE(eventually([&] { return endpoints() == 0; }));
  EXPECT_THAT(events(), HasSubstr("their time of grace is over"));
  EXPECT_TRUE(program->says("kept for 4 s, while they answer")) << program->err();
}

TEST_P(ProgramGrace, DeadEndpointsWhoseKeysExpireTogetherAreGoneAfterTwoConnects) {
  EtcdProcess process;
  const Etcd etcd{process, GetParam()};
  const auto dead = free_address();
  const auto dead_too = free_address();
  NamedBackend lives("lives");
  const auto program = started({process.url()}, "grace = \"60m\"");
  etcd.put("/services/web/lives", registered(lives.listener().address()));
  etcd.put("/services/web/one", registered(dead), 3);
  etcd.put("/services/web/two", registered(dead_too), 3);
  ASSERT_TRUE(eventually([&] { return endpoints() == 3; }));
  ASSERT_TRUE(eventually([&] { return listed() == 1; }));
  EXPECT_TRUE(eventually([&] { return endpoints() == 1; }));
  EXPECT_EQ(ask(front), "lives");
  EXPECT_THAT(events(), HasSubstr("does not answer any more"));
}

// Registrars refresh their keys all the time, as long as there is somebody to take that. The TTLs
// of v2 go on without a leader, and the next one begins by letting the keys expire; leases are
// extended.
TEST_P(ProgramGrace, NoRequestFailsWhileEtcdHasNoLeaderForLongerThanTheTtl) {
  EtcdCluster cluster;
  NamedBackend one("one");
  NamedBackend two("two");
  Keep first(GetParam(), cluster.urls(), 5s);
  Keep second(GetParam(), cluster.urls(), 5s);
  first.want({{"/services/web/one", registered(one.listener().address())}});
  second.want({{"/services/web/two", registered(two.listener().address())}});
  ASSERT_TRUE(first.until_kept("/services/web/one"));
  ASSERT_TRUE(second.until_kept("/services/web/two"));
  const auto program = started(cluster.urls());
  ASSERT_TRUE(eventually([&] { return endpoints() == 2; }));
  const AskingClient client(front);
  auto& leader = cluster.leader();
  auto& follower = cluster.follower();
  leader.kill();
  follower.kill();
  Turning::turn_for(20s);
  leader.start();
  follower.start();
  Turning::turn_for(15s);
  ASSERT_TRUE(first.until_kept("/services/web/one"));
  ASSERT_TRUE(second.until_kept("/services/web/two"));
  EXPECT_TRUE(Turning::until([&] { return listed() == 2; }));
  EXPECT_EQ(endpoints(), 2U);
  EXPECT_EQ(client.failed(), 0) << events();
  fmt::print(
      "measured, etcd without a leader for 20 s, TTL 5 s: {} of {} requests failed; grace {}\n",
      client.failed(), client.failed() + client.answered(),
      events().find("grace") == std::string::npos ? "not needed" : "was given");
}

}  // namespace
}  // namespace ambbpf::test
