// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/support/recorded.h"
#include "userspace/docker/decode.h"
#include "userspace/docker/decode_container.h"
#include "userspace/docker/signal.h"
#include "userspace/support/json_splitter.h"

namespace ambbpf::test {
namespace {

using Kind = DockerEvent::Kind;
using State = Container::State;
using Health = Container::Health;
using Bindings = std::vector<PortBinding>;

Container inspected(const std::string& name) {
  auto container = decode_docker_container(recorded(name));
  EXPECT_TRUE(container) << container.error().message();
  return container.value_or(Container{});
}

std::vector<std::string> addresses(const Container& container) {
  std::vector<std::string> texts;
  for (const auto& address : container.addresses) texts.push_back(address.to_string());
  return texts;
}

std::vector<DockerEvent> events(const std::string& name) {
  JsonSplitter splitter(1 << 20);
  const auto objects = splitter.take(recorded(name));
  EXPECT_TRUE(objects) << objects.error().message();
  std::vector<DockerEvent> events;
  for (const auto& object : objects.value()) {
    const auto event = decode_docker_event(object);
    EXPECT_TRUE(event) << event.error().message();
    if (event && event->kind != Kind::kOther) events.push_back(*event);
  }
  return events;
}

TEST(DockerDecode, Version) {
  const auto modern = decode_docker_version(recorded("version_1.41"));
  ASSERT_TRUE(modern);
  EXPECT_EQ(to_string(modern->lowest), "1.12");
  EXPECT_EQ(to_string(modern->highest), "1.41");
  const auto old = decode_docker_version(recorded("version_1.24"));
  ASSERT_TRUE(old);
  EXPECT_EQ(to_string(old->lowest), "1.0");
  EXPECT_EQ(to_string(old->highest), "1.24");
  for (const auto* body : {"", "OK", "null", "[]", "{}", R"({"ApiVersion":1.24})",
                           R"({"ApiVersion":"1"})", R"({"ApiVersion":"1.x"})"})
    EXPECT_FALSE(decode_docker_version(body)) << body;
}

TEST(DockerDecode, RefusalOfAVersionNamesAnother) {
  const auto other = [](const std::string& body) {
    const auto version = decode_docker_other_version(body);
    return version ? to_string(*version) : "none";
  };
  EXPECT_EQ(other(recorded("too_old")), "1.12");
  EXPECT_EQ(other(recorded("too_new")), "1.41");
  EXPECT_EQ(other(R"({"message":"client version 1.24 is too old. Minimum supported API version is )"
                  R"(1.44, please upgrade your client to a newer version"})"),
            "1.44");
  EXPECT_EQ(other("Minimum supported API version is 1.44."), "1.44");
  EXPECT_EQ(other("Minimum supported API version is new"), "none");
  EXPECT_EQ(other(recorded("nosuch")), "none");
  EXPECT_EQ(other(""), "none");
}

TEST(DockerDecode, ErrorsArePlain) {
  EXPECT_EQ(decode_docker_error(recorded("nosuch")), "'No such container: nosuch'");
  EXPECT_EQ(decode_docker_error("page not found\n"), "'page not found'");
  EXPECT_EQ(decode_docker_error("\x1b[31m"), "'\\x1b[31m'");
}

TEST(DockerDecode, HostName) {
  EXPECT_EQ(decode_docker_host_name(recorded("info")).value(), "core-1");
  EXPECT_FALSE(decode_docker_host_name("{}"));
}

TEST(DockerDecode, List) {
  const auto ids = decode_docker_list(recorded("list_1.24"));
  ASSERT_TRUE(ids) << ids.error().message();
  ASSERT_EQ(ids->size(), 6U);
  EXPECT_EQ((*ids)[5], "8e728f8de630dd16782b4574e4e46ded1e14c8ef4311791a038008b0857ec3fc");
  EXPECT_TRUE(decode_docker_list("[]").value().empty());
  for (const auto* body : {"", "{}", "[7]", "[{}]", R"([{"Id":""}])", R"([{"Id":"../x"}])"})
    EXPECT_FALSE(decode_docker_list(body)) << body;
}

TEST(DockerDecode, Container) {
  const auto web = inspected("inspect_1.24_web");
  EXPECT_EQ(web.id, "8e728f8de630dd16782b4574e4e46ded1e14c8ef4311791a038008b0857ec3fc");
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.state, State::kRunning);
  EXPECT_EQ(web.health, Health::kNone);
  EXPECT_EQ(web.stop_signal, 15);
  EXPECT_EQ(web.started_at, 1795383932427852775);
  EXPECT_EQ(web.network_mode, "default");
  EXPECT_EQ(web.labels.at("ambbpf.tag.zone"), "nyc");
  EXPECT_EQ(web.environment.at("SERVICE_TAGS"), "a,b");
  EXPECT_EQ(web.environment.at("PATH"), "/bin");
  ASSERT_EQ(web.ports.size(), 3U) << "and not the one of UDP";
  EXPECT_EQ(web.ports.at(80), (Bindings{{"0.0.0.0", 8080}, {"::", 8080}}));
  EXPECT_EQ(web.ports.at(443), (Bindings{{"127.0.0.1", 32768}}));
  EXPECT_EQ(web.ports.at(9000), Bindings{});
  EXPECT_EQ(addresses(web), std::vector<std::string>{"172.17.0.2"});
}

