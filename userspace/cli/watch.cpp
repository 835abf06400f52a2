// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/watch.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "userspace/admin/socket_file.h"
#include "userspace/cli/admin_client.h"
#include "userspace/cli/processes.h"
#include "userspace/cli/terminal.h"
#include "userspace/cli/watch_text.h"
#include "userspace/support/asio.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr auto kRemembered = 1min;  // one that is gone, where all are watched
constexpr std::size_t kColumnsOfTexts = 80;

Result<Sight> look_at(const fs::path& socket) {
  const auto status = ask_process(socket, "/status");
  if (!status) return tl::unexpected(status.error());
  if (status->code != 200) return tl::unexpected(status->as_error());
  auto report = status_report_from_json(status->body);
  if (!report) return tl::unexpected(report.error());
  Sight sight{.report = std::move(*report), .sums = {}};
  if (sight.report.engine.empty()) return sight;  // forwards nothing
  if (const auto sums = ask_process(socket, "/connections?limit=0"); sums && sums->code == 200)
    if (auto read = connection_report_from_json(sums->body)) sight.sums = std::move(*read);
  return sight;
}

Result<Sight> look_at_process(const fs::path& socket) {
  const auto answer = who_answers(socket);
  if (!answer) return tl::unexpected(answer.error());
  if (*answer != Answer::kSomebody) return fail("nobody answers; its process is gone");
  return look_at(socket);
}

// What was seen of the processes up to now.
class Watch {
 public:
  Watch(std::optional<fs::path> admin, AdminPlaces places)
      : admin_(std::move(admin)), places_(std::move(places)) {}

  // Asks all of them; takes a few seconds where one hangs.
  void look() {
    auto sockets = admin_ ? std::vector{*admin_} : known_admin_sockets(places_);
    for (const auto& [socket, seen] : seen_)
      if (std::ranges::find(sockets, socket) == sockets.end()) sockets.push_back(socket);
    for (const auto& socket : sockets) {
      auto sight = look_at_process(socket);
      if (!sight && !admin_ && !seen_.contains(socket)) {
        // One that was left behind is nobody's loss; one that hangs is.
        if (const auto who = who_answers(socket); !who || *who != Answer::kSomebody) continue;
      }
      take(seen_[socket], socket, std::move(sight));
    }
    std::erase_if(seen_, [this](const auto& each) {
      return !admin_ && each.second.missed_since &&
             Clock::now() - *each.second.missed_since > kRemembered;
    });
  }

  std::vector<WatchLine> lines(std::size_t columns, const std::string& head) const {
    std::vector<WatchLine> all{{shortened(head, columns), Paint::kFaint}};
    for (const auto& [socket, seen] : seen_) {
      all.push_back({});
      std::ranges::move(watch_lines(seen.process, columns), std::back_inserter(all));
    }
    if (seen_.empty()) all.push_back({shortened(nothing_found(places_), columns), Paint::kTrouble});
    return all;
  }

 private:
  struct Seen {
    WatchedProcess process;
    std::optional<Clock::time_point> missed_since;
  };

  static void take(Seen& seen, const fs::path& socket, Result<Sight> sight) {
    auto& process = seen.process;
    process.socket = socket.string();
    if (sight) {
      process.before = std::exchange(process.now, std::move(*sight));
      seen.missed_since.reset();
      return;
    }
    process.now.reset();
    if (!seen.missed_since) seen.missed_since = Clock::now();
    const auto since = std::chrono::duration_cast<milliseconds>(Clock::now() - *seen.missed_since);
    process.missing = fmt::format("{} (for {})", sight.error().message(),
                                  human_span(static_cast<std::uint64_t>(since.count())));
  }

  std::optional<fs::path> admin_;
  AdminPlaces places_;
  std::map<fs::path, Seen> seen_;
};

std::string head_line(milliseconds every) {
  return fmt::format("{:%H:%M:%S}, every {:g} s; Ctrl-C ends it",
                     fmt::localtime(std::time(nullptr)), static_cast<double>(every.count()) / 1000);
}

// One text after the other.
class Texts {
 public:
  bool show(const Watch& watch, milliseconds every) {
    std::string text;
    for (const auto& line : watch.lines(kColumnsOfTexts, head_line(every)))
      text += line.text + '\n';
    return write_all(STDOUT_FILENO, text + '\n');
  }
  void pause() {}
  void go_on() {}
};

// The whole of a terminal.
class Pictures {
 public:
  bool show(const Watch& watch, milliseconds every) {
    const auto [rows, columns] = size_of_screen(STDOUT_FILENO);
    const auto room = std::max<std::size_t>(columns, 2) - 1;  // in the last one terminals differ
    return write_all(STDOUT_FILENO,
                     painted(fitted(watch.lines(room, head_line(every)), rows, room), colour_));
  }
  void pause() { screen_.leave(); }
  void go_on() { screen_.enter(); }

 private:
  const bool colour_ = wants_colour();
  SecondScreen screen_{STDOUT_FILENO};
};

template <class Display>
void act_on(int signal, Display& display, const ForegroundSignals& signals) {
  if (signal == SIGWINCH) return;
  display.pause();
  if (signal != SIGCONT) signals.let_act(signal);
  display.go_on();
}

// Looks in the background, as a process that hangs must not keep signals from acting.
template <class Display>
int watch_on(Display& display, const ForegroundSignals& signals, Watch& watch, milliseconds every) {
  for (;;) {
    const auto due = Clock::now() + every;
    auto looking = std::async(std::launch::async, [&watch] { watch.look(); });
    while (looking.wait_for(0ms) != std::future_status::ready)
      if (const auto signal = signals.wait(10ms)) act_on(*signal, display, signals);
    looking.get();
    if (!display.show(watch, every)) return kAllWell;
    for (auto left = every; left > 0ms;
         left = std::chrono::ceil<milliseconds>(due - Clock::now())) {
      const auto signal = signals.wait(left);
      if (!signal) continue;
      act_on(*signal, display, signals);
      if (!display.show(watch, every)) return kAllWell;
    }
  }
}

}  // namespace

int watch_status(const std::optional<fs::path>& admin, const AdminPlaces& places,
                 milliseconds every) {
  const ForegroundSignals signals;
  Watch watch(admin, places);
  if (is_screen(STDOUT_FILENO)) {
    Pictures pictures;
    return watch_on(pictures, signals, watch, every);
  }
  Texts texts;
  return watch_on(texts, signals, watch, every);
}

}  // namespace ambbpf
