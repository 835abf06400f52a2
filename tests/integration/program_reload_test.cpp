// SPDX-License-Identifier: Apache-2.0
// A configuration file that changes while the program runs by it.
#include "tests/integration/program_reload.h"

#include <gmock/gmock.h>

#include <csignal>
#include <set>

#include "tests/support/etcd_process.h"
#include "tests/support/hung_thread.h"

namespace ambbpf::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ProgramReload : public RunByFile {
 protected:
  // Runs by a file of this text, and serves.
  std::unique_ptr<Program> started(const std::string& text) const {
    write(text);
    auto program = std::make_unique<Program>(by_file());
    if (!program->says("admin socket")) throw std::runtime_error(program->err());
    return program;
  }
  std::string at(int line) const { return fmt::format("ambbpf: {}:{}: ", file().string(), line); }

  NamedBackend one{"one"};
  NamedBackend two{"two"};
  const tcp::endpoint front = free_address();
  const tcp::endpoint second = free_address();
};

TEST_F(ProgramReload, ServesFromEtcdFromANameAndFromTheFile) {
  const EtcdProcess etcd;
  etcd.put_v3("/services/db/a", registered(two.listener().address()));
  const auto third = free_address();
  const auto program =
      started(service("web", front, one) +
              fmt::format("[service.db]\nlisten = \"{}\"\nsource = \"etcd.main\"\n"
                          "[service.name]\nlisten = \"{}\"\nforward = \"localhost:{}\"\n"
                          "[etcd.main]\nurls = \"{}\"\n",
                          to_string(second), to_string(third), one.listener().address().port(),
                          etcd.url()));
  EXPECT_EQ(ask(front), "one");
  EXPECT_EQ(ask(second), "two");
  EXPECT_EQ(ask(third), "one");
  const auto report = status();
  EXPECT_EQ(report.verb, "run");
  EXPECT_EQ(report.configuration.file, file().string());
  EXPECT_EQ(report.configuration.generation, 1U);
  EXPECT_EQ(report.services.size(), 3U);
}

TEST_F(ProgramReload, SighupPutsTheFileInForce) {
  const auto program = started(service("web", front, one));
  write(service("web", front, two) + service("db", second, one));
  program->signal(SIGHUP);
  ASSERT_TRUE(program->says("generation 2 is in force: 2 changes")) << program->err();
  EXPECT_THAT(program->err(), HasSubstr(fmt::format("service web: endpoints from {} to {}\n",
                                                    to_string(one.listener().address()),
                                                    to_string(two.listener().address()))));
  EXPECT_THAT(program->err(),
              HasSubstr(fmt::format("service db is new, on {}\n", to_string(second))));
  EXPECT_TRUE(eventually([&] { return ask(front) == "two"; }));
  EXPECT_EQ(ask(second), "one");
}

TEST_F(ProgramReload, TheCommandSaysWhatHasChanged) {
  const auto program = started(service("web", front, one) + service("db", second, two));
  const auto changed = reload(service("web", front, one, "retries = 1"));
  EXPECT_EQ(changed.code, 0) << changed.err;
  EXPECT_EQ(changed.out,
            "generation 2 is in force: 2 changes\n"
            "service web: retries set to 1\n"
            "service db is removed\n");
  EXPECT_THAT(changed.err, IsEmpty());
  EXPECT_EQ(ask(front), "one");
  EXPECT_TRUE(eventually([&] { return is_refused(second); }));
  EXPECT_EQ(reload().out, "generation 3 is in force: nothing has changed\n");
  EXPECT_EQ(generation(), 3U);
}

