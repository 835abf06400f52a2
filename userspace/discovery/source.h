// SPDX-License-Identifier: Apache-2.0
// A source finds the endpoints of one service and goes on following them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/endpoints/service.h"
#include "userspace/support/histogram.h"

namespace ambbpf {

// What `ambbpf status` shows of a source. Times are of the steady clock.
struct SourceStatus {
  enum class State {
    kStarting,   // no answer yet
    kFollowing,  // the set published is what the source says now
    kFailing,    // the last good set stays in force; last_error says why
    kNotServed,  // the server answers, but does not speak this API; asked again now and then
  };

  std::string name;  // in the configuration; set by who knows it
  std::string kind;  // "etcd v2", "etcd v3", "docker", "name", "srv", "static"
  std::string from;  // the server in use and the key followed, the engine, or the name asked for
  State state = State::kStarting;
  std::size_t endpoints = 0;                   // in the set last published
  std::optional<Clock::time_point> heard_at;   // the last good answer, event or sign of life
  std::optional<Clock::time_point> failed_at;  // with last_error
  std::string last_error;                      // empty: none since the start
  std::string note;                            // what an operator should know besides; may be empty
  std::uint64_t lists = 0;                     // full listings taken
  std::uint64_t events = 0;                    // changes seen by watching
  std::uint64_t failures = 0;
  std::uint64_t rejected_total = 0;     // bad values seen since the start
  std::vector<RejectedValue> rejected;  // bad values that stand there now
  bool replaced = false;                // no longer configured; set by who knows it
  bool kept = false;  // the set published is of before, and not what the source says now
  Histogram::Counts propagation;  // from a change heard to its set published; etcd only
};

// Lists, then watches; keeps its own map and publishes the whole set after every change. Any doubt
// (an error, a reconnect, a lost history) means: list again. Runs on the controller's thread.
class Source {
 public:
  virtual ~Source() = default;

  // Never ends by itself; errors are retried with back-off and shown in status(). It ends when it
  // is cancelled (spawn_stoppable), and *this outlives it: to remove a source at runtime, cancel
  // this, wait for its end, then destroy the source.
  virtual awaitable<void> run(Publish publish) = 0;

  virtual SourceStatus status() const = 0;

  // Connecting to a published endpoint failed: a source that may know better now looks again.
  virtual void doubt() {}
};

// One server as the source of many services, followed once for all of them. For one thread.
class Catalogue {
 public:
  virtual ~Catalogue() = default;

  // At any time, before or during run(). The set is published by the source's own run(), at once
  // where it is known. The source follows its service until it is destroyed, which may be at any
  // time too, but before *this.
  virtual std::unique_ptr<Source> source_of(std::string service) = 0;

  // Never ends by itself. When it is cancelled (spawn_stoppable) it ends all that it has started,
  // and then itself; *this outlives it. Sources keep what they have published.
  virtual awaitable<void> run() = 0;
};

}  // namespace ambbpf
