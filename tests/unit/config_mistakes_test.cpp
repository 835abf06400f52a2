// SPDX-License-Identifier: Apache-2.0
// What is wrong in a configuration file is told with its place, all of it, and never crashes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/config_files.h"

namespace ambbpf::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigurationMistakes : public ConfigurationFiles {};

// Around what is looked at: the first line, and a service that is in order.
std::string with(const std::string& line) {
  return line + "\n[service.web]\nlisten = \":1\"\nforward = \"a:1\"\n";
}
std::string in_service(const std::string& line) { return with("") + line + "\n"; }

TEST_F(ConfigurationMistakes, AMisspeltKeyIsAnsweredWithWhatIsMeant) {
  EXPECT_THAT(mistakes_in(in_service("hodl = \"3s\"")),
              ElementsAre("a.toml:5: service.web.hodl: unknown key; did you mean 'hold'?"));
  EXPECT_THAT(mistakes_in(with("engin = \"auto\"")),
              ElementsAre("a.toml:1: engin: unknown key; did you mean 'engine'?"));
  EXPECT_THAT(mistakes_in(with("[servise.x]")),
              ElementsAre("a.toml:1: servise: unknown key; did you mean 'service'?"));
  EXPECT_THAT(mistakes_in(with("hold = \"3s\"")),
              ElementsAre("a.toml:1: hold: unknown key here; it stands in [service.NAME] or "
                          "[defaults]"));
  EXPECT_THAT(mistakes_in(in_service("nonsense = 1")),
              ElementsAre(HasSubstr("service.web.nonsense: unknown key; there are listen, ")));
}

TEST_F(ConfigurationMistakes, NamesAndServersOfDnsAreLookedAt) {
  EXPECT_THAT(mistakes_in(with("dns_servers = \"ns.example\"")),
              ElementsAre(HasSubstr("a.toml:1: dns_servers: 'ns.example' is not the address of a "
                                    "DNS server, as 10.0.0.2, ")));
  EXPECT_THAT(mistakes_in(with("dns_servers = [\"0.0.0.0\"]")),
              ElementsAre(HasSubstr("a.toml:1: dns_servers: '0.0.0.0' is not the address")));
  EXPECT_THAT(mistakes_in(in_service("srv = \"_redis._tcp.example.org:6379\"")),
              ElementsAre(HasSubstr("a.toml:5: service.web.srv: '_redis._tcp.example.org:6379' is "
                                    "no name of SRV records")));
}

TEST_F(ConfigurationMistakes, AllAreTold) {
  EXPECT_THAT(
      mistakes_in("threads = 0\n[etcd.a]\nurls = \"ftp://x\"\ncert = \"/dev/null\"\n"
                  "[service.web]\nlisten = \"80\"\nhold = \"3\"\n[register.x]\nttl = \"1500ms\"\n"),
      ElementsAre("a.toml:1: threads: '0' is not a number from 1 to 256",
                  HasSubstr("a.toml:3: etcd.a.urls: etcd URL: 'ftp://x'"),
                  "a.toml:4: etcd.a.cert: needs key as well",
                  HasSubstr("a.toml:6: service.web.listen: '80' has no port"),
                  "a.toml:7: service.web.hold: '3' needs a unit: ms, s or m, as in hold = \"3s\"",
                  "a.toml:9: register.x.ttl: etcd takes whole seconds, at least one"));
}

TEST_F(ConfigurationMistakes, ProxyHeadersThatAnyoneMayWriteAreTold) {
  EXPECT_THAT(mistakes_in(in_service("proxy_protocol = \"accept\"")),
              ElementsAre(HasSubstr("service.web.proxy_protocol: needs proxy_trusted as well")));
  EXPECT_THAT(mistakes_in(in_service("proxy_trusted = [\"10.0.0.1/8\"]")),
              ElementsAre("a.toml:5: service.web.proxy_trusted: '10.0.0.1/8' has bits behind its "
                          "prefix: did you mean 10.0.0.0/8?"));
  EXPECT_THAT(mistakes_in(in_service("proxy_protocol = \"require\"\nproxy_trusted = \"::1\"")),
              ElementsAre());
}

TEST_F(ConfigurationMistakes, AValueOfTheWrongKindIsTold) {
  EXPECT_THAT(mistakes_in(in_service("retries = \"3\"")),
              ElementsAre("a.toml:5: service.web.retries: takes a whole number, without quotes"));
  EXPECT_THAT(mistakes_in(in_service("hold = 3")),
              ElementsAre("a.toml:5: service.web.hold: takes a text, in quotes"));
  EXPECT_THAT(mistakes_in(in_service("hold = \"\\u0000\"")),
              ElementsAre("a.toml:5: service.web.hold: has a control character"));
  EXPECT_THAT(mistakes_in(in_service("endpoints = [{weight = 1}]")),
              ElementsAre("a.toml:5: service.web.endpoints: an endpoint has no address"));
  EXPECT_THAT(mistakes_in(in_service("policy = \"random\"")),
              ElementsAre("a.toml:5: service.web.policy: 'random' is none of round_robin, "
                          "least_connections, random_two, source, first"));
  EXPECT_THAT(mistakes_in(with("[docker.a]\nignore_health = \"yes\"")),
              ElementsAre("a.toml:2: docker.a.ignore_health: takes true or false, without quotes"));
  EXPECT_THAT(mistakes_in(with("service = 3").substr(0, 12)),
              ElementsAre(HasSubstr("[service.NAME]")));
}

