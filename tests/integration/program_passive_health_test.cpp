// SPDX-License-Identifier: Apache-2.0
// Endpoints that accept and then fail, beside good ones, of the built program.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <sstream>
#include <thread>

#include "tests/integration/program_reload.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

// Accepts, reads what the client says, and resets the connection while it is to.
class ResettingBackend {
 public:
  using Resets = std::function<bool()>;
  explicit ResettingBackend(Resets resets = [] { return true; }) : resets_(std::move(resets)) {
    serving_ = in_background([this] { serve(); });
  }
  ~ResettingBackend() {
    stopping_ = true;
    Peer::connect_to(listener_.address());
  }
  ResettingBackend(const ResettingBackend&) = delete;
  ResettingBackend& operator=(const ResettingBackend&) = delete;

  const tcp::endpoint& address() const { return listener_.address(); }

 private:
  void serve() {
    for (;;) try {
        Peer peer = listener_.accept();
        if (stopping_) return;
        peer.read(1);
        if (resets_()) {
          peer.reset();
          continue;
        }
        peer.send_and_finish("well");
        peer.read_all();
      } catch (const std::exception&) {
        // A client that went away: the next one.
      }
  }

  const Resets resets_;
  Listener listener_{loopback_v4()};
  std::atomic<bool> stopping_{false};
  std::future<void> serving_;
};

bool is_well_for_200_ms_in_400() {
  return std::chrono::steady_clock::now().time_since_epoch() / 200ms % 2 == 0;
}

struct Requests {
  int answered = 0;
  int failed = 0;
};

class ProgramPassiveHealth : public RunByFile {
 protected:
  std::unique_ptr<Program> started(const std::vector<tcp::endpoint>& endpoints,
                                   const std::string& more = "") const {
    std::string list;
    for (const auto& endpoint : endpoints) list += "\"" + to_string(endpoint) + "\", ";
    write(fmt::format("threads = 2\n[service.web]\nlisten = \"{}\"\nendpoints = [{}]\n{}\n",
                      to_string(front), list, more));
    auto program = std::make_unique<Program>(by_file());
    EXPECT_TRUE(program->says("admin socket")) << program->err();
    return program;
  }
  bool answers() const {
    try {
      return !ask(front).empty();
    } catch (const std::system_error&) {
      return false;
    }
  }
  // Some 200 a second, by two clients.
  Requests for_a_while(std::chrono::milliseconds length) const {
    const auto until = Clock::now() + length;
    std::atomic<int> answered = 0;
    std::atomic<int> failed = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 2; ++i)
      clients.emplace_back([&] {
        for (auto next = Clock::now(); next < until; next += 10ms) {
          std::this_thread::sleep_until(next);
          ++(answers() ? answered : failed);
        }
      });
    for (auto& client : clients) client.join();
    return {answered, failed};
  }
  std::string told(const std::vector<std::string>& words) const {
    auto all = words;
    all.insert(all.end(), {"--admin", admin().string()});
    const auto ran = run(all);
    EXPECT_EQ(ran.err, "");
    std::istringstream in(ran.out);  // wherever lines are broken
    std::string text;
    for (std::string word; in >> word;) text += word + " ";
    return text;
  }

  tcp::endpoint front = free_address();
};

TEST_F(ProgramPassiveHealth, OneThatResetsIsPassedOverAndTriedByOneClientAtATime) {
  NamedBackend good("good");
  const ResettingBackend resets;
  const auto program = started({good.listener().address(), resets.address()});
  const auto requests = for_a_while(4s);
  fmt::print("measured, one of two endpoints resets each connection: {} of {} requests failed\n",
             requests.failed, requests.answered + requests.failed);
  EXPECT_GE(requests.failed, 3) << "which it takes to know";
  EXPECT_LE(requests.failed, 3 + 2 + 3) << "two trials, and what was under way";
  EXPECT_GT(requests.answered, 100);
  const auto web = status_of("web");
  EXPECT_EQ(web.reset_ejections, 1U);
  EXPECT_EQ(web.early_resets, static_cast<std::uint64_t>(requests.failed));
  EXPECT_THAT(told({"why", "web"}),
              AllOf(HasSubstr("early resets, the last: it reset a connection before it had said"),
                    HasSubstr(to_string(resets.address()))));
  EXPECT_THAT(told({"events"}), HasSubstr(to_string(resets.address()) + " for 1 s"));
  EXPECT_TRUE(program->says("the endpoint is ejected")) << program->err();
}

TEST_F(ProgramPassiveHealth, OneThatFlapsIsLeftAloneForLongerAndLonger) {
  NamedBackend good("good");
  const ResettingBackend flaps([] { return !is_well_for_200_ms_in_400(); });
  const auto program = started({good.listener().address(), flaps.address()});
  const auto requests = for_a_while(6s);
  fmt::print("measured, one of two endpoints flaps each 200 ms: {} of {} requests failed\n",
             requests.failed, requests.answered + requests.failed);
  EXPECT_LE(requests.failed, 4 * (3 + 2)) << "in four rows at most: after 1, 2 and 4 s";
  EXPECT_GT(requests.answered, 100);
}

