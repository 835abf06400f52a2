// SPDX-License-Identifier: Apache-2.0
// What the program has decided, and why: `ambbpf events` and `ambbpf why`.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/integration/program_reload.h"
#include "tests/support/etcd_process.h"
#include "tests/unit/admin_fixture.h"
#include "userspace/admin/events_answer.h"
#include "userspace/support/json.h"

namespace ambbpf::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ProgramEvents : public RunByFile {
 protected:
  std::string by_etcd(const EtcdProcess& etcd) const {
    return fmt::format(
        "[etcd.main]\nurls = [\"{}\"]\napi = \"v3\"\n[service.web]\nlisten = \"{}\"\n"
        "source = \"etcd.main\"\n",
        etcd.url(), to_string(front));
  }
  // As a script reads them.
  std::vector<Event> events(const std::string& service = "") const {
    std::vector<std::string> words{"events", "--json", "--admin", admin()};
    if (!service.empty()) words.insert(words.end(), {"--service", service});
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    std::vector<Event> events;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);)
      events.push_back(events_answer_from_json("{\"events\":[" + line + "]}").value().events.at(0));
    return events;
  }
  std::vector<Event> events_of_kind(std::string_view kind) const {
    auto all = events();
    std::erase_if(all, [kind](const Event& event) { return event.kind != kind; });
    return all;
  }
  bool until_endpoints(std::size_t count) const {
    return eventually([&] { return status_of("web").endpoints.size() == count; });
  }
  bool until_following() const {
    return eventually([&] { return status_of("web").sources.at(0).state == "following"; });
  }
  std::string why(const std::string& service = "web") const {
    const auto ran = run({"why", service, "--admin", admin()});
    EXPECT_EQ(ran.code, 0) << ran.err;
    std::istringstream words(ran.out);  // wherever lines are broken
    std::string text;
    for (std::string word; words >> word;) text += word + " ";
    return text;
  }

  tcp::endpoint front = free_address();
};

std::uint64_t revision_now(const EtcdProcess& etcd) {
  const auto answer = call("POST", etcd.url() + "/v3/kv/range", R"({"key":"AA=="})");
  const auto json = parse_json(answer.body);
  const auto* header = json ? object_at(*json, "header") : nullptr;
  return header ? uint_at(*header, "revision").value_or(0) : 0;
}

TEST_F(ProgramEvents, OfAKeyHaveItsRevisionAndComeInOrder) {
  EtcdProcess etcd;
  write(by_etcd(etcd));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(until_following());
  std::vector<std::uint64_t> revisions;
  const auto put = [&](const std::string& name, const std::string& value, std::size_t then) {
    etcd.put_v3("/services/web/" + name, value);
    revisions.push_back(revision_now(etcd));
    ASSERT_TRUE(until_endpoints(then));
  };
  put("one", "127.0.0.1:7001", 1);
  put("two", "127.0.0.1:7002", 2);
  etcd.remove_v3("/services/web/one");
  revisions.push_back(revision_now(etcd));
  ASSERT_TRUE(until_endpoints(1));

  const auto changes = events_of_kind("set changed");
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].outcome, "1 endpoint: 127.0.0.1:7001");
  EXPECT_EQ(changes[1].outcome, "+127.0.0.1:7002 (2 endpoints)");
  EXPECT_EQ(changes[2].outcome, "-127.0.0.1:7001 (1 endpoint)");
  EXPECT_EQ(changes[0].cause, "/services/web/one set");
  EXPECT_EQ(changes[2].cause, "/services/web/one removed");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(changes[i].service, "web");
    EXPECT_EQ(changes[i].revision, revisions[i]);
    EXPECT_TRUE(changes[i].took_us.has_value());
    if (i == 0) continue;
    EXPECT_GT(changes[i].id, changes[i - 1].id);
    EXPECT_GT(changes[i].time, changes[i - 1].time);
    EXPECT_GT(changes[i].version, changes[i - 1].version);
  }
  EXPECT_THAT(why(),
              AllOf(HasSubstr("127.0.0.1:7001 (/services/web/one): in no source's set any more"),
                    HasSubstr("the next connection goes to 127.0.0.1:7002")));
}

