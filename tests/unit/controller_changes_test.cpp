// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>

#include <algorithm>

#include "tests/unit/config_files.h"
#include "userspace/controller/changes.h"

namespace ambbpf::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Changes : public ConfigurationFiles {
 protected:
  std::vector<std::string> between(const std::string& before, const std::string& after) const {
    return changes_between(load(before), load(after));
  }
};

const std::string kWeb =
    "[service.web]\n"
    "listen = \"127.0.0.1:80\"\n"
    "endpoints = [\"10.0.0.1:80\"]\n";

struct ChangeCase {
  std::string name;
  std::string before;
  std::string after;
  std::vector<std::string> lines;
};

class ChangeOf : public Changes, public testing::WithParamInterface<ChangeCase> {};

TEST_P(ChangeOf, IsToldInALineForEachPart) {
  const auto& [name, before, after, lines] = GetParam();
  EXPECT_EQ(between(before, after), lines);
}

const std::vector<ChangeCase> change_cases{
    {"Nothing", kWeb, kWeb, {}},
    {"NewService",
     kWeb,
     kWeb +
         "[service.db]\nlisten = [\"127.0.0.1:81\", \"[::1]:81\"]\nendpoints = [\"10.0.0.1:1\"]\n",
     {"service db is new, on 127.0.0.1:81, [::1]:81"}},
    {"RemovedService",
     kWeb + "[service.\"team/db\"]\nlisten = \":81\"\nendpoints = [\"10.0.0.1:1\"]\n",
     kWeb,
     {"service team/db is removed"}},
    {"ValueFromTo",
     kWeb + "hold = \"3s\"\n",
     kWeb + "hold = \"5s\"\n",
     {"service web: hold from 3s to 5s"}},
    {"ValueSet", kWeb, kWeb + "retries = 1\n", {"service web: retries set to 1"}},
    {"ValueNoLongerSet",
     kWeb + "policy = \"first\"\n",
     kWeb,
     {"service web: policy no longer set"}},
    {"SeveralValues",
     kWeb + "retries = 1\npolicy = \"first\"\n",
     kWeb + "retries = 2\nhold = \"1s\"\n",
     {"service web: hold set to 1s, policy no longer set, retries from 1 to 2"}},
    {"Defaults",
     "[defaults]\nretries = 1\n" + kWeb,
     "[defaults]\nretries = 2\n" + kWeb,
     {"service web: retries from 1 to 2"}},
    {"Process",
     "drain = \"5s\"\nlog_level = \"info\"\n" + kWeb,
     "drain = \"9s\"\nlog_level = \"debug\"\n" + kWeb,
     {"process: drain from 5s to 9s, log_level from info to debug"}},
    {"EtcdAndDocker",
     kWeb + "[etcd.old]\nurls = \"http://10.0.0.1:2379\"\n"
            "[docker.host]\nhost = \"unix:///run/a.sock\"\n",
     kWeb + "[etcd.new]\nurls = \"http://10.0.0.1:2379\"\n"
            "[docker.host]\nhost = \"unix:///run/b.sock\"\n",
     {"etcd new is new", "etcd old is removed",
      "docker host: host from unix:///run/a.sock to unix:///run/b.sock"}},
    {"Registration",
     kWeb + "[etcd.main]\nurls = \"http://10.0.0.1:2379\"\n[register.all]\nttl = \"5s\"\n",
     kWeb + "[etcd.main]\nurls = \"http://10.0.0.1:2379\"\n[register.all]\nttl = \"7s\"\n",
     {"registration all: ttl from 5s to 7s"}},
    {"TheSameInOtherWords", kWeb + "hold = \"1s\"\n", kWeb + "hold = \"1000ms\"\n", {}},
    {"ADefaultThatIsSet", kWeb, kWeb + "retries = 3\npolicy = \"round_robin\"\n", {}},
    {"AnotherOrder",
     kWeb + "[service.db]\nlisten = \":81\"\nendpoints = [\"10.0.0.1:1\"]\n",
     "[service.db]\nlisten = \":81\"\nendpoints = [\"10.0.0.1:1\"]\n" + kWeb,
     {}},
};
INSTANTIATE_TEST_SUITE_P(Files, ChangeOf, testing::ValuesIn(change_cases),
                         [](const testing::TestParamInfo<ChangeCase>& tested) {
                           return tested.param.name;
                         });

