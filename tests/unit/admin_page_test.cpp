// SPDX-License-Identifier: Apache-2.0
// The status page as it is served; tools/test-page looks at it in a browser.
#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>

#include "tests/unit/admin_fixture.h"
#include "userspace/admin/server.h"
#include "userspace/proxy/listen.h"

namespace ambbpf {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class StatusPage : public testing::Test {
 protected:
  std::string page() const {
    const auto answer = get(socket_, "/");
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }
  std::string between(const std::string& begin, const std::string& end) const {
    const auto whole = page();
    const auto from = whole.find(begin) + begin.size();
    return whole.substr(from, whole.find(end, from) - from);
  }
  // As Content-Security-Policy has it; by another hand than the one that made the policy.
  std::string hash_of(const std::string& text) const {
    const auto file = directory_ / "hashed";
    std::ofstream(file) << text;
    const auto command = "openssl dgst -sha256 -binary " + file.string() + " | openssl base64 -A";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                               ::pclose);
    std::array<char, 64> base64{};
    EXPECT_NE(std::fgets(base64.data(), base64.size(), pipe.get()), nullptr) << command;
    return "'sha256-" + std::string(base64.data()) + "'";
  }

  TemporaryDirectory directory_;
  std::filesystem::path socket_ = directory_ / "test.sock";
  ServingProcess process_{socket_, answers("{}")};
};

TEST_F(StatusPage, IsServedAlikeByTcp) {
  auto listening = listen_on({asio::ip::address_v4::loopback(), 0}, 1);
  ASSERT_TRUE(listening) << listening.error().message();
  ServingProcess by_network(std::move(listening->sockets.front()), {}, answers("{}"));
  const auto ask_for = [&](const std::string& host) {
    return RawClient(listening->address).ask("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  };
  EXPECT_EQ(ask_for("127.0.0.1"), get(socket_, "/"));
  EXPECT_THAT(ask_for("rebound.example"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(StatusPage, IsToBeReadOnly) {
  EXPECT_THAT(RawClient(socket_).ask("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n")));
  EXPECT_THAT(RawClient(socket_).ask("POST / HTTP/1.1\r\nHost: x\r\n\r\n"),
              StartsWith("HTTP/1.1 405 "));
}

TEST_F(StatusPage, TellsTheBrowserToTrustNothingElse) {
  const auto answer = get(socket_, "/");
  for (const auto* field :
       {"Content-Type: text/html; charset=utf-8\r\n", "X-Content-Type-Options: nosniff\r\n",
        "Referrer-Policy: no-referrer\r\n", "Cache-Control: no-store\r\n",
        "Content-Security-Policy: default-src 'none'; ", "; connect-src 'self'; ",
        "; frame-ancestors 'none'; ", "; base-uri 'none'; ", "; form-action 'none'; ",
        "; require-trusted-types-for 'script'\r\n"})
    EXPECT_THAT(answer, HasSubstr(field));
  EXPECT_THAT(get(socket_, "/status"), HasSubstr("X-Content-Type-Options: nosniff\r\n"));
}

TEST_F(StatusPage, RunsThatScriptAndHasThatStyleWhoseHashesAreTold) {
  const auto answer = get(socket_, "/");
  EXPECT_THAT(answer, HasSubstr("; script-src " + hash_of(between("<script>", "</script>")) + ";"));
  EXPECT_THAT(answer, HasSubstr("; style-src " + hash_of(between("<style>", "</style>")) + ";"));
}

TEST_F(StatusPage, NeedsNothingFromElsewhereAndMakesNoMarkupOfText) {
  const auto whole = page();
  for (const auto* forbidden :
       {"https:", " src=", "@import", "innerHTML", "outerHTML", "insertAdjacentHTML",
        "document.write", "eval(", " style=\"", " onclick=\""})
    EXPECT_THAT(whole, Not(HasSubstr(forbidden)));
  EXPECT_THAT(whole, EndsWith("</html>\n"));
}

}  // namespace
}  // namespace ambbpf
