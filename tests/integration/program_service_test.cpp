// SPDX-License-Identifier: Apache-2.0
// What a service manager (systemd, Type=notify) hears of the program.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>
#include <thread>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/hung_thread.h"
#include "tests/support/notify_socket.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

class ProgramService : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  std::vector<std::string> proxy(const std::string& etcd) const {
    return {"proxy",    "web",       std::to_string(front.port()),
            "--listen", "127.0.0.1", "--threads",
            "2",        "--etcd",    etcd,
            "--admin",  admin()};
  }
  std::vector<std::string> forward(const std::string& drain = "5s") const {
    return {"forward",  to_string(backend.address()),
            "--listen", to_string(front),
            "--admin",  admin(),
            "--drain",  drain};
  }
  ProgramSetting notifying(std::vector<std::string> more = {}) const {
    more.push_back(manager.in_environment());
    return {.environment = std::move(more)};
  }
  // Two pings: one might have been on its way.
  bool is_fed() {
    return !manager.hear("WATCHDOG=1").empty() && !manager.hear("WATCHDOG=1").empty();
  }
  // For longer than the watchdog would wait; what was on its way does not count.
  bool is_hungry() {
    std::this_thread::sleep_for(kLimit / 10);
    manager.drop_what_is_there();
    return manager.hear("WATCHDOG=1", 2 * kLimit).empty();
  }

  static constexpr auto kLimit = 500ms;
  const std::string watched = "WATCHDOG_USEC=500000";

  TemporaryDirectory place;
  NotifySocket manager{place.path() / "notify"};
  Listener backend{loopback_v4()};
  tcp::endpoint front = free_address();
};

TEST_F(ProgramService, IsReadyWhenItListensWhateverEtcdDoes) {
  Program ambassador(proxy("http://127.0.0.1:1"), notifying());
  EXPECT_EQ(manager.hear("READY=1"),
            "READY=1\nSTATUS=engine sockmap; service web: no source has answered yet");
  EXPECT_NO_THROW(Peer::connect_to(front));
  EXPECT_EQ(run({"status", "--ready", "--admin", admin()}).code, 1);
}

TEST_F(ProgramService, StateIsToldAgainWhenItChanges) {
  EtcdProcess etcd;
  etcd.kill();
  Program ambassador(proxy(etcd.url()), notifying());
  EXPECT_NE(manager.hear("READY=1"), "");
  etcd.start();
  EXPECT_EQ(manager.hear("STATUS="), "STATUS=engine sockmap; ready");
  const auto asked = run({"status", "--ready", "--admin", admin()});
  EXPECT_EQ(asked.code, 0);
  EXPECT_EQ(asked.out, "ready: " + admin() + "\n");
}

TEST_F(ProgramService, FeedsTheWatchdogUnlessItHangs) {
  Program ambassador(forward(), notifying({watched}));
  EXPECT_TRUE(is_fed());
  ambassador.signal(SIGSTOP);
  EXPECT_TRUE(is_hungry());
  ambassador.signal(SIGCONT);
  EXPECT_TRUE(is_fed());
}

TEST_F(ProgramService, OneWorkerThatHangsIsEnoughForTheWatchdog) {
  // With no name to resolve, which takes a thread, the workers are the last that are started.
  Program ambassador(proxy("http://127.0.0.1:1"), notifying({watched}));
  EXPECT_TRUE(is_fed());
  std::optional<HungThread> worker;
  try {
    worker.emplace(ambassador.pid());
  } catch (const std::system_error& refused) {
    GTEST_SKIP() << refused.what();
  }
  EXPECT_TRUE(is_hungry());
  EXPECT_EQ(run({"status", "--ready", "--admin", admin()}).code, 1) << "the other loops turn";
  worker.reset();
  EXPECT_TRUE(is_fed());
}

TEST_F(ProgramService, LeavesTheWatchdogOfAnotherProcessAlone) {
  Program ambassador(forward(), notifying({watched, "WATCHDOG_PID=1"}));
  EXPECT_NE(manager.hear("READY=1"), "");
  EXPECT_TRUE(is_hungry());
}