TEST_F(Changes, OnlyInAFileThatASettingNamesAreTold) {
  const auto password = write("password", "old\n").string();
  const auto file = kWeb + "[etcd.main]\nurls = \"http://10.0.0.1:2379\"\nuser = \"me\"\n" +
                    fmt::format("password_file = \"{}\"\n", password);
  const auto before = load(file);
  write("password", "new\n");
  EXPECT_THAT(changes_between(before, load(file)),
              ElementsAre("etcd main: what its settings refer to"));
}

TEST_F(Changes, OfAServiceAmongHundreds) {
  const auto many = [](int changed) {
    std::string text;
    for (int i = 0; i < 500; ++i)
      text += fmt::format(
          "[service.s{0}]\nlisten = \"127.0.0.1:{1}\"\nendpoints = [\"10.0.0.1:{1}\"]\nretries = "
          "{2}\n",
          i, 10'000 + i, i == changed ? 1 : 2);
    return text;
  };
  EXPECT_THAT(between(many(-1), many(-1)), IsEmpty());
  EXPECT_THAT(between(many(-1), many(250)), ElementsAre("service s250: retries from 2 to 1"));
  EXPECT_EQ(between(many(-1), kWeb).size(), 501U);
}

// Whoever lets a process have fewer of them does not change its file.
TEST_F(Changes, AreNotMadeByTheCpusOfTheMachine) {
  cpu_set_t all;
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  cpu_set_t few;
  CPU_ZERO(&few);
  CPU_SET(::sched_getcpu(), &few);
  const auto before = load(kWeb);
  ASSERT_EQ(::sched_setaffinity(0, sizeof few, &few), 0);
  const auto after = load(kWeb);
  ASSERT_EQ(::sched_setaffinity(0, sizeof all, &all), 0);
  EXPECT_THAT(changes_between(before, after), IsEmpty());
  EXPECT_TRUE(check_change(before.process, after.process));
}

struct RefusalCase {
  std::string name;
  std::string before;
  std::string after;
  std::string refusal;  // empty: none
};

class ChangeOfTheProcess : public Changes, public testing::WithParamInterface<RefusalCase> {};

TEST_P(ChangeOfTheProcess, IsRefusedWhereItCannotBeMade) {
  const auto& [name, before, after, refusal] = GetParam();
  const auto checked =
      check_change(load(before + "\n" + kWeb).process, load(after + "\n" + kWeb).process);
  EXPECT_EQ(checked ? "" : checked.error().message(), refusal);
}

const std::vector<RefusalCase> refusal_cases{
    {"Nothing", "", "", ""},
    {"Engine", "engine = \"copy\"", "engine = \"splice\"",
     "engine cannot change while the process runs; restart it"},
    {"EngineNoLongerSet", "engine = \"copy\"", "",
     "engine cannot change while the process runs; restart it"},
    {"EngineInOtherWords", "", "engine = \"auto\"", ""},
    {"Threads", "threads = 1", "threads = 2",
     "threads cannot change while the process runs; restart it"},
    {"Admin", "", "admin = \"/run/ambbpf/a.sock\"",
     "admin cannot change while the process runs; restart it"},
    {"DrainAndLogLevel", "", "drain = \"1m\"\nlog_level = \"debug\"", ""},
};
INSTANTIATE_TEST_SUITE_P(Files, ChangeOfTheProcess, testing::ValuesIn(refusal_cases),
                         [](const testing::TestParamInfo<RefusalCase>& tested) {
                           return tested.param.name;
                         });

}  // namespace
}  // namespace ambbpf::test