TEST_F(ProgramEvents, OfAWrongValueHaveItsReasonAndSoHasWhy) {
  EtcdProcess etcd;
  write(by_etcd(etcd));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(until_following());
  etcd.put_v3("/services/web/bad", "no address at all");
  ASSERT_TRUE(eventually([&] { return !events_of_kind("value rejected").empty(); }));
  const auto rejected = events_of_kind("value rejected").at(0);
  EXPECT_EQ(rejected.service, "web");
  EXPECT_EQ(rejected.revision, revision_now(etcd));
  EXPECT_THAT(rejected.outcome, StartsWith("/services/web/bad: "));
  EXPECT_THAT(why(),
              AllOf(HasSubstr("/services/web/bad: rejected: "),
                    HasSubstr("there is no endpoint to go to"), HasSubstr("clients are held for")));
  // One of our own: a loop.
  etcd.put_v3("/services/web/loop", to_string(front));
  EXPECT_TRUE(eventually([&] { return events_of_kind("value rejected").size() == 2; }));
  EXPECT_THAT(why(), HasSubstr("/services/web/loop: rejected: "));
}

TEST_F(ProgramEvents, OfAnEndpointThatRefusesSayWhatItSaidAndSoDoesWhy) {
  NamedBackend one("one");
  const auto nobody = free_address();
  write(fmt::format("[service.web]\nlisten = \"{}\"\nendpoints = [\"{}\", \"{}\"]\n",
                    to_string(front), to_string(nobody), to_string(one.listener().address())));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  // The first ejection may be over before `why` has asked on a busy machine; then comes a longer
  // one.
  std::string text;
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(ask(front), "one");
    text = why();
    return text.find("for another") != std::string::npos;
  })) << text;
  EXPECT_THAT(text, AllOf(HasSubstr(to_string(nobody) + " (configuration"),
                          HasSubstr("ejected after "), HasSubstr(" failed connect")));
  EXPECT_THAT(text,
              HasSubstr("the next connection goes to " + to_string(one.listener().address())));
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(ask(front), "one");
    return why().find(" failed connects") != std::string::npos;
  })) << why();
  const auto ejected = events_of_kind("ejected");
  ASSERT_EQ(ejected.size(), 1U) << "that it goes on failing is no news";
  EXPECT_EQ(ejected[0].outcome, to_string(nobody) + " for 1 s at first");
  EXPECT_THAT(ejected[0].cause, HasSubstr("Connection refused"));
  const NamedBackend two("two", nobody);
  EXPECT_TRUE(eventually([&] { return ask(front) == "two"; }));
  EXPECT_EQ(events_of_kind("returned").size(), 1U);
}

TEST_F(ProgramEvents, OfASourceThatIsLostAndComesBack) {
  EtcdProcess etcd;
  write(by_etcd(etcd));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  etcd.put_v3("/services/web/one", "127.0.0.1:7001");
  ASSERT_TRUE(until_endpoints(1));
  etcd.kill();
  ASSERT_TRUE(eventually([&] { return events_of_kind("source lost").size() == 1; }));
  EXPECT_THAT(why(), HasSubstr("what it knew counts"));
  EXPECT_TRUE(status_of("web").sources.at(0).kept);
  etcd.start();
  ASSERT_TRUE(eventually([&] { return events_of_kind("source back").size() == 1; }));
  EXPECT_FALSE(status_of("web").sources.at(0).kept);
}

TEST_F(ProgramEvents, OfAReloadSayWhatHasChangedAndWhyItWasRefused) {
  NamedBackend one("one");
  const auto other = free_address();
  write(service("web", front, one));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_EQ(reload(service("web", front, one) + service("db", other, one)).code, 0);
  ASSERT_EQ(reload(service("db", other, one)).code, 0);
  ASSERT_EQ(reload("[service.db]\nlisten = \"nowhere\"\n").code, 1);
  std::vector<std::string> kinds;
  for (const auto& event : events())
    if (event.kind != "set changed") kinds.push_back(event.kind + " " + event.service);
  EXPECT_THAT(kinds, ElementsAre("started ", "service added db", "reload ", "service removed web",
                                 "reload ", "reload refused "));
  EXPECT_THAT(events_of_kind("reload").at(0).outcome, HasSubstr("service db is new"));
  EXPECT_THAT(events_of_kind("reload refused").at(0).outcome,
              HasSubstr("service.db: needs source"));
  for (const auto& event : events("db")) EXPECT_NE(event.service, "web");
}

