// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <thread>

#include "userspace/admin/events_answer.h"
#include "userspace/cli/admin_client.h"
#include "userspace/cli/processes.h"
#include "userspace/cli/verbs.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kWait = 25s;               // for an event, in one request
constexpr auto kBetweenRequests = 100ms;  // of a storm, many events come together
constexpr auto kBetweenTries = 500ms;     // of a process that is away, or busy with others who wait

Result<EventsAnswer> ask_for_events(const fs::path& socket, std::uint64_t after,
                                    std::chrono::seconds wait) {
  const auto answer = ask_process(
      socket, fmt::format("/events?after={}&wait={}", after, wait.count()), Method::kGet, wait);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->code != 200) return tl::unexpected(answer->as_error());
  return events_answer_from_json(answer->body);
}

std::string lines_of(const EventsAnswer& answer, const EventsOptions& options) {
  std::string lines;
  for (const auto& event : answer.events) {
    if (!options.service.empty() && !event.service.empty() && event.service != options.service)
      continue;
    lines += (options.json ? to_json(event) : to_text(event)) + "\n";
  }
  return lines;
}

// Signals that would end this process, while a line is not whole.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t ends;
    sigemptyset(&ends);
    for (const int signal : {SIGINT, SIGTERM}) sigaddset(&ends, signal);
    pthread_sigmask(SIG_BLOCK, &ends, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

// False: nobody reads any more.
bool print(std::string_view lines) {
  const SignalsHeld held;
  std::fwrite(lines.data(), 1, lines.size(), stdout);
  return std::fflush(stdout) == 0;
}

int show_once(const EventsOptions& options) {
  const auto ask = [&options](const fs::path& socket) {
    return ask_for_events(socket, 0, 0s).map([&options](const EventsAnswer& answer) {
      return Told{.text = lines_of(answer, options), .is_well = true};
    });
  };
  return ask_processes(options.admin, AdminPlaces::usual(), {ask, "", "", ""}, std::cout,
                       std::cerr);
}

// Goes on with one process, and with the one that comes in its place.
class Follower {
 public:
  explicit Follower(const EventsOptions& options) : options_(options) {}

  int run() {
    const auto places = AdminPlaces::usual();
    auto sockets = sockets_to_ask(options_.admin, places);
    if (sockets.empty()) {
      complain(printable(nothing_found(places)));
      return kNothingRuns;
    }
    if (sockets.size() > 1) {
      std::string names;
      for (const auto& socket : sockets) names += (names.empty() ? "" : ", ") + socket.native();
      complain("several processes run; --admin names one of them: " + printable(names));
      return 1;
    }
    for (;;) {
      const auto asked_at = std::chrono::steady_clock::now();
      // One that has begun anew has its socket elsewhere, unless that was named.
      if (away_) sockets = sockets_to_ask(options_.admin, places);
      const auto answer = sockets.size() == 1
                              ? ask_for_events(sockets[0], after_, process_.empty() ? 0s : kWait)
                              : fail("the process is gone");
      if (answer && !take(*answer)) return kAllWell;
      if (!answer && !lost(sockets, answer.error())) return kNoAnswer;
      const bool in_vain = !answer || answer->events.empty();
      const bool at_once = std::chrono::steady_clock::now() - asked_at < kBetweenTries;
      std::this_thread::sleep_for(in_vain && at_once ? kBetweenTries : kBetweenRequests);
    }
  }

 private:
  bool take(const EventsAnswer& answer) {
    if (std::exchange(away_, false)) complain("it answers again");
    const bool is_first = process_.empty();
    if (!is_first && answer.process != process_) {
      complain("the process was restarted; its events begin anew");
      process_.clear();
      after_ = 0;
      return true;
    }
    if (!is_first && answer.lost > 0)
      complain(fmt::format("{} event{} lost: more came than are kept", answer.lost,
                           answer.lost == 1 ? " was" : "s were"));
    has_answered_ = true;
    process_ = answer.process;
    after_ = answer.last;
    return print(lines_of(answer, options_));
  }

  // False: it never answered.
  bool lost(const std::vector<fs::path>& sockets, const Error& error) {
    const auto where =
        sockets.size() == 1 ? fmt::format("admin socket {}: ", sockets[0].native()) : "";
    const auto then = has_answered_ ? "; waiting for it" : "";
    if (!std::exchange(away_, true)) complain(printable(where + error.message()) + then);
    return has_answered_;
  }

  const EventsOptions& options_;
  std::string process_;      // empty: to be asked for all that it has
  std::uint64_t after_ = 0;  // the last one that was shown
  bool has_answered_ = false;
  bool away_ = false;
};

}  // namespace

int run_events(const EventsOptions& options) {
  if (!options.follow) return show_once(options);
  for (const int signal : {SIGINT, SIGTERM}) ::signal(signal, [](int) { ::_exit(kAllWell); });
  return Follower(options).run();
}

}  // namespace ambbpf