// As systemd asks it with Type=notify-reload, which it has from 253 on.
TEST_F(ProgramService, SaysThatItReloadsAndWhenItIsDoneWhateverCameOfIt) {
  const auto file = place.path() / "ambbpf.toml";
  const auto write = [&](const std::string& more) {
    std::ofstream(file) << fmt::format(
        "admin = \"{}\"\n[service.web]\nlisten = \"{}\"\nendpoints = [\"{}\"]\n{}", admin(),
        to_string(front), to_string(backend.address()), more);
  };
  const auto now_us = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  write("");
  Program ambassador({"run", "--config", file.string()}, notifying());
  EXPECT_EQ(manager.hear("READY=1"), "READY=1\nSTATUS=engine sockmap; ready");
  for (const auto* more : {"retries = 1\n", "no such thing\n"}) {
    write(more);
    const auto asked_at = now_us();
    ambassador.signal(SIGHUP);
    const auto begun = manager.hear("RELOADING=1");
    long long begun_at = 0;
    EXPECT_EQ(std::sscanf(begun.c_str(), "RELOADING=1\nMONOTONIC_USEC=%lld\n", &begun_at), 1)
        << begun;
    EXPECT_GE(begun_at, asked_at);
    EXPECT_LE(begun_at, now_us());
    EXPECT_EQ(manager.hear("READY=1"), "READY=1\nSTATUS=engine sockmap; ready") << more;
  }
  EXPECT_TRUE(ambassador.says("generation 2 stays in force")) << ambassador.err();
  EXPECT_EQ(run({"reload", "--admin", admin()}).code, 1);
  EXPECT_NE(manager.hear("RELOADING=1"), "");
  EXPECT_NE(manager.hear("READY=1"), "");
}

TEST_F(ProgramService, SaysThatItStopsAndHowLongThatTakes) {
  Program ambassador(forward("1m"), notifying({watched}));
  EXPECT_NE(manager.hear("READY=1"), "");
  Peer client = Peer::connect_to(front);
  Peer server = backend.accept();
  ambassador.signal(SIGTERM);
  EXPECT_EQ(manager.hear("STOPPING=1"),
            "STOPPING=1\nSTATUS=engine sockmap; stopping\nEXTEND_TIMEOUT_USEC=65000000");
  EXPECT_TRUE(is_fed()) << "while a connection is still served";
  client.finish();
  server.finish();
  EXPECT_EQ(ambassador.wait(), 0);
}

TEST_F(ProgramService, ARegistrarTellsTheSame) {
  Program registrar({"register", "--all", "--docker", "unix:///nosuch", "--etcd",
                     "http://127.0.0.1:1", "--advertise", "127.0.0.1", "--admin", admin()},
                    notifying({watched}));
  EXPECT_EQ(manager.hear("READY=1"), "READY=1\nSTATUS=docker has not answered yet");
  EXPECT_TRUE(is_fed());
  registrar.signal(SIGTERM);
  EXPECT_EQ(manager.hear("STOPPING=1"),
            "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=10000000");
  EXPECT_EQ(registrar.wait(), 0);
}

TEST_F(ProgramService, WaitsForNoServiceManagerThatDoesNotRead) {
  Program ambassador(forward(), notifying({"WATCHDOG_USEC=2000"}));
  ASSERT_TRUE(ambassador.says("1 endpoint: ")) << ambassador.err();
  // More pings than fit (net.unix.max_dgram_qlen is 512 under systemd).
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(run({"status", "--ready", "--admin", admin()}).code, 0);
  EXPECT_NE(manager.hear("READY=1"), "");
  manager.drop_what_is_there();
  EXPECT_TRUE(is_fed());
}

TEST_F(ProgramService, ServesOnWhenNobodyHears) {
  Program ambassador(forward(), {.environment = {"NOTIFY_SOCKET=/nosuch", watched}});
  ASSERT_TRUE(ambassador.says("the service manager cannot be told READY=1: No such file"));
  EXPECT_NO_THROW(Peer::connect_to(front));
}

}  // namespace
}  // namespace ambbpf::test
