// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <string>

namespace ambbpf {

bool is_screen(int fd) {
  const char* kind = std::getenv("TERM");
  return ::isatty(fd) == 1 && kind && *kind != '\0' && std::string_view(kind) != "dumb";
}

bool wants_colour() {
  const char* no = std::getenv("NO_COLOR");
  return !no || *no == '\0';
}

ScreenSize size_of_screen(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {.rows = size.ws_row, .columns = size.ws_col};
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void SecondScreen::enter() {
  if (!entered_) write_all(fd_, "\x1b[?1049h\x1b[?25l\x1b[2J");
  entered_ = true;
}

void SecondScreen::leave() {
  if (entered_) write_all(fd_, "\x1b[?25h\x1b[?1049l");
  entered_ = false;
}

ForegroundSignals::ForegroundSignals() {
  ::sigemptyset(&taken_);
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH})
    ::sigaddset(&taken_, signal);
  ::pthread_sigmask(SIG_BLOCK, &taken_, &before_);
}

ForegroundSignals::~ForegroundSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::optional<int> ForegroundSignals::wait(std::chrono::milliseconds at_most) const {
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  const auto whole = std::chrono::duration_cast<seconds>(at_most);
  const timespec limit{.tv_sec = whole.count(), .tv_nsec = nanoseconds(at_most - whole).count()};
  const int signal = ::sigtimedwait(&taken_, nullptr, &limit);
  return signal > 0 ? std::optional(signal) : std::nullopt;
}

void ForegroundSignals::let_act(int signal) const {
  sigset_t only{};
  ::sigemptyset(&only);
  ::sigaddset(&only, signal);
  ::raise(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);  // here it acts
  ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
}

}  // namespace ambbpf
