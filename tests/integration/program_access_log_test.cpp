// SPDX-License-Identifier: Apache-2.0
// The access log of the built program: every cause of an end has its word, and no line is lost that
// can be written.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "tests/integration/program_reload.h"
#include "tests/support/blackout.h"
#include "tests/support/must.h"
#include "tests/support/notify_socket.h"
#include "tests/support/own_file_system.h"

namespace ambbpf::test {
namespace {

using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kRefusing = "127.0.0.1:1";  // nobody listens there

class ProgramAccessLog : public RunByFile {
 protected:
  std::string log_to(const std::filesystem::path& target, const std::string& more = "") const {
    return fmt::format("access_log = \"{}\"\n{}\n", target.string(), more);
  }
  std::unique_ptr<Program> started(const std::string& text, const ProgramSetting& how = {}) const {
    write(text);
    auto program = std::make_unique<Program>(by_file(), how);
    if (!program->says("admin socket")) throw std::runtime_error(program->err());
    return program;
  }
  static std::vector<std::string> lines_in(const std::filesystem::path& file) {
    std::ifstream text(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  // Waits for a line of the service that ends so.
  testing::AssertionResult has(const std::string& service, const std::string& reason) const {
    const auto is_there = [&] {
      for (const auto& line : lines_in(log))
        if (line.find(" service=" + service + " ") != std::string::npos &&
            line.ends_with(" reason=" + reason))
          return true;
      return false;
    };
    if (eventually(is_there)) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << fmt::format("{}", fmt::join(lines_in(log), "\n")) << "\nhas no " << reason;
  }
  void connect_and_be_reset(const tcp::endpoint& address) const {
    Peer client = Peer::connect_to(address);
    EXPECT_EQ(client.read_until_end().error, std::errc::connection_reset);
  }

  const std::filesystem::path log = place.path() / "access.log";
  Listener backend{loopback_v4()};
  NamedBackend one{"one"};
  const tcp::endpoint front = free_address();
};

TEST_F(ProgramAccessLog, TellsWhatAConnectionMoved) {
  const auto program = started(log_to(log) + service("web", front, backend.address()));
  OpenConnection connection(front, backend);
  EXPECT_TRUE(connection.carries("hello"));
  connection.end();
  ASSERT_TRUE(has("web", "finished"));
  const auto line = lines_in(log).at(0);
  for (const auto& part : {fmt::format(" listener={} client=127.0.0.1:", to_string(front)),
                           fmt::format(" endpoint={} bytes_to_backend=5 bytes_to_client=5 ",
                                       to_string(backend.address())),
                           std::string(" tries=1 ")})
    EXPECT_THAT(line, HasSubstr(part));
}

TEST_F(ProgramAccessLog, HasAWordForEndsThatPeersMake) {
  const auto program =
      started(log_to(log) + service("web", front, backend.address(), "peer_timeout = \"5s\""));
  OpenConnection cut(front, backend);
  EXPECT_TRUE(cut.carries("x"));
  cut_off(cut.client.socket());
  OpenConnection first(front, backend);
  EXPECT_TRUE(first.carries("x"));
  first.client.reset();
  EXPECT_TRUE(has("web", "client_reset"));
  OpenConnection second(front, backend);
  EXPECT_TRUE(second.carries("x"));
  second.server.reset();
  EXPECT_TRUE(has("web", "backend_reset"));
  EXPECT_TRUE(has("web", "client_vanished"));
  cut.client.reset();
}

TEST_F(ProgramAccessLog, HasAWordForConnectionsThatGetNoEndpoint) {
  Listener full(loopback_v4(), 0);
  std::vector<UniqueFd> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(waiting.back().get(), full.address().data(),
                    static_cast<socklen_t>(full.address().size()));
  }
  const auto refusing = free_address();
  const auto silent = free_address();
  const auto empty = free_address();
  const auto program = started(
      log_to(log) + "[etcd.none]\nurls = \"http://127.0.0.1:1\"\n" +
      service("refusing", refusing, parse_address(kRefusing).value(), "retries = 1") +
      service("silent", silent, full.address(), "retries = 0\nconnect_timeout = \"100ms\"") +
      service("limited", front, backend.address(), "max_connections = 1") +
      fmt::format("[service.empty]\nlisten = \"{}\"\nsource = \"etcd.none\"\nhold = \"50ms\"\n",
                  to_string(empty)));
  connect_and_be_reset(refusing);
  EXPECT_TRUE(has("refusing", "connect_failed"));
  EXPECT_THAT(lines_in(log), Contains(HasSubstr(" endpoint=- bytes_to_backend=0 ")));
  EXPECT_THAT(lines_in(log), Contains(HasSubstr(" connect_ms=- tries=2 ")));
  connect_and_be_reset(silent);
  EXPECT_TRUE(has("silent", "connect_timeout"));
  connect_and_be_reset(empty);
  EXPECT_TRUE(has("empty", "no_endpoint"));
  OpenConnection connection(front, backend);
  connect_and_be_reset(front);
  EXPECT_TRUE(has("limited", "too_many"));
}

TEST_F(ProgramAccessLog, HasAWordForConnectionsThatThisProcessEnds) {
  const auto held = free_address();
  const auto all = [&](const std::string& endpoint) {
    return "drain = \"50ms\"\n" + log_to(log) + "[etcd.none]\nurls = \"http://127.0.0.1:1\"\n" +
           service("web", front, parse_address(endpoint).value(), "on_removal = \"reset\"") +
           fmt::format("[service.held]\nlisten = \"{}\"\nsource = \"etcd.none\"\nhold = \"1m\"\n",
                       to_string(held));
  };
  const auto program = started(all(to_string(backend.address())));
  OpenConnection removed(front, backend);
  EXPECT_TRUE(removed.carries("x"));
  Listener other(loopback_v4());
  ASSERT_EQ(reload(all(to_string(other.address()))).code, 0);
  EXPECT_TRUE(has("web", "endpoint_removed"));
  OpenConnection open(front, other);
  EXPECT_TRUE(open.carries("x"));
  const Peer waiting = Peer::connect_to(held);
  ASSERT_TRUE(eventually([&] { return status_of("held").held_now == 1; }));
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0);
  EXPECT_TRUE(has("web", "stopped"));
  EXPECT_TRUE(has("held", "stopped"));
}

TEST_F(ProgramAccessLog, HasThoseThatASecondSignalEnds) {
  const auto program =
      started("drain = \"1m\"\n" + log_to(log) + service("web", front, backend.address()));
  OpenConnection open(front, backend);
  EXPECT_TRUE(open.carries("x"));
  program->signal(SIGTERM);
  ASSERT_TRUE(program->says("1 open connection may"));
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0);
  EXPECT_TRUE(has("web", "stopped"));
  EXPECT_EQ(open.client.read_until_end().error, std::errc::connection_reset);
}

TEST_F(ProgramAccessLog, HasAWordForWantOfDescriptors) {
  constexpr rlim_t kFew = 256;
  const auto program = started(log_to(log) + service("web", front, backend.address()),
                               {.environment = {}, .descriptors = kFew});
  std::vector<Peer> clients;
  for (rlim_t i = 0; i < kFew / 2; ++i) clients.push_back(Peer::connect_to(front));
  EXPECT_TRUE(eventually([&] {
    const auto all = lines_in(log);
    return !all.empty() &&
           (all.back().ends_with("=too_many") || all.back().ends_with("=no_descriptors") ||
            all.back().ends_with("=connect_limits"));
  })) << fmt::format("{}", fmt::join(lines_in(log), "\n"));
}

TEST_F(ProgramAccessLog, IsReopenedBySigusr1WithNoLineLostOrDoubled) {
  constexpr std::size_t kConnections = 400;
  const auto program = started(log_to(log) + service("web", front, one));
  const auto moved = place.path() / "access.log.1";
  for (std::size_t i = 0; i < kConnections; ++i) {
    EXPECT_EQ(ask(front), "one");
    if (i != kConnections / 2) continue;
    ASSERT_TRUE(eventually([&] { return !lines_in(log).empty(); }));
    std::filesystem::rename(log, moved);
    program->signal(SIGUSR1);
  }
  const auto lines = [&] { return lines_in(log).size() + lines_in(moved).size(); };
  EXPECT_TRUE(eventually([&] { return lines() >= kConnections; }));
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0);
  EXPECT_EQ(lines(), kConnections);
  EXPECT_FALSE(lines_in(log).empty());
  EXPECT_THAT(lines_in(log), Each(HasSubstr(" reason=")));
  EXPECT_THAT(lines_in(moved), Each(HasSubstr(" reason=")));
  EXPECT_EQ(program->err().find("SIGUSR1 is ignored"), std::string::npos);
}

