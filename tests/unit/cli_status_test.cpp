// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sstream>

#include "tests/unit/admin_fixture.h"
#include "tests/unit/status_sample.h"
#include "userspace/cli/status.h"
#include "userspace/controller/report.h"
#include "userspace/endpoints/service.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

StatusReport report_of(std::uint64_t pid) {
  auto report = healthy_report();
  report.pid = pid;
  return report;
}

StatusReport degraded_report() {
  auto report = healthy_report();
  report.services[0].endpoints.clear();
  return report;
}

class StatusCommand : public testing::Test {
 protected:
  StatusCommand() {
    places_.system = directory_ / "run";
    places_.runtime = directory_ / "user";
    places_.temporary = directory_ / "tmp";
    fs::create_directory(places_.system);
    fs::create_directory(places_.runtime);
  }

  using Form = StatusOptions::Form;

  int run(Form form = Form::kText) { return ask({.admin = std::nullopt, .form = form}); }
  int run_at(const fs::path& socket, Form form = Form::kText) {
    return ask({.admin = socket, .form = form});
  }

  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  TemporaryDirectory directory_;
  AdminPlaces places_;

 private:
  int ask(const StatusOptions& options) {
    out_.str("");
    err_.str("");
    return run_status(options, places_, out_, err_);
  }

  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(StatusCommand, ShowsTheReportOfTheProcessAsked) {
  ServingProcess process(directory_ / "my.sock", answers(to_json(healthy_report())));
  EXPECT_EQ(run_at(directory_ / "my.sock"), kAllWell);
  EXPECT_EQ(out(), to_text(healthy_report()));
  EXPECT_THAT(err(), IsEmpty());
}

TEST_F(StatusCommand, ShowsAllProcessesOneAfterAnother) {
  ServingProcess first(places_.system / "proxy-1.sock", answers(to_json(report_of(1))));
  ServingProcess second(places_.runtime / "proxy-2.sock", answers(to_json(report_of(2))));
  EXPECT_EQ(run(), kAllWell);
  EXPECT_EQ(out(), to_text(report_of(1)) + "\n" + to_text(report_of(2)));
}

TEST_F(StatusCommand, WritesOneJsonDocumentWithWhatProcessesSaid) {
  ServingProcess first(places_.system / "proxy-1.sock", answers(R"({"pid":1,"future":[1,2]})"));
  ServingProcess second(places_.runtime / "proxy-2.sock", answers(R"({"pid":2})"));
  EXPECT_EQ(run(Form::kJson), kAllWell);
  EXPECT_EQ(out(), "{\"processes\":[{\"pid\":1,\"future\":[1,2]},{\"pid\":2}]}\n");
}

TEST_F(StatusCommand, ExitsWith1IfAnyProcessIsDegraded) {
  ServingProcess well(places_.system / "proxy-1.sock", answers(to_json(healthy_report())));
  ServingProcess ill(places_.system / "proxy-2.sock", answers(to_json(degraded_report())));
  EXPECT_EQ(run(), kDegraded);
  EXPECT_EQ(run(Form::kJson), kDegraded);
  EXPECT_EQ(run_at(places_.system / "proxy-1.sock"), kAllWell);
}

TEST_F(StatusCommand, SaysThatNothingRunsAndWhereItLooked) {
  leave_socket(places_.system / "proxy-1.sock");  // left over: not worth a word
  EXPECT_EQ(run(), kNothingRuns);
  EXPECT_THAT(out(), IsEmpty());
  EXPECT_EQ(
      err(),
      fmt::format("ambbpf: no ambassador or registrar is running (looked in {}, {}, {})\n",
                  places_.system.native(), places_.runtime.native(), places_.temporary.native()));
  EXPECT_EQ(run(Form::kJson), kNothingRuns);
  EXPECT_EQ(out(), "{\"processes\":[]}\n");
}

TEST_F(StatusCommand, PassesOverLeftoversAmongOthers) {
  leave_socket(places_.system / "proxy-1.sock");
  ServingProcess process(places_.system / "proxy-2.sock", answers(to_json(healthy_report())));
  EXPECT_EQ(run(), kAllWell);
  EXPECT_THAT(err(), IsEmpty());
}

TEST_F(StatusCommand, NamesALeftoverThatItWasAskedFor) {
  const auto socket = directory_ / "left.sock";
  leave_socket(socket);
  EXPECT_EQ(run_at(socket), kNothingRuns);
  EXPECT_EQ(err(), fmt::format("ambbpf: admin socket {}: nobody answers; its process is gone\n",
                               socket.native()));
}

TEST_F(StatusCommand, NamesASocketThatIsMissingOrNone) {
  EXPECT_EQ(run_at(directory_ / "x"), kNothingRuns);
  EXPECT_THAT(err(), HasSubstr("/x: no such file; nothing runs there\n"));
  EXPECT_EQ(run_at(places_.system), kNoAnswer);
  EXPECT_THAT(err(), HasSubstr("/run: is no socket\n"));
  EXPECT_EQ(run_at(directory_ / std::string(120, 'x'), Form::kJson), kNoAnswer);
  EXPECT_THAT(err(), HasSubstr("a socket's can have 107\n"));
  EXPECT_EQ(out(), "{\"processes\":[]}\n");
}

TEST_F(StatusCommand, ReportsTheOthersWhenOneAnswersNonsense) {
  ServingProcess mad(places_.system / "proxy-1.sock", answers("{\"pid\":\"\x1b[2J\"}"));
  ServingProcess well(places_.system / "proxy-2.sock", answers(to_json(healthy_report())));
  EXPECT_EQ(run(), kNoAnswer);
  EXPECT_EQ(out(), to_text(healthy_report()));
  EXPECT_EQ(err(), fmt::format("ambbpf: admin socket {}/proxy-1.sock: status report: no JSON\n",
                               places_.system.native()));
}

TEST_F(StatusCommand, SaysWhatIsWrongWithAReport) {
  ServingProcess process(places_.system / "proxy-1.sock", answers("{\"services\":7}"));
  EXPECT_EQ(run(), kNoAnswer);
  EXPECT_THAT(err(), HasSubstr("proxy-1.sock: status report: services is not an array\n"));
}

TEST_F(StatusCommand, DoesNotWaitForeverForAProcessThatHangs) {
  const auto stopped = bind_socket(places_.system / "proxy-1.sock", true);  // never accepts
  const auto start = Clock::now();
  EXPECT_EQ(run(), kNoAnswer);
  EXPECT_LT(Clock::now() - start, 5s);
  EXPECT_THAT(err(), HasSubstr("proxy-1.sock: "));
  EXPECT_THAT(err(), HasSubstr("timed out"));
}

std::vector<Endpoint> many_endpoints(std::uint32_t count) {
  std::vector<Endpoint> all;
  for (std::uint32_t i = 0; i < count; ++i) {
    const asio::ip::address_v4 address(0x0a000000 + i);
    all.push_back({tcp::endpoint(address, 80), fmt::format("/services/web/web-{}", i)});
  }
  return all;
}

TEST_F(StatusCommand, ShowsAServiceOfAHundredThousandEndpoints) {
  Service service("web");
  service.publish(service.add_source(), many_endpoints(100'000));
  auto report = healthy_report();
  report.services = {report_service(service, Clock::now())};
  ServingProcess process(places_.system / "proxy-1.sock", answers(to_json(report)));
  EXPECT_EQ(run(), kAllWell) << err();
  EXPECT_THAT(out(), HasSubstr("10.1.134.159:80"));
}

TEST_F(StatusCommand, SaysWhichProcessesAreReadyWithoutAskingForReports) {
  ServingProcess first(places_.system / "proxy-1.sock", answers("no report"));
  ServingProcess second(places_.system / "proxy-2.sock", answers("no report"));
  EXPECT_EQ(run(Form::kReady), kAllWell);
  EXPECT_EQ(out(), fmt::format("ready: {0}/proxy-1.sock\nready: {0}/proxy-2.sock\n",
                               places_.system.native()));
}

TEST_F(StatusCommand, SaysWhyAProcessIsNotReady) {
  ServingProcess well(places_.system / "proxy-1.sock", answers(""));
  ServingProcess ill(places_.system / "proxy-2.sock", answers("", "service \x1b: not yet"));
  EXPECT_EQ(run(Form::kReady), kDegraded);
  EXPECT_EQ(out(), fmt::format("ready: {0}/proxy-1.sock\nnot ready: {0}/proxy-2.sock: "
                               "service {1}: not yet\n",
                               places_.system.native(), printable("\x1b")));
  EXPECT_EQ(run_at(places_.system / "proxy-1.sock", Form::kReady), kAllWell);
}

TEST_F(StatusCommand, NothingThatRunsIsNotReady) {
  EXPECT_EQ(run(Form::kReady), kNothingRuns);
  EXPECT_THAT(out(), IsEmpty());
  EXPECT_EQ(run_at(directory_ / "x", Form::kReady), kNothingRuns);
}

TEST_F(StatusCommand, AProcessThatHangsIsNeitherReadyNorNot) {
  ServingProcess well(places_.system / "proxy-1.sock", answers(""));
  const auto stopped = bind_socket(places_.system / "proxy-2.sock", true);  // never accepts
  EXPECT_EQ(run(Form::kReady), kNoAnswer);
  EXPECT_EQ(out(), fmt::format("ready: {}/proxy-1.sock\n", places_.system.native()));
  EXPECT_THAT(err(), HasSubstr("proxy-2.sock: "));
}

TEST_F(StatusCommand, DoesNotAskAProxyServer) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  ServingProcess process(places_.system / "proxy-1.sock", answers(to_json(healthy_report())));
  EXPECT_EQ(run(), kAllWell);
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
}

TEST_F(StatusCommand, SaysThatItMayNotAsk) {
  if (!is_root()) GTEST_SKIP() << "only root can become another user";
  ServingProcess process(places_.system / "proxy-1.sock", answers(to_json(healthy_report())));
  const auto said = as_nobody([this] {
    const int code = run();
    return fmt::format("{} {}", code, err());
  });
  EXPECT_EQ(said,
            fmt::format("4 ambbpf: admin socket {}/proxy-1.sock: connect: Permission denied\n",
                        places_.system.native()));
}

}  // namespace
}  // namespace ambbpf
