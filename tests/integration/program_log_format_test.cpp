// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>

#include "tests/integration/program_reload.h"
#include "tests/support/notify_socket.h"
#include "tests/support/own_file_system.h"
#include "userspace/support/json.h"

namespace ambbpf::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class ProgramLogFormat : public RunByFile {
 protected:
  std::string settings(const std::string& format, const std::string& more = "") const {
    return fmt::format("log_format = \"{}\"\n{}", format, more) +
           service("web", front, backend.address());
  }
  // Is told when it serves, wherever its log goes.
  std::unique_ptr<Program> started(const std::string& text) const {
    write(text);
    auto program = std::make_unique<Program>(by_file());
    if (!eventually([&] { return run({"status", "--admin", admin()}).code == 0; }))
      throw std::runtime_error(program->err());
    return program;
  }

  Listener backend{loopback_v4()};
  const tcp::endpoint front = free_address();
};

TEST_F(ProgramLogFormat, JsonIsAnObjectInEachLine) {
  const auto program = started(settings("json"));
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0);
  std::istringstream text(program->err());
  std::size_t lines = 0;
  for (std::string line; std::getline(text, line); ++lines) {
    const auto parsed = parse_json(line);
    ASSERT_TRUE(parsed && string_at(*parsed, "time") && string_at(*parsed, "message")) << line;
    EXPECT_EQ(string_at(*parsed, "level"), "info") << line;
  }
  EXPECT_GT(lines, 2U);
  EXPECT_THAT(program->err(), HasSubstr(R"("message":"run: stopping"})"));
}

TEST_F(ProgramLogFormat, ChangesWithAReload) {
  const auto program = started(settings("text"));
  ASSERT_EQ(reload(settings("json")).code, 0);
  EXPECT_TRUE(program->says(R"("message":"process: log_format from text to json"})"));
}

class ProgramLogInJournal : public ProgramLogFormat {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting takes root";
    run_directory = std::make_unique<OwnFileSystem>("tmpfs", "/run");
    std::filesystem::create_directories("/run/systemd/journal");
  }

  std::unique_ptr<OwnFileSystem> run_directory;
  const std::filesystem::path socket = "/run/systemd/journal/socket";
};

TEST_F(ProgramLogInJournal, IsAnEntryForEachLine) {
  NotifySocket journal(socket);
  const auto program = started(settings("journald"));
  EXPECT_THAT(journal.hear("MESSAGE=run: service web on "),
              testing::AllOf(HasSubstr("\nPRIORITY=6\n"), HasSubstr("SYSLOG_IDENTIFIER=ambbpf")));
  EXPECT_EQ(reload("nonsense\n").code, 1);
  EXPECT_THAT(journal.hear("generation 1 stays in force"), HasSubstr("\nPRIORITY=3\n"));
  EXPECT_EQ(program->err(), "");
}

TEST_F(ProgramLogInJournal, GoesToStderrWhereThereIsNone) {
  const auto program = started(settings("journald"));
  EXPECT_TRUE(program->says("info  run: service web on "));
  EXPECT_TRUE(
      program->says("warn  lines go here that the journal does not take: "
                    "/run/systemd/journal/socket: No such file or directory"));
  NotifySocket journal(socket);
  program->signal(SIGUSR2);
  EXPECT_NE(journal.hear("MESSAGE=SIGUSR2 is ignored"), "");
  EXPECT_THAT(program->err(), Not(HasSubstr("SIGUSR2")));
}

TEST_F(ProgramLogInJournal, ThatNobodyReadsCostsLinesAndTellsHowMany) {
  constexpr int kMoreThanAreKept = 2500;
  NotifySocket journal(socket);
  const auto program = started(settings("journald", "log_level = \"debug\"\n"));
  for (int i = 0; i < kMoreThanAreKept; ++i) {
    Peer client = Peer::connect_to(front);
    const Peer server = backend.accept();
    client.reset();
  }
  EXPECT_EQ(run({"status", "--admin", admin()}).code, 0);
  EXPECT_THAT(journal.hear("lines of the log are lost here: the journal was not read in time"),
              HasSubstr("\nPRIORITY=4\n"));
}

}  // namespace
}  // namespace ambbpf::test