TEST_F(ConfigurationMistakes, WhatIsReferredToMustBeThere) {
  const std::string etcds = "[etcd.main]\n[etcd.other]\n[service.web]\nlisten = \":1\"\n";
  EXPECT_THAT(mistakes_in(etcds + "source = \"etcd.mian\"\n"),
              ElementsAre("a.toml:5: service.web.source: there is no [etcd.mian]; did you mean "
                          "'main'?"));
  EXPECT_THAT(mistakes_in(etcds + "source = \"consul\"\n"),
              ElementsAre("a.toml:5: service.web.source: 'consul' is neither etcd.NAME nor "
                          "docker.NAME"));
  EXPECT_THAT(mistakes_in(etcds), ElementsAre(HasSubstr("there are several")));
  EXPECT_THAT(
      mistakes_in("[service.web]\nlisten = \":1\"\n"),
      ElementsAre(HasSubstr("a.toml:1: service.web: needs source, forward, srv or endpoints")));
  EXPECT_THAT(mistakes_in("[register.x]\n"),
              ElementsAre("a.toml:1: register.x: needs etcd = \"NAME\": there is none"));
  EXPECT_THAT(mistakes_in("[etcd.e]\n[register.x]\ncontainer = \"c\"\n"),
              ElementsAre("a.toml:2: register.x: container, port and service belong together"));
}

TEST_F(ConfigurationMistakes, WhatStandsTwiceIsToldWithBothPlaces) {
  EXPECT_THAT(mistakes_in(with("") + "[service.b]\nlisten = \":1\"\nforward = \"a:1\"\n"),
              ElementsAre(testing::AllOf(HasSubstr("a.toml:6: service.b.listen: "),
                                         HasSubstr(":1 is taken in a.toml:3 (service.web)"))));
  write("more.toml", "\n[service.web]\nlisten = \":2\"\nforward = \"a:1\"\n");
  EXPECT_THAT(mistakes_in(with("include = \"more.toml\"")),
              ElementsAre("more.toml:2: service.web: stands in a.toml:2 as well"));
}

TEST_F(ConfigurationMistakes, NamesThatNoServiceCanHaveAreRefused) {
  EXPECT_THAT(mistakes_in("[service.\"a/../b\"]\nlisten = \":1\"\nforward = \"a:1\"\n"),
              ElementsAre("a.toml:1: service.\"a/../b\": cannot name a service: it has a part that "
                          "is . or .."));
}

TEST_F(ConfigurationMistakes, AnIncludedFileHasNoSettingsOfTheProcess) {
  write("more.toml", "engine = \"copy\"\ninclude = \"a.toml\"\n[defaults]\n[servic.x]\n");
  const auto found = mistakes_in(with("include = [\"more.toml\", \"nosuch.toml\", \"none*\"]"));
  EXPECT_THAT(
      found,
      ElementsAre("a.toml:1: include: nosuch.toml: no such file",
                  "more.toml:1: engine: can stand in a.toml only, which includes this file",
                  "more.toml:2: include: can stand in a.toml only, which includes this file",
                  "more.toml:3: defaults: can stand in a.toml only, which includes this file",
                  "more.toml:4: servic: unknown key; did you mean 'service'?"));
}

TEST_F(ConfigurationMistakes, AFileThatIncludesItselfIsToldSo) {
  EXPECT_THAT(mistakes_in(with("include = \"*.toml\"")),
              ElementsAre("a.toml:1: include: a.toml is read already"));
}

TEST_F(ConfigurationMistakes, WhatIsNoFileOfTextIsToldSo) {
  EXPECT_THAT(mistakes(place.path() / "nosuch"),
              ElementsAre("nosuch: cannot be read: No such file or directory"));
  EXPECT_THAT(mistakes("/"), ElementsAre("/: cannot be read: it is a directory"));
  const auto fifo = place.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(mistakes(fifo), ElementsAre("fifo: cannot be read: it is not a regular file"));
  const auto huge = write("huge", "");
  std::filesystem::resize_file(huge, 1UL << 40U);
  EXPECT_THAT(mistakes(huge), ElementsAre("huge: more than 8 MiB"));
}

TEST_F(ConfigurationMistakes, RubbishIsOneMistakeOfItsLine) {
  const auto of_line_2 = [&](const std::string& text) {
    EXPECT_THAT(mistakes_in("\n" + text), ElementsAre(HasSubstr("a.toml:2: ")));
  };
  of_line_2("a = '\xff\xfe'");
  of_line_2("[service");
  of_line_2("a = 1 a");
  of_line_2("[.a]");
  of_line_2("a = a'\xc3\xa9'");
  of_line_2("\xc3\xa9 = 1");
  of_line_2("a = \"\"\"b\"\"\"");
  of_line_2(std::string("[\0\0a]", 5));
  constexpr std::size_t kMany = 200'000;
  std::string dotted;
  std::string quoted;
  for (std::size_t i = 0; i < kMany; ++i) {
    dotted += "a.";
    quoted += "\"=\".";
  }
  of_line_2(dotted + "a = 1");
  of_line_2("[" + quoted + "a]");
  of_line_2("a = " + std::string(kMany, '['));
}

TEST_F(ConfigurationMistakes, AFileThatAsksForNothingIsToldSo) {
  const auto* const said =
      "a.toml: neither a service nor a registration: add a table [service.NAME] or [register.NAME]";
  EXPECT_THAT(mistakes_in(""), ElementsAre(said));
  write("0.toml", "");
  EXPECT_THAT(mistakes_in("include = \"0.toml\""), ElementsAre(said));
}

}  // namespace
}  // namespace ambbpf::test
