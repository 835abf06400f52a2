// SPDX-License-Identifier: Apache-2.0
// A terminal that a program has for itself for a while, and the signals that belong to it.
#pragma once

#include <chrono>
#include <csignal>
#include <cstddef>
#include <optional>
#include <string_view>

namespace ambbpf {

// Whether what is written there is seen on a screen that can be steered. TERM=dumb, and none, is
// one that cannot.
bool is_screen(int fd);
bool wants_colour();  // NO_COLOR is not set (no-color.org)

struct ScreenSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};
ScreenSize size_of_screen(int fd);  // 24 × 80 where it does not say

// False: nobody reads it any more.
bool write_all(int fd, std::string_view text);

// The second screen of a terminal, without a cursor; what was on the first is there again at the
// end.
class SecondScreen {
 public:
  explicit SecondScreen(int fd) : fd_(fd) { enter(); }
  ~SecondScreen() { leave(); }
  SecondScreen(const SecondScreen&) = delete;
  SecondScreen& operator=(const SecondScreen&) = delete;

  void enter();
  void leave();  // until it is entered again

 private:
  int fd_;
  bool entered_ = false;
};

// The signals of a program in the foreground, for as long as this lives taken where it waits for
// them: those that end it, SIGTSTP, SIGCONT, SIGWINCH. Threads that begin meanwhile get none.
class ForegroundSignals {
 public:
  ForegroundSignals();
  ~ForegroundSignals();
  ForegroundSignals(const ForegroundSignals&) = delete;
  ForegroundSignals& operator=(const ForegroundSignals&) = delete;

  std::optional<int> wait(std::chrono::milliseconds at_most) const;  // empty: none has come

  // What it would have done: ends the process, or stops it until it is continued.
  void let_act(int signal) const;

 private:
  sigset_t taken_{};
  sigset_t before_{};
};

}  // namespace ambbpf