TEST_F(ProgramAccessLog, IsTurnedOnElsewhereOtherwiseAndOffByAReload) {
  const auto web = service("web", front, one);
  const auto program = started(web);
  EXPECT_EQ(ask(front), "one");
  ASSERT_EQ(reload(log_to(log) + web).code, 0);
  EXPECT_EQ(ask(front), "one");
  EXPECT_TRUE(has("web", "finished"));
  EXPECT_EQ(lines_in(log).size(), 1U);

  const auto other = place.path() / "other.log";
  ASSERT_EQ(reload(log_to(other, "access_log_format = \"json\"") + web).code, 0);
  EXPECT_EQ(ask(front), "one");
  EXPECT_TRUE(eventually([&] { return lines_in(other).size() == 1; }));
  EXPECT_THAT(lines_in(other), Each(HasSubstr(R"(,"tries":1,"reason":"finished"})")));

  ASSERT_EQ(reload(log_to(other, "threads = 1\naccess_log_sample = 10") + web).code, 1)
      << "threads cannot change";
  ASSERT_EQ(reload(web).code, 0);
  EXPECT_EQ(status().access_log.target, "");
  EXPECT_EQ(ask(front), "one");
  program->signal(SIGUSR1);
  EXPECT_TRUE(program->says("SIGUSR1 is ignored"));
  EXPECT_EQ(lines_in(log).size() + lines_in(other).size(), 2U);
}

