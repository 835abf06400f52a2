// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/program.h"
#include "tests/unit/command_lines.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

TEST(Options, ProxyServesEachServiceOnItsPort) {
  const auto services =
      parsed<ProxyOptions>({"proxy", "web", "8080", "db/main", "5432"}).settings.services;
  ASSERT_EQ(services.size(), 2U);
  EXPECT_EQ(services[0].name, "web");
  EXPECT_EQ(services[0].listen.at(0).port(), 8080);
  EXPECT_TRUE(services[0].listen[0].address().is_unspecified());
  EXPECT_EQ(services[1].name, "db/main");
  EXPECT_EQ(services[1].listen.at(0).port(), 5432);
}

TEST(Options, AServiceThatIsNamedAgainIsServedOnOneMorePort) {
  const auto services =
      parsed<ProxyOptions>({"proxy", "web", "8080", "web", "8081"}).settings.services;
  ASSERT_EQ(services.size(), 1U);
  ASSERT_EQ(services[0].listen.size(), 2U);
  EXPECT_EQ(services[0].listen[1].port(), 8081);
}

TEST(Options, ProxyTakesAnyNumberOfServices) {
  std::vector<std::string> words;
  for (int i = 1; i <= 1000; ++i)
    words.insert(words.end(), {"s" + std::to_string(i), std::to_string(i)});
  std::vector<const char*> given{"proxy"};
  for (const auto& word : words) given.push_back(word.c_str());
  EXPECT_EQ(parsed<ProxyOptions>(given).settings.services.size(), 1000U);
}

TEST(Options, DefaultsAreThoseOfTheManual) {
  const auto options = parsed<ProxyOptions>({"proxy", "web", "8080"});
  EXPECT_EQ(options.settings.etcds.at(0).options.prefix, "/services");
  EXPECT_EQ(options.settings.etcds.at(0).api, EtcdApi::kAuto);
  EXPECT_EQ(options.settings.process.engine, std::nullopt);
  EXPECT_EQ(options.settings.process.threads, std::nullopt);
  EXPECT_EQ(options.settings.services.at(0).dial.connect_timeout, 1s);
  EXPECT_EQ(options.settings.services.at(0).dial.retries, 3U);
  EXPECT_EQ(options.settings.services.at(0).dial.hold, 3s);
  EXPECT_EQ(options.settings.process.drain, 5s);
  EXPECT_EQ(options.settings.services.at(0).keepalive.longest, 30s);
  EXPECT_EQ(options.settings.etcds.at(0).options.urls,
            (std::vector<std::string>{"http://172.17.42.1:4001", "http://127.0.0.1:2379"}));
}

TEST(Options, EverythingCanBeSet) {
  const auto options = parsed<ProxyOptions>({"proxy",
                                             "web",
                                             "80",
                                             "--etcd",
                                             "http://127.0.0.1:1,http://[::1]:2",
                                             "--etcd-api",
                                             "v2",
                                             "--prefix",
                                             "/a/b/",
                                             "--listen",
                                             "127.0.0.2",
                                             "--engine",
                                             "splice",
                                             "--threads",
                                             "3",
                                             "--connect-timeout",
                                             "250ms",
                                             "--retries",
                                             "0",
                                             "--hold",
                                             "1m",
                                             "--drain",
                                             "0s",
                                             "--peer-timeout",
                                             "5m",
                                             "--admin",
                                             "/tmp/a.sock",
                                             "--log-level",
                                             "debug"});
  EXPECT_EQ(options.settings.etcds.at(0).options.urls,
            (std::vector<std::string>{"http://127.0.0.1:1", "http://[::1]:2"}));
  EXPECT_EQ(options.settings.etcds.at(0).api, EtcdApi::kV2);
  EXPECT_EQ(options.settings.etcds.at(0).options.prefix, "/a/b");
  EXPECT_EQ(to_string(options.settings.services.at(0).listen.at(0)), "127.0.0.2:80");
  EXPECT_EQ(options.settings.process.engine, Engine::kSplice);
  EXPECT_EQ(options.settings.process.threads, 3U);
  EXPECT_EQ(options.settings.services.at(0).dial.connect_timeout, 250ms);
  EXPECT_EQ(options.settings.services.at(0).dial.retries, 0U);
  EXPECT_EQ(options.settings.services.at(0).dial.hold, 60s);
  EXPECT_EQ(options.settings.process.drain, 0s);
  EXPECT_EQ(options.settings.services.at(0).keepalive.longest, 5min);
  EXPECT_EQ(options.settings.process.admin, "/tmp/a.sock");
  EXPECT_EQ(options.settings.process.log_level, "debug");
}