TEST_F(ProgramReload, AWrongFileChangesNothing) {
  const auto program = started(service("web", front, one));
  const auto wrong = reload(service("web", front, two) +
                            service("db", second, one, "hodl = \"3s\"") + "drian = 1");
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.out, IsEmpty());
  EXPECT_THAT(wrong.err, StartsWith(at(9) + "service.db.hodl: unknown key; did you mean 'hold'?"));
  EXPECT_THAT(wrong.err, HasSubstr(at(10) + "service.db.drian: "));
  EXPECT_EQ(std::ranges::count(wrong.err, '\n'), 2);
  EXPECT_TRUE(is_refused(second));
  EXPECT_EQ(ask(front), "one");
  const auto now = status().configuration;
  EXPECT_EQ(now.generation, 1U);
  EXPECT_THAT(now.last_error, HasSubstr(":9: service.db.hodl: "));
  EXPECT_THAT(now.last_error, HasSubstr("(and 1 more)"));
  EXPECT_TRUE(now.failed_ms.has_value());
  const auto shown = run({"status", "--admin", admin()});
  EXPECT_EQ(shown.code, 1) << "the error is worth a look";
  EXPECT_THAT(shown.out, HasSubstr("hodl"));
  EXPECT_THAT(program->err(), HasSubstr("generation 1 stays in force"));

  EXPECT_EQ(reload(service("web", front, two)).code, 0);
  EXPECT_EQ(status().configuration.last_error, "");
  EXPECT_EQ(generation(), 2U);
  EXPECT_EQ(run({"status", "--admin", admin()}).code, 0);
  EXPECT_EQ(ask(front), "two");
}

TEST_F(ProgramReload, AFileThatIsGoneChangesNothing) {
  const auto program = started(service("web", front, one));
  std::filesystem::remove(file());
  const auto gone = reload();
  EXPECT_EQ(gone.code, 1);
  EXPECT_THAT(gone.err, StartsWith("ambbpf: " + file().string() + ": "));
  EXPECT_THAT(gone.err, HasSubstr("No such file"));
  EXPECT_EQ(ask(front), "one");
}

TEST_F(ProgramReload, WhatCannotChangeIsNamed) {
  const auto web = service("web", front, one);
  const auto program = started("threads = 1\nengine = \"copy\"\n" + web);
  const auto expect_refusal = [&](const std::string& text, const std::string& what) {
    const auto refused = reload(text);
    EXPECT_EQ(refused.code, 1);
    EXPECT_EQ(refused.err,
              fmt::format("ambbpf: {}: {} cannot change while the process runs; restart it\n",
                          file().string(), what));
  };
  expect_refusal("threads = 1\nengine = \"splice\"\n" + web, "engine");
  expect_refusal("threads = 2\nengine = \"copy\"\n" + web, "threads");
  std::ofstream(file()) << "admin = \"/nowhere\"\nthreads = 1\nengine = \"copy\"\n" + web;
  EXPECT_THAT(reload().err, HasSubstr("admin cannot change while the process runs; restart it"));
  EXPECT_EQ(generation(), 1U);
  EXPECT_EQ(ask(front), "one");
}

TEST_F(ProgramReload, TheLogLevelAndTheDrainChange) {
  Listener backend(loopback_v4());
  const auto web = service("web", front, backend.address());
  const auto program = started("drain = \"1m\"\n" + web);
  OpenConnection first(front, backend);
  first.end();
  ASSERT_EQ(reload("log_level = \"debug\"\ndrain = \"100ms\"\n" + web).code, 0);
  OpenConnection another(front, backend);
  another.end();
  EXPECT_TRUE(program->says("debug service web: connection to ")) << program->err();
  OpenConnection open(front, backend);
  program->signal(SIGTERM);
  EXPECT_TRUE(program->says("1 open connection may go on for 100 ms")) << program->err();
  EXPECT_EQ(program->wait(), 0);
  EXPECT_EQ(open.client.read_until_end().error, std::errc::connection_reset);
}

TEST_F(ProgramReload, APolicyCountsFromTheNextConnectionOn) {
  const auto web = [&](const std::string& policy) {
    return fmt::format(
        "[service.web]\nlisten = \"{}\"\nendpoints = [\"{}\", \"{}\"]\npolicy = \"{}\"",
        to_string(front), to_string(one.listener().address()), to_string(two.listener().address()),
        policy);
  };
  const auto answers = [&] {
    std::set<std::string> names;
    for (int i = 0; i < 10; ++i) names.insert(ask(front));
    return names;
  };
  const auto program = started(web("first"));
  EXPECT_EQ(answers(), (std::set<std::string>{"one"}));
  EXPECT_EQ(reload(web("round_robin")).out,
            "generation 2 is in force: 1 change\n"
            "service web: policy from first to round_robin\n");
  EXPECT_EQ(answers(), (std::set<std::string>{"one", "two"}));
  EXPECT_EQ(reload(web("first")).code, 0);
  EXPECT_EQ(answers(), (std::set<std::string>{"one"}));
}