TEST_F(ProgramPassiveHealth, ResetsDoNotCountWhereTheyAreNotTo) {
  NamedBackend good("good");
  const ResettingBackend resets;
  const auto program = started({good.listener().address(), resets.address()}, "eject_resets = 0");
  const auto requests = for_a_while(500ms);
  EXPECT_NEAR(requests.failed, requests.answered, 2);
  EXPECT_EQ(status_of("web").ejections, 0U);
}

TEST_F(ProgramPassiveHealth, NobodyElseIsSentWhereAClientTriesAndSaysNothing) {
  std::atomic<bool> is_well = false;
  NamedBackend good("good");
  const ResettingBackend other([&] { return !is_well; });
  const auto program = started({good.listener().address(), other.address()});
  ASSERT_TRUE(eventually([&] { return !answers() && status_of("web").ejections == 1; }));
  is_well = true;
  ASSERT_TRUE(eventually([&] { return status_of("web").endpoints.at(1).on_trial; }));
  EXPECT_THAT(told({"status"}), HasSubstr("on trial"));
  const auto connections = [&] { return status_of("web").endpoints.at(1).connections_total; };
  const auto before = connections();
  const auto let_in = [&] { return status_of("web").connections_total; };
  Peer silent;
  ASSERT_TRUE(eventually([&] {
    const auto earlier = let_in();
    silent = Peer::connect_to(front);
    EXPECT_TRUE(eventually([&] { return let_in() > earlier; }));
    return connections() > before;
  }));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(ask(front), "good");
  EXPECT_EQ(connections(), before + 1);
  silent.close();
  // The trial has shown nothing, so it is used again in the end.
  EXPECT_TRUE(eventually([&] { return ask(front) == "well"; }));
}

// By the kernel's path no first byte is seen: a connection goes there after 500 ms.
TEST_F(ProgramPassiveHealth, ALateAnswerEndsTheRowInEachEngine) {
  for (const std::string engine : {"sockmap", "splice", "copy"}) {
    SCOPED_TRACE(engine);
    Listener backend(loopback_v4());
    write("engine = \"" + engine + "\"\n" + service("web", front, backend.address()));
    Program program(by_file());
    if (!program.says("admin socket")) GTEST_SKIP() << program.err();
    const auto reset_one = [&] {
      OpenConnection one(front, backend);
      one.client.send("?");
      EXPECT_EQ(one.server.read(1), "?");
      one.server.reset();
      EXPECT_EQ(one.client.read_until_end().error, std::errc::connection_reset);
    };
    std::vector<OpenConnection> late;
    for (int row = 0; row < 3; ++row) {
      for (int i = 0; i < 2; ++i) reset_one();
      late.emplace_back(front, backend);
      late.back().client.send("?");
      EXPECT_EQ(late.back().server.read(1), "?");
      std::this_thread::sleep_for(700ms);
      late.back().server.send("!");
      EXPECT_EQ(late.back().client.read(1), "!");
    }
    EXPECT_EQ(status_of("web").ejections, 0U);
    EXPECT_EQ(status_of("web").early_resets, 6U);
    for (int i = 0; i < 3; ++i) reset_one();
    EXPECT_TRUE(eventually([&] { return status_of("web").reset_ejections == 1; }));
  }
}

TEST_F(ProgramPassiveHealth, NoMoreAreEjectedThanMayBe) {
  std::atomic<bool> is_well = false;
  NamedBackend good("good");
  const ResettingBackend one([&] { return !is_well; });
  const ResettingBackend two([&] { return !is_well; });
  const auto program = started({good.listener().address(), one.address(), two.address()});
  ASSERT_TRUE(eventually([&] {
    answers();
    return status_of("web").used_all_the_same == 1;
  }));
  EXPECT_THAT(told({"why", "web"}), HasSubstr("more would be than max_ejected allows"));
  EXPECT_THAT(told({"events"}), AllOf(HasSubstr("ejections limited"),
                                      HasSubstr("1 endpoint is used although ejected"),
                                      HasSubstr("max_ejected is 50 %")));
  EXPECT_THAT(told({"status"}), HasSubstr("1 endpoint is used although ejected"));
  is_well = true;
  ASSERT_TRUE(eventually([&] {
    answers();
    const auto web = status_of("web");
    return web.used_all_the_same == 0 &&
           std::ranges::all_of(web.endpoints, [](const auto& each) { return each.is_in_use(); });
  }));
  EXPECT_THAT(told({"events"}), HasSubstr("limit ended"));
}

}  // namespace
}  // namespace ambbpf::test