TEST(Options, EnvironmentTwinsAreReadAndTheCommandLineWins) {
  const Environment engine("AMBBPF_ENGINE", "copy");
  const Environment retries("AMBBPF_RETRIES", "7");
  const Environment etcd("AMBBPF_ETCD", "http://127.0.0.1:9");
  const Environment peer_timeout("AMBBPF_PEER_TIMEOUT", "7s");
  const auto options = parsed<ProxyOptions>({"proxy", "web", "80", "--retries", "1"});
  EXPECT_EQ(options.settings.process.engine, Engine::kCopy);
  EXPECT_EQ(options.settings.services.at(0).dial.retries, 1U);
  EXPECT_EQ(options.settings.services.at(0).keepalive.longest, 7s);
  EXPECT_EQ(options.settings.etcds.at(0).options.urls,
            std::vector<std::string>{"http://127.0.0.1:9"});
}

std::string message_of(const std::vector<const char*>& words) {
  const auto command = parse(words);
  return command ? "accepted" : command.error().message();
}

TEST(Options, DirectIsAFlagThatMayHaveAValue) {
  const auto mode = [](std::vector<const char*> more) {
    more.insert(more.begin(), {"proxy", "web", "80"});
    return parsed<ProxyOptions>(more).settings.services[0].direct;
  };
  EXPECT_EQ(mode({}), DirectMode::kOff);
  EXPECT_EQ(mode({"--direct"}), DirectMode::kOn);
  EXPECT_EQ(mode({"--direct=auto"}), DirectMode::kAuto);
  const Environment twin("AMBBPF_DIRECT", "auto");
  EXPECT_EQ(mode({}), DirectMode::kAuto);
  EXPECT_EQ(mode({"--direct=false"}), DirectMode::kOff);
}

TEST(Options, EtcdIsConvincedByFilesAndAUser) {
  const TemporaryDirectory place;
  const auto file = (place.path() / "file").string();
  std::ofstream(file) << "two words\n\n";
  const auto options = parsed<ProxyOptions>(
      {"proxy", "web", "80", "--etcd-ca", file.c_str(), "--etcd-cert", file.c_str(), "--etcd-key",
       file.c_str(), "--etcd-user", "amb", "--etcd-password-file", file.c_str()});
  EXPECT_EQ(options.settings.etcds.at(0).access.ca, file);
  EXPECT_EQ(options.settings.etcds.at(0).access.certificate, file);
  EXPECT_EQ(options.settings.etcds.at(0).access.key, file);
  ASSERT_TRUE(options.settings.etcds.at(0).user);
  EXPECT_EQ(options.settings.etcds.at(0).user->name, "amb");
  EXPECT_EQ(options.settings.etcds.at(0).user->password, "two words\n")
      << "one newline is not the password's";
}

TEST(Options, PasswordOfEtcdIsInTheEnvironmentOrInAFile) {
  const TemporaryDirectory place;
  const auto file = (place.path() / "file").string();
  std::ofstream(file) << "filed";
  const Environment user("AMBBPF_ETCD_USER", "amb");
  const Environment password("AMBBPF_ETCD_PASSWORD", "told");
  EXPECT_EQ(parsed<ProxyOptions>({"proxy", "web", "80"}).settings.etcds.at(0).user->password,
            "told");
  const Environment password_file("AMBBPF_ETCD_PASSWORD_FILE", file.c_str());
  EXPECT_EQ(parsed<ProxyOptions>({"proxy", "web", "80"}).settings.etcds.at(0).user->password,
            "filed");
}