// The first of them counts, also when it has come later than the others.
TEST_F(ProgramReload, ANameThatComesFirstIsTheFirst) {
  const auto web = [&](const NamedBackend& first, const NamedBackend& last) {
    return fmt::format(
        "[service.web]\nlisten = \"{}\"\npolicy = \"first\"\n"
        "forward = [\"localhost:{}\", \"localhost:{}\"]\n",
        to_string(front), first.listener().address().port(), last.listener().address().port());
  };
  const auto program = started(web(one, two));
  EXPECT_EQ(ask(front), "one");
  ASSERT_EQ(reload(web(two, one)).code, 0);
  EXPECT_TRUE(eventually([&] { return ask(front) == "two"; }));
}

TEST_F(ProgramReload, MoreConnectionsMayBeAllowed) {
  Listener backend(loopback_v4());
  const auto program = started(service("web", front, backend.address(), "max_connections = 1"));
  OpenConnection first(front, backend);
  EXPECT_EQ(Peer::connect_to(front).read_until_end().error, std::errc::connection_reset);
  ASSERT_EQ(reload(service("web", front, backend.address(), "max_connections = 2")).code, 0);
  OpenConnection second(front, backend);
  EXPECT_TRUE(second.carries("second"));
  EXPECT_EQ(Peer::connect_to(front).read_until_end().error, std::errc::connection_reset);
  ASSERT_EQ(reload(service("web", front, backend.address(), "max_connections = 1")).code, 0);
  EXPECT_TRUE(first.carries("first")) << "who is in stays in";
  EXPECT_EQ(status_of("web").refused, 2U);
}

TEST_F(ProgramReload, MoreRetriesMayBeAllowed) {
  const auto web = [&](const std::vector<tcp::endpoint>& closed, int retries) {
    std::string endpoints;
    for (const auto& address : closed) endpoints += fmt::format("\"{}\", ", to_string(address));
    return fmt::format(
        "[service.web]\nlisten = \"{}\"\npolicy = \"first\"\nendpoints = [{}\"{}\"]\n"
        "retries = {}\n",
        to_string(front), endpoints, to_string(one.listener().address()), retries);
  };
  const std::vector<tcp::endpoint> closed{free_address(), free_address()};
  const auto program = started(web({closed[0]}, 0));
  EXPECT_EQ(Peer::connect_to(front).read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(status_of("web").failed, 1U);
  ASSERT_EQ(reload(web({closed[1], closed[0]}, 3)).code, 0);
  EXPECT_EQ(ask(front), "one");
  EXPECT_GE(status_of("web").retries, 1U);
  EXPECT_EQ(status_of("web").failed, 1U);
}

TEST_F(ProgramReload, AServiceKeepsItsEndpointsUntilItsNewSourceAnswers) {
  const auto program = started(service("web", front, one));
  const auto from_etcd = [&](const std::string& url) {
    return fmt::format("[etcd.main]\nurls = \"{}\"\n[service.web]\nlisten = \"{}\"\n", url,
                       to_string(front));
  };
  ASSERT_EQ(reload(from_etcd("http://" + to_string(free_address()))).code, 0);
  const auto is_failing = [&] { return status_of("web").sources.at(0).state == "failing"; };
  ASSERT_TRUE(eventually(is_failing));
  EXPECT_EQ(ask(front), "one");
  EXPECT_THAT(status_of("web").sources.back().note, HasSubstr("no longer configured"));

  const EtcdProcess etcd;
  etcd.put_v3("/services/web/a", registered(two.listener().address()));
  ASSERT_EQ(reload(from_etcd(etcd.url())).code, 0);
  EXPECT_TRUE(eventually([&] { return ask(front) == "two"; }));
  EXPECT_TRUE(eventually([&] { return status_of("web").endpoints.size() == 1; }));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "two");
}