TEST(DockerDecode, OldAndNewInspectionsTellTheSame) {
  EXPECT_EQ(inspected("inspect_1.12_web"), inspected("inspect_1.24_web"));
  EXPECT_EQ(inspected("inspect_1.52_two_networks"), inspected("inspect_1.24_two_networks"));
}

TEST(DockerDecode, AddressesOfAllNetworks) {
  EXPECT_EQ(addresses(inspected("inspect_1.24_two_networks")),
            (std::vector<std::string>{"172.18.0.2", "172.19.0.2", "fd00:7::2"}));
  EXPECT_EQ(addresses(inspected("inspect_1.12_multi")), std::vector<std::string>{})
      << "old APIs tell of the default network only";
  EXPECT_EQ(addresses(inspected("inspect_1.24_host_network")), std::vector<std::string>{});
  EXPECT_EQ(inspected("inspect_1.24_host_network").network_mode, "host");
  EXPECT_EQ(inspected("inspect_1.24_shared_network").network_mode,
            "container:8e728f8de630dd16782b4574e4e46ded1e14c8ef4311791a038008b0857ec3fc");
}

TEST(DockerDecode, States) {
  EXPECT_EQ(inspected("inspect_1.24_paused").state, State::kPaused);
  EXPECT_EQ(inspected("inspect_1.24_exited").state, State::kAway);
  EXPECT_EQ(inspected("inspect_1.24_created").state, State::kAway);
  EXPECT_EQ(inspected("inspect_1.24_created").started_at, 0);
  for (const auto* field : {"Restarting", "Dead"}) {
    const auto name = "\"" + std::string(field) + "\":";
    const auto body = with(recorded("inspect_1.24_web"), name + "false", name + "true");
    EXPECT_EQ(decode_docker_container(body).value().state, State::kAway) << field;
  }
}

TEST(DockerDecode, Health) {
  const auto healthy = recorded("inspect_1.24_healthy");
  const auto health = [&](const std::string& status) {
    const auto body = with(healthy, R"("Status":"healthy")", R"("Status":")" + status + '"');
    return decode_docker_container(body).value().health;
  };
  EXPECT_EQ(inspected("inspect_1.24_healthy").health, Health::kHealthy);
  EXPECT_EQ(inspected("inspect_1.24_unhealthy").health, Health::kUnhealthy);
  EXPECT_EQ(health("starting"), Health::kStarting);
  EXPECT_EQ(health("none"), Health::kNone);
  EXPECT_EQ(health(""), Health::kNone);
  EXPECT_EQ(health("anything else"), Health::kUnhealthy);
}

TEST(DockerDecode, StopSignal) {
  EXPECT_EQ(inspected("inspect_1.24_healthy").stop_signal, 10);
  EXPECT_EQ(signal_number("SIGTERM"), 15);
  EXPECT_EQ(signal_number("term"), 15);
  EXPECT_EQ(signal_number("HUP"), 1);
  EXPECT_EQ(signal_number("SIGSYS"), 31);
  EXPECT_EQ(signal_number("SIGWINCH"), 28);
  EXPECT_EQ(signal_number("3"), 3);
  EXPECT_EQ(signal_number("SIGRTMIN"), 34);
  EXPECT_EQ(signal_number("RTMIN+3"), 37);
  EXPECT_EQ(signal_number("SIGRTMAX-1"), 63);
  for (const auto* text :
       {"", "SIG", "0", "65", "-1", "15 ", "TERMINATE", "RTMIN-1", "RTMIN+", "RTMIN+31", "RTMAX+1"})
    EXPECT_FALSE(signal_number(text)) << text;
}