TEST(Options, EtcdIsAnonymousByDefault) {
  const Environment user("AMBBPF_ETCD_USER", "");
  const auto options = parsed<ProxyOptions>({"proxy", "web", "80"});
  EXPECT_FALSE(options.settings.etcds.at(0).user);
  EXPECT_EQ(options.settings.etcds.at(0).access.ca, "");
}

TEST(Options, WhatCannotConvinceEtcdIsRefusedAtTheStart) {
  const auto with = [](std::vector<const char*> more) {
    more.insert(more.begin(), {"proxy", "web", "80"});
    return message_of(more);
  };
  const std::string missing = ": /nosuch: No such file or directory";
  EXPECT_EQ(with({"--etcd-ca", "/nosuch"}), "--etcd-ca" + missing);
  EXPECT_EQ(with({"--etcd-ca", "/"}), "--etcd-ca: /: Is a directory");
  EXPECT_EQ(with({"--etcd-cert", "/nosuch", "--etcd-key", "/dev/null"}), "--etcd-cert" + missing);
  EXPECT_EQ(with({"--etcd-cert", "/dev/null", "--etcd-key", "/nosuch"}), "--etcd-key" + missing);
  EXPECT_EQ(with({"--etcd-cert", "/dev/null"}), "--etcd-cert: needs --etcd-key as well");
  EXPECT_EQ(with({"--etcd-key", "/dev/null"}), "--etcd-key: needs --etcd-cert as well");
  EXPECT_EQ(with({"--etcd-user", "amb"}),
            "--etcd-user: needs --etcd-password-file, or AMBBPF_ETCD_PASSWORD set");
  const auto file = [&](const char* name) {
    return with({"--etcd-user", "amb", "--etcd-password-file", name});
  };
  EXPECT_EQ(file("/nosuch"), "--etcd-password-file" + missing);
  EXPECT_EQ(file("/dev/null"), "--etcd-password-file: /dev/null: holds no password");
  EXPECT_EQ(file("/dev/zero"), "--etcd-password-file: /dev/zero: more than 4096 bytes");
  EXPECT_EQ(with({"--etcd-password-file", "/dev/null"}), "a password for etcd without --etcd-user");
}

TEST(Options, DockersLinkNamesTheEtcd) {
  const Environment address("ETCD_PORT_10000_TCP_ADDR", "127.0.0.7");
  const Environment port("ETCD_PORT_10000_TCP_PORT", "10001");
  const auto options = parsed<ProxyOptions>({"proxy", "web", "80"});
  EXPECT_EQ(options.settings.etcds.at(0).options.urls,
            std::vector<std::string>{"http://127.0.0.7:10001"});
}

TEST(Options, ForwardListensOnTheOldPortByDefault) {
  const auto options = parsed<ForwardOptions>({"forward", "db.example:5432"});
  EXPECT_EQ(options.settings.services.at(0).sources.forward.at(0).host, "db.example");
  EXPECT_EQ(options.settings.services.at(0).sources.forward.at(0).port, 5432);
  EXPECT_EQ(options.settings.services.at(0).listen.at(0).port(), 10000);
}

TEST(Options, ForwardTakesItsTargetFromTheEnvironment) {
  const Environment target("FORWARD_ADDR", "[::1]:81");
  const auto options = parsed<ForwardOptions>({"forward", "--listen", "[::1]:82"});
  EXPECT_EQ(options.settings.services.at(0).sources.forward.at(0).host, "::1");
  EXPECT_EQ(options.settings.services.at(0).sources.forward.at(0).port, 81);
  EXPECT_EQ(to_string(options.settings.services.at(0).listen.at(0)), "[::1]:82");
  EXPECT_EQ(parsed<ForwardOptions>({"forward", "other:83"})
                .settings.services.at(0)
                .sources.forward.at(0)
                .host,
            "other");
}

TEST(Options, StatusHasThreeForms) {
  using Form = StatusOptions::Form;
  EXPECT_EQ(parsed<StatusOptions>({"status"}).form, Form::kText);
  EXPECT_EQ(parsed<StatusOptions>({"status", "--json"}).form, Form::kJson);
  const auto ready = parsed<StatusOptions>({"status", "--ready", "--admin", "/a.sock"});
  EXPECT_EQ(ready.form, Form::kReady);
  EXPECT_EQ(ready.admin, "/a.sock");
}

