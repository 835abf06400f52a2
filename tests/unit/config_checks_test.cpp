// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config_files.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConfigurationOfChecks : public ConfigurationFiles {
 protected:
  static std::string with(const std::string& lines) {
    return "[service.a]\nlisten = \":1\"\nendpoints = [\"10.0.0.1:1\"]\n" + lines;
  }
  CheckSettings check(const std::string& lines) const {
    return load(with(lines)).services.at(0).check;
  }
};

TEST_F(ConfigurationOfChecks, ThereAreNoneUnlessAsked) {
  EXPECT_EQ(check(""), CheckSettings());
  EXPECT_EQ(check("check = \"off\"\n").kind, CheckKind::kNone);
}

TEST_F(ConfigurationOfChecks, HaveAllThatTheyAreTold) {
  const auto http = check(
      "check = \"https\"\ncheck_interval = \"5s\"\ncheck_timeout = \"250ms\"\ncheck_rise = 1\n"
      "check_fall = 5\ncheck_port = 8081\ncheck_path = \"/health?full=1\"\n"
      "check_host = \"web.example:443\"\ncheck_status = \"200-204\"\ncheck_body = \"fine\"\n"
      "check_verify = false\ncheck_ca = \"/dev/null\"\n");
  EXPECT_EQ(http.kind, CheckKind::kHttps);
  EXPECT_EQ(http.interval, 5s);
  EXPECT_EQ(http.timeout, 250ms);
  EXPECT_EQ(http.rise, 1U);
  EXPECT_EQ(http.fall, 5U);
  EXPECT_EQ(http.port, 8081);
  EXPECT_EQ(http.path, "/health?full=1");
  EXPECT_EQ(http.host, "web.example:443");
  EXPECT_EQ(http.least_status, 200U);
  EXPECT_EQ(http.most_status, 204U);
  EXPECT_EQ(http.body, "fine");
  EXPECT_FALSE(http.verify);
  EXPECT_EQ(http.ca, "/dev/null");
  const auto text = check(
      "check = \"expect\"\ncheck_send = 'PING\\r\\n\\t\\\\'\ncheck_expect = \"+PONG\"\n"
      "check_status = \"204\"\n");
  EXPECT_EQ(text.kind, CheckKind::kExpect);
  EXPECT_EQ(text.send, "PING\r\n\t\\");
  EXPECT_EQ(text.expect, "+PONG");
  EXPECT_EQ(text.least_status, 204U);
  EXPECT_EQ(text.most_status, 204U);
}

TEST_F(ConfigurationOfChecks, RefusesWhatCannotBe) {
  for (const std::string line :
       {"check = \"icmp\"", "check_interval = \"99ms\"", "check_timeout = \"0s\"", "check_rise = 0",
        "check_fall = 0", "check_port = 65536", "check_path = \"health\"", "check_path = \"/a b\"",
        "check_path = \"/a\\r\\nHost: b\"", "check_host = \"a/b\"", "check_host = \"a\\r\\nb\"",
        "check_status = \"399-200\"", "check_status = \"2xx\"", "check_send = 'a\\q'",
        "check_send = 'a\\'", "check_status = \"20-30\"", "check_status = \"200-\"",
        "check_status = \"200-600\""})
    EXPECT_THAT(mistakes_in(with(line + "\n")), ElementsAre(HasSubstr("a.toml:4: service.a.check")))
        << line;
}

TEST_F(ConfigurationOfChecks, RefusesWhatCannotWorkTogether) {
  EXPECT_THAT(mistakes_in(with("check = \"expect\"\n")),
              ElementsAre(HasSubstr("needs check_expect as well")));
  EXPECT_THAT(mistakes_in(with("check = \"https\"\ncheck_ca = \"/nosuch.pem\"\n")),
              ElementsAre(HasSubstr("check_ca: /nosuch.pem: No such file or directory")));
  for (const std::string kind : {"http", "https", "tls"}) {
    const auto lines = "send_proxy = \"v2\"\ncheck = \"" + kind + "\"\n";
    EXPECT_THAT(mistakes_in(with(lines)),
                ElementsAre(HasSubstr("can send a PROXY header of version 1 only")));
    EXPECT_EQ(check(lines + "check_port = 81\n").port, 81) << "which has no such header";
  }
  EXPECT_EQ(check("send_proxy = \"v1\"\ncheck = \"http\"\n").kind, CheckKind::kHttp);
  EXPECT_EQ(check("send_proxy = \"v2\"\ncheck = \"tcp\"\n").kind, CheckKind::kTcp);
}

}  // namespace
}  // namespace ambbpf::test