// Who is in the queue of a listener is served when it goes, and is not forgotten when the process
// ends.
TEST_F(ProgramReload, WhoWasLetInByTheKernelIsCountedWhenTheServiceIsRemoved) {
  Listener backend(loopback_v4());
  const auto program = started("threads = 1\n" + service("web", front, one) +
                               service("db", second, backend.address()));
  Peer client;
  {
    const HungThread worker(program->pid());
    client = Peer::connect_to(second);
    ASSERT_EQ(reload("threads = 1\n" + service("web", front, one)).code, 0);
  }
  Peer server = backend.accept();
  client.send("?");
  EXPECT_EQ(server.read(1), "?");
  EXPECT_EQ(status().services.size(), 2U) << "one of them is removed";
  EXPECT_TRUE(status_of("db").removed);
  program->signal(SIGTERM);
  EXPECT_TRUE(program->says("stopping; 1 open connection")) << program->err();
  server.send_and_finish("answer");
  EXPECT_EQ(client.read_all(), "answer");
  client.finish();
  EXPECT_EQ(server.read_all(), "");
  EXPECT_EQ(program->wait(), 0);
}

TEST_F(ProgramReload, WithoutAProcessItSaysSo) {
  // Of nobody, whom no socket of this machine answers.
  const auto none = run({"reload"}, {.environment = {}, .privileged = false});
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(none.err, "ambbpf: no process is running that has a configuration file\n");
  const auto nothing_there = reload();
  EXPECT_EQ(nothing_there.code, 1);
  EXPECT_THAT(nothing_there.err, StartsWith("ambbpf: admin socket " + admin().string() + ": "));
  EXPECT_EQ(std::ranges::count(nothing_there.err, '\n'), 1);
}

TEST_F(ProgramReload, OfSeveralProcessesTheOnlyOneWithAFileIsMeant) {
  std::filesystem::permissions(place.path(), std::filesystem::perms(0777));
  const ProgramSetting nobody{.environment = {"XDG_RUNTIME_DIR=" + place.path().string()},
                              .privileged = false};
  const auto other_file = place.path() / "other.toml";
  std::ofstream(file()) << service("web", front, one);
  std::ofstream(other_file) << service("db", second, two);
  Program proxy(
      {"forward", to_string(one.listener().address()), "--listen", to_string(free_address())},
      nobody);
  Program by_one(by_file(), nobody);
  ASSERT_TRUE(proxy.says("admin socket")) << proxy.err();
  ASSERT_TRUE(by_one.says("admin socket")) << by_one.err();
  const auto only = run({"reload"}, nobody);
  EXPECT_EQ(only.code, 0) << only.err;
  EXPECT_EQ(only.out, "generation 2 is in force: nothing has changed\n");

  Program by_other({"run", "--config", other_file}, nobody);
  ASSERT_TRUE(by_other.says("admin socket")) << by_other.err();
  const auto several = run({"reload"}, nobody);
  EXPECT_EQ(several.code, 1);
  EXPECT_THAT(several.err, StartsWith("ambbpf: several processes have a configuration file; "
                                      "--admin names one of them: "));
  EXPECT_THAT(several.err, HasSubstr(fmt::format("run-{}.sock", by_one.pid())));
  EXPECT_THAT(several.err, HasSubstr(fmt::format("run-{}.sock", by_other.pid())));
  EXPECT_EQ(std::ranges::count(several.err, '\n'), 1);
}

TEST_F(ProgramReload, AProcessWithoutAFileSaysSo) {
  Program proxy({"forward", to_string(one.listener().address()), "--listen", to_string(front),
                 "--admin", admin()});
  ASSERT_TRUE(proxy.says("admin socket")) << proxy.err();
  const auto refused = reload();
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err, "ambbpf: this process has no configuration file\n");
}

}  // namespace
}  // namespace ambbpf::test