TEST(Options, StatusIsWatchedAtTheGivenPace) {
  EXPECT_FALSE(parsed<StatusOptions>({"status"}).watch);
  EXPECT_EQ(parsed<StatusOptions>({"status", "--watch"}).watch, 2s);
  EXPECT_EQ(parsed<StatusOptions>({"status", "--watch", "0.5"}).watch, 500ms);
  const auto both = parsed<StatusOptions>({"status", "--watch", "--admin", "/a.sock"});
  EXPECT_EQ(both.watch, 2s);
  EXPECT_EQ(both.admin, "/a.sock");
}

TEST(Options, OfConnectionsSayWhichAndHowMany) {
  const auto usual = parsed<ConnectionsOptions>({"connections"});
  EXPECT_EQ(usual.service, "");
  EXPECT_EQ(usual.sort, "bytes");
  EXPECT_EQ(usual.limit, 100U);
  EXPECT_FALSE(usual.json);
  const auto given =
      parsed<ConnectionsOptions>({"connections", "--service", "team/db", "--sort", "rate",
                                  "--limit", "7", "--json", "--admin", "/a"});
  EXPECT_EQ(given.service, "team/db");
  EXPECT_EQ(given.sort, "rate");
  EXPECT_EQ(given.limit, 7U);
  EXPECT_TRUE(given.json);
  EXPECT_EQ(given.admin, "/a");
}

struct Wrong {
  std::vector<const char*> words;
  const char* named;  // what the message must name
};

class WrongCommandLine : public testing::TestWithParam<Wrong> {};