TEST_F(ProgramEvents, AreFollowedAlsoAfterARestart) {
  NamedBackend one("one");
  write(service("web", front, one));
  std::optional<Program> ambassador(by_file());
  ASSERT_TRUE(ambassador->says("admin socket")) << ambassador->err();
  Program follower({"events", "--follow", "--admin", admin()});
  const auto shown = [&](const std::string& word) {
    const auto out = follower.out();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = out.find(word, at)) != out.npos; ++at) ++count;
    return count;
  };
  ASSERT_TRUE(eventually([&] { return shown("web: set changed") == 1; })) << follower.err();
  ASSERT_EQ(reload(service("web", front, one, "hold = \"7s\"")).code, 0);
  ASSERT_TRUE(eventually([&] { return shown("generation 2 is in force") == 1; })) << follower.out();
  const auto first = ambassador->pid();
  ambassador.reset();
  ASSERT_TRUE(follower.says("waiting for it")) << follower.err();
  ambassador.emplace(by_file());
  ASSERT_TRUE(ambassador->says("admin socket")) << ambassador->err();
  ASSERT_TRUE(follower.says("was restarted; its events begin anew")) << follower.err();
  EXPECT_TRUE(eventually([&] { return shown("web: set changed") == 2; })) << follower.out();
  EXPECT_THAT(follower.out(), AllOf(HasSubstr(fmt::format("process {}:", first)),
                                    HasSubstr(fmt::format("process {}:", ambassador->pid()))));
  follower.signal(SIGINT);
  EXPECT_EQ(follower.wait(), 0);
}

TEST_F(ProgramEvents, ThatAreLostToAFollowerAreToldAsANumber) {
  std::atomic<int> asked{0};
  auto given = answers("{}");
  given.events = [&asked](std::uint64_t after) {
    EventsAnswer answer{.process = "7-1", .last = after + 10, .lost = 9, .events = {}};
    answer.events.push_back({.id = after + 10, .time = "now", .kind = "set changed"});
    ++asked;
    return to_json(answer);
  };
  ServingProcess process(admin(), given);
  Program follower({"events", "--follow", "--admin", admin()});
  EXPECT_TRUE(follower.says("9 events were lost: more came than are kept")) << follower.err();
  follower.signal(SIGTERM);
  EXPECT_EQ(follower.wait(), 0);
  EXPECT_GE(asked, 2);
}

TEST_F(ProgramEvents, CanBeReadByTcpAsWell) {
  NamedBackend one("one");
  const auto network = free_address();
  write(fmt::format("admin_listen = \"{}\"\n", to_string(network)) + service("web", front, one));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("metrics on")) << ambassador.err();
  const auto url = "http://" + to_string(network);
  const auto answer = events_answer_from_json(call("GET", url + "/events").body);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->last, 2U);
  EXPECT_THAT(answer->events, Contains(Field(&Event::kind, "started")));
  EXPECT_EQ(call("GET", url + "/why?service=web").status, 200);
  EXPECT_EQ(call("GET", url + "/why?service=wen").status, 404);
  EXPECT_EQ(call("POST", url + "/events").status, 405);
}

TEST_F(ProgramEvents, WhyOfAnUnknownServiceNamesThoseThatThereAre) {
  NamedBackend one("one");
  write(service("webshop", front, one) + service("db", free_address(), one));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  const auto ran = run({"why", "webhsop", "--admin", admin()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err,
            "ambbpf: no service 'webhsop' here; did you mean webshop? There are: webshop, db\n");
  EXPECT_EQ(ran.out, "");
  const auto nobody = run({"why", "web", "--admin", (place.path() / "none.sock").string()});
  EXPECT_EQ(nobody.code, 3);
  EXPECT_THAT(nobody.err, HasSubstr("none.sock"));
  EXPECT_EQ(run({"why"}).code, 2);
}

}  // namespace
}  // namespace ambbpf::test