TEST(DockerDecode, Time) {
  EXPECT_EQ(decode_docker_time("1970-01-01T00:00:01Z"), 1'000'000'000);
  EXPECT_EQ(decode_docker_time("1970-01-01T00:00:00.5Z"), 500'000'000);
  EXPECT_EQ(decode_docker_time("2026-11-22T21:45:32.427852775Z"), 1795383932427852775);
  for (const auto* text :
       {"", "0001-01-01T00:00:00Z", "2026-13-22T21:45:32Z", "2026-11-22T21:45:32", "2026-11-22",
        "2026-11-22T21:45:32.4278527751Z", "2026-11-22T21:45:32,4Z", "9999-11-22T21:45:32Z",
        "x026-11-22T21:45:32Z", "2026-11-22T21:45:32.x27852775Z"})
    EXPECT_EQ(decode_docker_time(text), 0) << text;
}

TEST(DockerDecode, OddFieldsOfAContainerCountAsNotTold) {
  const auto odd = decode_docker_container(
      R"({"Id":"ab","Name":7,"State":[],"Config":{"Env":["A","B=b=c",7,null],"StopSignal":"what",)"
      R"("Labels":{"x":7,"y":"z"},"ExposedPorts":{"80":{},"0/tcp":{},"99999/tcp":{},"1/tcp":null}},)"
      R"("HostConfig":null,"NetworkSettings":{"Ports":{"2/tcp":[7,{"HostIp":"","HostPort":""},)"
      R"({"HostPort":"070000"},{"HostPort":"81"}],"x":null},"Networks":{"b":{"IPAddress":"10.0.0.2"},)"
      R"("a":{"IPAddress":"10.0.0.1\u0000","GlobalIPv6Address":"fe80::1%x"},"0":7}}})");
  ASSERT_TRUE(odd) << odd.error().message();
  EXPECT_EQ(odd->state, State::kAway);
  EXPECT_EQ(odd->stop_signal, 15);
  EXPECT_EQ(odd->labels, (std::map<std::string, std::string>{{"y", "z"}}));
  EXPECT_EQ(odd->environment, (std::map<std::string, std::string>{{"B", "b=c"}}));
  EXPECT_EQ(odd->ports, (std::map<unsigned short, Bindings>{{1, {}}, {2, {{"", 81}}}}));
  EXPECT_EQ(addresses(*odd), std::vector<std::string>{"10.0.0.2"});
  for (const auto* body : {"", "null", "[]", "{}", R"({"Id":7})", R"({"Id":"a/b"})"})
    EXPECT_FALSE(decode_docker_container(body)) << body;
}

TEST(DockerDecode, Events) {
  const std::vector<Kind> kinds{Kind::kNetwork, Kind::kChange,  Kind::kChange, Kind::kChange,
                                Kind::kChange,  Kind::kChange,  Kind::kChange, Kind::kKill,
                                Kind::kDie,     Kind::kNetwork, Kind::kChange, Kind::kChange};
  for (const auto* name : {"events_1.41", "events_1.52"}) {
    const auto all = events(name);
    ASSERT_EQ(all.size(), kinds.size()) << name;
    for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(all[i].kind, kinds[i]) << name << i;
    EXPECT_EQ(all[0].id, "8e728f8de630dd16782b4574e4e46ded1e14c8ef4311791a038008b0857ec3fc");
    EXPECT_EQ(all[0].time_nano, 1795383932064431970);
    EXPECT_EQ(all[7].id, "dcd30de5f035341e06972d326d4c05fd35550b07ba8fda547c9b8dfe748d9063");
    EXPECT_EQ(all[7].signal, 10);
  }
}

TEST(DockerDecode, EventsOfOldEngines) {
  const auto all = events("events_1.20");
  ASSERT_EQ(all.size(), 10U);
  EXPECT_EQ(all[0].kind, Kind::kChange);
  EXPECT_EQ(all[0].id, "8e728f8de630dd16782b4574e4e46ded1e14c8ef4311791a038008b0857ec3fc");
  EXPECT_EQ(all[0].time_nano, 1795383932'000'000'000);
  EXPECT_EQ(all[6].kind, Kind::kKill);
  EXPECT_EQ(all[6].signal, 0);
}

TEST(DockerDecode, OtherEventsAreOfNoInterest) {
  for (const auto* body :
       {"{}", R"({"Type":"image","Action":"pull","Actor":{"ID":"box:1"}})",
        R"({"status":"pull","id":"box:1","time":1})", R"({"Type":7,"Action":"exec_die"})",
        R"({"Type":"container","Action":"die","Actor":{"ID":"../../info"}})",
        R"({"Type":"network","Action":"connect","Actor":{"ID":"ab"}})"}) {
    const auto event = decode_docker_event(body);
    ASSERT_TRUE(event) << body;
    EXPECT_EQ(event->kind, Kind::kOther) << body;
    EXPECT_EQ(event->id, "") << body;
  }
  for (const auto* body : {"", "null", "7", "[]", "{"}) EXPECT_FALSE(decode_docker_event(body));
}

TEST(DockerDecode, EveryCutIsAnError) {
  const auto container = recorded("inspect_1.24_web");
  for (std::size_t length = 0; length + 2 < container.size(); ++length)
    EXPECT_FALSE(decode_docker_container(container.substr(0, length))) << length;
  const auto list = recorded("list_1.24");
  for (std::size_t length = 0; length + 2 < list.size(); ++length)
    EXPECT_FALSE(decode_docker_list(list.substr(0, length))) << length;
}

}  // namespace
}  // namespace ambbpf::test
