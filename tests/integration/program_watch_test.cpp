// SPDX-License-Identifier: Apache-2.0
// `ambbpf status --watch`, in a terminal and elsewhere.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";

// What a program writes to it is kept.
class Terminal {
 public:
  Terminal(unsigned short rows, unsigned short columns) {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    int ends[2];
    if (::openpty(&ends[0], &ends[1], nullptr, nullptr, &size) != 0)
      throw std::system_error(errno, std::generic_category(), "openpty");
    ours_ = UniqueFd(ends[0]);
    programs_ = UniqueFd(ends[1]);
    for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }

  int programs_end() const { return programs_.get(); }
  void resize(unsigned short rows, unsigned short columns) const {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(ours_.get(), TIOCSWINSZ, &size);
  }

  // All that was written up to now.
  const std::string& text() {
    for (char piece[4096];;) {
      pollfd ready{.fd = ours_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 0) != 1) return text_;
      const auto size = ::read(ours_.get(), piece, sizeof piece);
      if (size <= 0) return text_;
      text_.append(piece, static_cast<std::size_t>(size));
    }
  }
  bool shows(std::string_view what) {
    return eventually([&] { return text().find(what) != std::string::npos; });
  }
  void forget() {
    text();
    text_.clear();
  }

 private:
  UniqueFd ours_;
  UniqueFd programs_;
  std::string text_;
};

class ProgramWatch : public testing::Test {
 protected:
  std::vector<std::string> forward() const {
    return {"forward", to_string(backend.address()), "--listen", to_string(front), "--admin",
            admin};
  }
  std::vector<std::string> watch() const { return {"status", "--watch", "0.2", "--admin", admin}; }
  static ProgramSetting in(const Terminal& terminal,
                           std::vector<std::string> environment = {"TERM=xterm"}) {
    ProgramSetting setting;
    setting.environment = std::move(environment);
    setting.out = terminal.programs_end();
    return setting;
  }

  TemporaryDirectory place;
  const std::string admin = (place.path() / "admin.sock").string();
  Listener backend{loopback_v4()};
  const tcp::endpoint front = free_address();
};

TEST_F(ProgramWatch, HasATerminalForItselfUntilItIsEnded) {
  Program ambassador(forward());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  for (const int signal : {SIGINT, SIGTERM}) {
    Terminal terminal(24, 80);
    Program watching(watch(), in(terminal));
    ASSERT_TRUE(terminal.shows("failed/s")) << terminal.text();
    EXPECT_THAT(terminal.text(), StartsWith(std::string(kEnter)));
    EXPECT_THAT(terminal.text(), HasSubstr("\x1b[1mambbpf forward, pid "));
    watching.signal(signal);
    EXPECT_EQ(watching.wait(), -signal);
    EXPECT_THAT(terminal.text(), EndsWith(std::string(kLeave)));
  }
}

TEST_F(ProgramWatch, GivesTheTerminalBackWhileItIsStopped) {
  Program ambassador(forward());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Terminal terminal(24, 80);
  Program watching(watch(), in(terminal));
  ASSERT_TRUE(terminal.shows("failed/s")) << terminal.text();
  terminal.forget();
  watching.signal(SIGTSTP);
  ASSERT_TRUE(terminal.shows(kLeave)) << terminal.text();
  watching.signal(SIGCONT);
  ASSERT_TRUE(terminal.shows(kEnter)) << terminal.text();
  terminal.forget();
  EXPECT_TRUE(terminal.shows("failed/s")) << terminal.text();
  watching.signal(SIGINT);
  EXPECT_EQ(watching.wait(), -SIGINT);
}

TEST_F(ProgramWatch, FollowsTheSizeOfTheTerminal) {
  Program ambassador(forward());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Terminal terminal(24, 80);
  auto words = watch();
  words[2] = "60";  // what comes before that is for the signal
  Program watching(words, in(terminal));
  ASSERT_TRUE(terminal.shows("failed/s")) << terminal.text();
  terminal.forget();
  terminal.resize(3, 40);
  watching.signal(SIGWINCH);  // it is not its terminal's foreground
  EXPECT_TRUE(terminal.shows("lines more")) << terminal.text();
  EXPECT_THAT(terminal.text(), Not(HasSubstr("failed/s")));
}

TEST_F(ProgramWatch, MissesAProcessThatIsGoneAndShowsItWhenItIsBack) {
  auto ambassador = std::make_unique<Program>(forward());
  ASSERT_TRUE(ambassador->says("admin socket")) << ambassador->err();
  Terminal terminal(24, 80);
  Program watching(watch(), in(terminal));
  ASSERT_TRUE(terminal.shows("failed/s")) << terminal.text();
  ambassador.reset();
  ASSERT_TRUE(terminal.shows("its process is gone")) << terminal.text();
  terminal.forget();
  Program next(forward());
  EXPECT_TRUE(terminal.shows("failed/s")) << terminal.text();
}

TEST_F(ProgramWatch, ShowsTheRatesOfAService) {
  Program ambassador(forward());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Peer client = Peer::connect_to(front);
  Peer server = backend.accept();
  Terminal terminal(24, 80);
  Program watching(watch(), in(terminal));
  EXPECT_TRUE(eventually([&] {
    client.send(std::string(100'000, 'x'));
    server.read(100'000);
    return terminal.text().find(" KiB") != std::string::npos ||
           terminal.text().find(" MiB") != std::string::npos;
  })) << terminal.text();
}

TEST_F(ProgramWatch, HasNoColoursWhereTheyAreNotWanted) {
  Program ambassador(forward());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Terminal terminal(24, 80);
  Program watching(watch(), in(terminal, {"TERM=xterm", "NO_COLOR=1"}));
  ASSERT_TRUE(terminal.shows("failed/s")) << terminal.text();
  EXPECT_THAT(terminal.text(), StartsWith(std::string(kEnter)));
  EXPECT_THAT(terminal.text(), Not(HasSubstr("\x1b[1m")));
  EXPECT_THAT(terminal.text(), Not(HasSubstr("\x1b[0m")));
}

TEST_F(ProgramWatch, WritesPlainTextsWhereThereIsNoScreen) {
  Program ambassador(forward());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Terminal terminal(24, 80);
  Program dumb(watch(), in(terminal, {"TERM=dumb"}));
  Program into_file(watch(), {.environment = {"TERM=xterm"}});
  const auto two = [](const std::string& text) {
    const auto first = text.find("failed/s");
    return first != text.npos && text.find("failed/s", first + 1) != text.npos;
  };
  EXPECT_TRUE(eventually([&] { return two(terminal.text()); })) << terminal.text();
  EXPECT_TRUE(eventually([&] { return two(into_file.out()); })) << into_file.out();
  for (const auto& text : {terminal.text(), into_file.out()})
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST_F(ProgramWatch, EndsWhenNobodyReadsItAnyMore) {
  Program ambassador(forward());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reads(ends[0]);
  UniqueFd writes(ends[1]);
  ProgramSetting setting;
  setting.out = writes.get();
  Program watching(watch(), setting);
  char first = 0;
  ASSERT_EQ(::read(reads.get(), &first, 1), 1);
  reads = UniqueFd();
  writes = UniqueFd();
  EXPECT_EQ(watching.wait(), 0);
}

}  // namespace
}  // namespace ambbpf::test
