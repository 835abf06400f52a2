// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "userspace/docker/api.h"
#include "userspace/docker/inspections.h"
#include "userspace/docker/known_containers.h"
#include "userspace/events/event.h"
#include "userspace/support/backoff.h"
#include "userspace/support/json_splitter.h"

namespace ambbpf {

// What `ambbpf status` shows of a Docker Engine. Times are of the steady clock.
struct DockerStatus {
  enum class State {
    kStarting,   // no answer yet
    kFollowing,  // the containers published are what the engine has now
    kFailing,    // the last containers stay; last_error says why
  };
  std::string from;     // "unix:///var/run/docker.sock"
  std::string version;  // of the API in use, "1.41"; empty before the first answer
  State state = State::kStarting;
  std::size_t containers = 0;
  std::optional<Clock::time_point> heard_at;   // the last good answer or event
  std::optional<Clock::time_point> failed_at;  // with last_error
  std::string last_error;                      // empty: none since the start
  std::uint64_t lists = 0;                     // full reconciliations
  std::uint64_t events = 0;                    // that concerned a container
  std::uint64_t failures = 0;
};

// Knows the containers of one Docker Engine, and hands over all of them after every change: events
// tell at once, and a full listing now and then, and after every break, makes good what they
// missed. While the engine is away, the containers stay what they were: they may well live on. For
// one thread.
class DockerFollower {
 public:
  struct Pace {
    std::chrono::milliseconds list{30'000};            // between two full listings
    std::chrono::milliseconds signal_ignored{60'000};  // kStopping for so long is kRunning again
  };
  using Subscriber = std::function<void(const Containers&)>;

  DockerFollower(asio::any_io_executor executor, DockerAddress address, Pace pace);
  DockerFollower(asio::any_io_executor executor, DockerAddress address)
      : DockerFollower(std::move(executor), std::move(address), Pace{}) {}

  DockerFollower(const DockerFollower&) = delete;
  DockerFollower& operator=(const DockerFollower&) = delete;

  // Never ends but when it is cancelled; errors are retried with back-off and shown in status().
  // *this outlives it.
  awaitable<void> run();

  // Hands over the set in force, if there is one, and every later one, for as long as the result is
  // kept. The first is there once every container has been inspected.
  [[nodiscard]] std::shared_ptr<const Subscriber> subscribe(Subscriber subscriber);

  const DockerStatus& status() const { return status_; }

  // What the containers that were handed over last were heard by.
  const Cause& cause() const { return cause_; }

 private:
  awaitable<void> follow_on();
  awaitable<Error> follow();  // until this
  awaitable<Result<void>> list();
  Result<void> take_events(JsonSplitter& splitter, std::string_view text);
  void take_event(const DockerEvent& event);
  void take_inspection(const std::string& id, Inspections::Answer answer);
  void listing_done();
  void publish_changes();

  void heard();
  void failed(const Error& error);
  void complain_of(const std::string& id);
  void inspected_because_of(const std::string& id, const std::string& name);
  Backoff::Delay delay_after(const Error& error);
  Backoff::Delay begin_outage();
  void end_outage();

  const Pace pace_;
  DockerApi api_;
  KnownContainers known_;
  Inspections inspections_;
  std::vector<std::weak_ptr<const Subscriber>> subscribers_;
  asio::cancellation_signal stop_;  // of follow_on()
  asio::steady_timer ended_;
  std::optional<Containers> published_;
  DockerStatus status_;
  Cause cause_;
  // By id: of those that are inspected because of it, what happened last, and when that was heard.
  std::map<std::string, Cause> heard_;

  HttpStream stream_;
  std::optional<std::int64_t> events_since_nano_;  // on the engine's clock

  std::set<std::string> listing_;        // by id: still to be inspected for the listing under way
  bool any_inspected_ = false;           // of that listing
  std::optional<Error> listing_failed_;  // ends the stream
  std::optional<Clock::time_point> followed_since_;  // the stream's first good listing
  std::set<std::string> uninspected_;                // by id: those that the log has a line about

  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::milliseconds(5000)};
  std::optional<Clock::time_point> outage_since_;
};

}  // namespace ambbpf
