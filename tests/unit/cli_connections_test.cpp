// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sstream>

#include "tests/unit/admin_fixture.h"
#include "userspace/admin/connection_report.h"
#include "userspace/cli/connections.h"

namespace ambbpf {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

ConnectionReport report_of_process(std::uint64_t pid) {
  ConnectionReport report;
  report.pid = pid;
  report.verb = "run";
  return report;
}

class ConnectionsCommand : public testing::Test {
 protected:
  ConnectionsCommand() {
    places_.system = directory_ / "run";
    places_.runtime = directory_ / "user";
    places_.temporary = directory_ / "tmp";
    std::filesystem::create_directory(places_.system);
  }

  // A process that knows this service and no other.
  AdminAnswers serving(const std::string& service, std::uint64_t pid) {
    auto made = answers("{}");
    made.connections = [this, service, pid](const ConnectionsQuestion& question) {
      asked_ = question;
      if (question.service.empty() || question.service == service)
        return soon(to_json(report_of_process(pid)));
      return soon(tl::unexpected(Error{
          fmt::format("there is no service '{}'; there are {}", question.service, service), {}}));
    };
    return made;
  }

  int run(ConnectionsOptions options = {}) {
    out_.str("");
    err_.str("");
    return run_connections(options, places_, out_, err_);
  }
  static ConnectionsOptions of(const std::string& service) {
    ConnectionsOptions options;
    options.service = service;
    return options;
  }

  TemporaryDirectory directory_;
  AdminPlaces places_;
  ConnectionsQuestion asked_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ConnectionsCommand, AsksEveryProcess) {
  ServingProcess first(places_.system / "run-1.sock", serving("a", 1));
  ServingProcess second(places_.system / "run-2.sock", serving("b", 2));
  EXPECT_EQ(run(), kAllWell) << err_.str();
  EXPECT_EQ(out_.str(), to_text(report_of_process(1)) + "\n" + to_text(report_of_process(2)));
  ConnectionsOptions json;
  json.json = true;
  EXPECT_EQ(run(json), kAllWell);
  EXPECT_EQ(out_.str(), fmt::format("{{\"processes\":[{},{}]}}\n", to_json(report_of_process(1)),
                                    to_json(report_of_process(2))));
}

TEST_F(ConnectionsCommand, AsksWhatItWasAsked) {
  ServingProcess process(places_.system / "run-1.sock", serving("a/b &c", 1));
  auto options = of("a/b &c");
  options.sort = "rate";
  options.limit = 7;
  EXPECT_EQ(run(options), kAllWell) << err_.str();
  EXPECT_EQ(asked_.service, "a/b &c");
  EXPECT_EQ(asked_.sort, "rate");
  EXPECT_EQ(asked_.limit, 7U);
}

TEST_F(ConnectionsCommand, NamesTheServicesThatThereAreWhereNobodyHasTheOneAskedFor) {
  ServingProcess first(places_.system / "run-1.sock", serving("a", 1));
  ServingProcess second(places_.system / "run-2.sock", serving("b", 2));
  EXPECT_EQ(run(of("x")), 1);
  EXPECT_THAT(out_.str(), IsEmpty());
  EXPECT_EQ(err_.str(),
            "ambbpf: there is no service 'x'; there are a\n"
            "ambbpf: there is no service 'x'; there are b\n");
  EXPECT_EQ(run(of("b")), kAllWell);
  EXPECT_EQ(out_.str(), to_text(report_of_process(2)));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(ConnectionsCommand, SaysThatNothingRuns) {
  EXPECT_EQ(run(of("x")), kNothingRuns);
  EXPECT_THAT(err_.str(), HasSubstr("no ambassador or registrar is running"));
}

TEST_F(ConnectionsCommand, SaysWhatIsWrongWithAnAnswer) {
  auto mad = answers("{}");
  mad.connections = [](const ConnectionsQuestion&) { return soon("{\"pid\":-1}"); };
  ServingProcess process(places_.system / "run-1.sock", std::move(mad));
  EXPECT_EQ(run(), kNoAnswer);
  EXPECT_THAT(err_.str(), HasSubstr("run-1.sock: connections: pid is not a whole number"));
}

}  // namespace
}  // namespace ambbpf