TEST_P(WrongCommandLine, IsRefusedInOneLineThatNamesIt) {
  const auto command = parse(GetParam().words);
  ASSERT_FALSE(command);
  const auto message = command.error().message();
  EXPECT_NE(message.find(GetParam().named), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongCommandLine,
    testing::Values(
        Wrong{{},
              "proxy, forward, register, run, check, reload, status, connections, events, why, "
              "drain, enable, reset, set, doctor, cleanup, reference or version"},
        Wrong{{"dance"}, "dance"}, Wrong{{"proxy"}, "SERVICE"}, Wrong{{"proxy", "web"}, "SERVICE"},
        Wrong{{"proxy", "web", "80", "db"}, "db"}, Wrong{{"proxy", "web", "0"}, "'0'"},
        Wrong{{"proxy", "web", "65536"}, "65536"}, Wrong{{"proxy", "web", "-1"}, "-1"},
        Wrong{{"proxy", "web", "http"}, "http"}, Wrong{{"proxy", "web", "80x"}, "80x"},
        Wrong{{"proxy", "", "80"}, "SERVICE ''"}, Wrong{{"proxy", "/web", "80"}, "/web"},
        Wrong{{"proxy", "a//b", "80"}, "a//b"}, Wrong{{"proxy", "a\nb", "80"}, "SERVICE"},
        Wrong{{"proxy", "web", "80", "db", "80"}, "80"},
        Wrong{{"proxy", "web", "80", "--listen", "localhost"}, "localhost"},
        Wrong{{"proxy", "web", "80", "--listen", "127.0.0.1:80"}, "127.0.0.1:80"},
        Wrong{{"proxy", "web", "80", "--etcd", "ftp://x"}, "ftp"},
        Wrong{{"proxy", "web", "80", "--etcd", "http://"}, "--etcd"},
        Wrong{{"proxy", "web", "80", "--etcd", "http://h:99999"}, "99999"},
        Wrong{{"proxy", "web", "80", "--etcd-api", "v4"}, "v4"},
        Wrong{{"proxy", "web", "80", "--prefix", "services"}, "services"},
        Wrong{{"proxy", "web", "80", "--prefix", "a\nb"}, "--prefix"},
        Wrong{{"proxy", "web", "80", "--engine", "warp"}, "warp"},
        Wrong{{"proxy", "web", "80", "--threads", "0"}, "--threads"},
        Wrong{{"proxy", "web", "80", "--threads", "9999"}, "9999"},
        Wrong{{"proxy", "web", "80", "--connect-timeout", "1"}, "--connect-timeout"},
        Wrong{{"proxy", "web", "80", "--connect-timeout", "0s"}, "--connect-timeout"},
        Wrong{{"proxy", "web", "80", "--connect-timeout", "1 day"}, "--connect-timeout"},
        Wrong{{"proxy", "web", "80", "--hold", "-1s"}, "--hold"},
        Wrong{{"proxy", "web", "80", "--peer-timeout", "4999ms"}, "--peer-timeout"},
        Wrong{{"forward", "host:80", "--peer-timeout", "6m"}, "--peer-timeout"},
        Wrong{{"proxy", "web", "80", "--retries", "many"}, "many"},
        Wrong{{"proxy", "web", "80", "--log-level", "loud"}, "loud"},
        Wrong{{"proxy", "web", "80", "--wrong"}, "--wrong"}, Wrong{{"forward"}, "FORWARD_ADDR"},
        Wrong{{"forward", "host"}, "host"}, Wrong{{"forward", "host:0"}, "port 0"},
        Wrong{{"forward", "host:1", "other:2"}, "other:2"}, Wrong{{"forward", "[::1:80"}, "[::1"},
        Wrong{{"forward", "ho st:80"}, "ho st"},
        Wrong{{"forward", "host:80", "--listen", "80"}, "--listen"},
        Wrong{{"status", "--port", "1"}, "--port"},
        Wrong{{"status", "--ready", "--json"}, "--json"},
        Wrong{{"status", "--watch", "--json"}, "--json"},
        Wrong{{"status", "--watch", "--ready"}, "--ready"},
        Wrong{{"status", "--watch", "0"}, "--watch"}, Wrong{{"status", "--watch", "2s"}, "'2s'"},
        Wrong{{"status", "--watch", "nan"}, "--watch"},
        Wrong{{"connections", "--sort", "name"}, "'name'"},
        Wrong{{"connections", "--limit", "10001"}, "'10001'"},
        Wrong{{"connections", "--limit", "-1"}, "'-1'"}, Wrong{{"why"}, "SERVICE"},
        Wrong{{"why", "web", "db"}, "db"}, Wrong{{"events", "web"}, "web"},
        Wrong{{"drain"}, "SERVICE"}, Wrong{{"set", "weight", "web", "web-1"}, "N"},
        Wrong{{"set", "weight", "web", "web-1", "1001"}, "'1001'"},
        Wrong{{"set", "weight", "web", "web-1", "-1"}, "-1"},
        Wrong{{"set", "speed", "web", "web-1", "1"}, "'speed'"}));

TEST(Options, WhatIsMistypedIsAnsweredWithWhatIsMeant) {
  EXPECT_EQ(message_of({"proxi", "web", "80"}), "unknown command 'proxi'; did you mean 'proxy'?");
  EXPECT_EQ(message_of({"web", "80"}),
            "unknown command 'web'; there are proxy, forward, register, run, check, reload, "
            "status, connections, events, why, drain, enable, reset, set, doctor, cleanup, "
            "reference, version");
  EXPECT_EQ(message_of({"proxy", "web", "80", "--hodl", "3s"}),
            "proxy has no option '--hodl'; did you mean '--hold'?");
  EXPECT_EQ(message_of({"status", "--redy=1"}),
            "status has no option '--redy=1'; did you mean "
            "'--ready'?");
  EXPECT_EQ(message_of({"status", "--port", "1"}),
            "status has no option '--port'; --help shows those that there are");
  EXPECT_EQ(message_of({"forward", "host:1", "other:2"}),
            "forward: 'other:2' is one argument too many");
}

TEST(Options, AValueOfTheWrongFormIsAnsweredWithTheRightOne) {
  EXPECT_EQ(message_of({"proxy", "web"}),
            "SERVICE 'web' has no PORT: they come in pairs, as in web 8080");
  EXPECT_EQ(message_of({"proxy"}), "SERVICE and PORT are missing, as in: ambbpf proxy web 8080");
  EXPECT_EQ(message_of({"proxy", "web", "80", "--hold", "3"}),
            "--hold: '3' needs a unit: ms, s or m, as in --hold 3s");
  EXPECT_EQ(message_of({"proxy", "web", "80", "--hold", "3h"}),
            "--hold: '3h' has the unit 'h'; there are ms, s and m");
  EXPECT_EQ(message_of({"proxy", "web", "80", "--hold", "1441m"}),
            "--hold: '1441m' is more than a day");
  EXPECT_EQ(message_of({"proxy", "web", "80", "--hold"}), "--hold: its value is missing");
  EXPECT_EQ(message_of({"proxy", "web", "80", "--listen", "9000"}),
            "--listen: '9000' is not an IPv4 or IPv6 address, as in --listen 127.0.0.1; the ports "
            "stand behind the services");
  EXPECT_EQ(message_of({"forward", "host:80", "--listen", "9000"}),
            "--listen: '9000' has no port; it takes ADDRESS:PORT, as in 127.0.0.1:8080, or "
            "0.0.0.0:8080 for every address");
}

TEST(Options, WhatTheEnvironmentHasWrongIsNamedByItsVariable) {
  const auto with = [](const char* name, const char* value) {
    const Environment wrong(name, value);
    return message_of({"proxy", "web", "80"});
  };
  EXPECT_EQ(with("AMBBPF_THREADS", "abc"), "AMBBPF_THREADS: 'abc' is not a number from 1 to 256");
  EXPECT_EQ(with("AMBBPF_PEER_TIMEOUT", "1s"), "AMBBPF_PEER_TIMEOUT: must be from 5s to 5m");
  EXPECT_EQ(with("AMBBPF_IGNORE_HEALTH", "x"),
            "AMBBPF_IGNORE_HEALTH: 'x' is neither true nor false");
  const Environment right("AMBBPF_THREADS", "2");
  EXPECT_EQ(message_of({"proxy", "web", "80", "--threads=x"}),
            "--threads: 'x' is not a number from 1 to 256");
  const Environment target("FORWARD_ADDR", "host");
  EXPECT_EQ(message_of({"forward"}), "FORWARD_ADDR: 'host' is not HOST:PORT");
  EXPECT_EQ(message_of({"forward", "other"}), "HOST:PORT: 'other' is not HOST:PORT");
}

TEST(Options, NamesThatNoServiceCanHaveAreRefused) {
  EXPECT_EQ(message_of({"proxy", "..", "80"}),
            "SERVICE '..' cannot name a service: it has a part that is . or ..");
  EXPECT_EQ(message_of({"proxy", "a/./b", "80"}),
            "SERVICE 'a/./b' cannot name a service: it has a part that is . or ..");
  EXPECT_EQ(message_of({"register", "web-1", "80", "team/_db"}),
            "SERVICE 'team/_db' cannot name a service: it has a part that begins with _, which "
            "etcd hides");
}

TEST(Options, HelpIsWrittenForPeople) {
  const auto help = parsed<Printed>({"proxy", "--help"}).text;
  for (const auto* part : {"Usage: ambbpf proxy [OPTION...] SERVICE PORT [SERVICE PORT...]\n",
                           "--hold TIME  ", "(default: 3s)", "[AMBBPF_HOLD]",
                           "--etcd-api auto|v2|v3 ", "Examples:\n  ambbpf proxy web 8080"})
    EXPECT_NE(help.find(part), std::string::npos) << part << " in\n" << help;
  for (const auto* part : {"UINT", "TEXT", "(2x)", "Env:"})
    EXPECT_EQ(help.find(part), std::string::npos) << part << " in\n" << help;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  for (const auto* verb : {"forward", "register", "status", "doctor"})
    EXPECT_NE(parsed<Printed>({verb, "--help"}).text.find("\n  ambbpf "), std::string::npos)
        << verb;
}

TEST(Options, HelpAndVersionArePrinted) {
  EXPECT_NE(parsed<Printed>({"--help"}).text.find("proxy"), std::string::npos);
  EXPECT_NE(parsed<Printed>({"proxy", "--help"}).text.find("--etcd-api"), std::string::npos);
  EXPECT_EQ(parsed<Printed>({"--version"}).text, "ambbpf " AMBBPF_VERSION "\n");
}

}  // namespace
}  // namespace ambbpf::test