TEST_F(ProgramAccessLog, HasOneConnectionOfSoMany) {
  const auto program =
      started("threads = 1\n" + log_to(log, "access_log_sample = 10") + service("web", front, one));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ask(front), "one");
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0);
  EXPECT_EQ(lines_in(log).size(), 10U);
}

TEST_F(ProgramAccessLog, ThatNobodyReadsIsATroubleAndHurtsNoConnection) {
  ASSERT_EQ(::mkfifo(log.c_str(), 0600), 0);
  const auto program = started(log_to(log) + service("web", front, one));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(ask(front), "one");
  ASSERT_TRUE(program->says("No such device or address; its lines wait"));
  EXPECT_THAT(troubles(status()), Contains(HasSubstr("access log " + log.string())));
  const UniqueFd reader(::open(log.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_TRUE(program->says("lines are written again"));
  EXPECT_TRUE(eventually([&] { return status().access_log.lines == 100; }));
  EXPECT_THAT(troubles(status()), IsEmpty());
}

TEST_F(ProgramAccessLog, GoesOnWhenAFullDiskHasRoomAgain) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting takes root";
  const auto disk = place.path() / "disk";
  std::filesystem::create_directory(disk);
  const OwnFileSystem small("tmpfs", disk, "size=256k");
  std::ofstream(disk / "filler") << std::string(250 << 10, '.');
  const auto program = started(log_to(disk / "access.log") + service("web", front, one));
  constexpr std::size_t kConnections = 300;  // some 60 KiB
  for (std::size_t i = 0; i < kConnections; ++i) ASSERT_EQ(ask(front), "one");
  ASSERT_TRUE(program->says("No space left on device; its lines wait"));
  std::filesystem::resize_file(disk / "filler", 0);
  EXPECT_TRUE(program->says("lines are written again"));
  const auto all = [&] { return lines_in(disk / "access.log"); };
  EXPECT_TRUE(eventually([&] { return all().size() == kConnections; }));
  EXPECT_THAT(all(), Each(HasSubstr(" reason=finished"))) << "a line is torn";
  EXPECT_EQ(status().access_log.lost, 0U);
}

TEST_F(ProgramAccessLog, GoesToTheJournalWithFields) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting takes root";
  const OwnFileSystem own("tmpfs", "/run");
  std::filesystem::create_directories("/run/systemd/journal");
  NotifySocket journal("/run/systemd/journal/socket");
  const auto program = started(log_to("journald") + service("web", front, one));
  EXPECT_EQ(ask(front), "one");
  const auto entry = journal.hear("MESSAGE=time=");
  for (const auto* part :
       {" reason=finished\n", "\nPRIORITY=6\n", "\nSYSLOG_IDENTIFIER=ambbpf\n",
        "\nAMBBPF_SERVICE=web\n", "\nAMBBPF_CLIENT=127.0.0.1:", "\nAMBBPF_REASON=finished"})
    EXPECT_THAT(entry, HasSubstr(part));
  EXPECT_EQ(program->err().find("reason=finished"), std::string::npos);
}

TEST_F(ProgramAccessLog, GoesToSyslogAndIsATroubleWhereThereIsNone) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting takes root";
  const OwnFileSystem own("tmpfs", "/dev");
  must(::mknod("/dev/null", S_IFCHR | 0666, ::makedev(1, 3)) == 0, "mknod /dev/null");
  const auto program = started(log_to("syslog") + service("web", front, one));
  EXPECT_EQ(ask(front), "one");
  ASSERT_TRUE(program->says("access log /dev/log: No such file or directory"));
  NotifySocket syslog("/dev/log");
  const auto line = syslog.hear(" service=web ");
  EXPECT_THAT(line, testing::StartsWith("<30>"));
  EXPECT_THAT(line, HasSubstr(" ambbpf: time="));
  EXPECT_TRUE(eventually([&] { return troubles(status()).empty(); }));
}

TEST_F(ProgramAccessLog, OfAWordThatIsMisspeltIsNoFile) {
  write(log_to("jurnald") + service("web", front, one));
  const auto ran = run({"check", file().string()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("access_log: 'jurnald' is neither a path, as "));
}

}  // namespace
}  // namespace ambbpf::test
