// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "userspace/docker/container.h"
#include "userspace/docker/decode.h"

namespace ambbpf {

// What events and inspections together tell of an engine's containers. Does no I/O; follower.h
// drives it. What an inspection says is the truth, but for one thing that only events tell: that a
// container has been sent its stop signal.
class KnownContainers {
 public:
  // What is to be done about a container after an event.
  enum class Next {
    kNothing,
    kDoubt,    // an inspection that is under way may be too old to be taken
    kInspect,  // the same, and one is needed
  };

  // `ignored_after`: one that still runs so long after its stop signal has ignored it.
  explicit KnownContainers(std::chrono::milliseconds ignored_after)
      : ignored_after_(ignored_after) {}

  const Containers& containers() const { return containers_; }

  // Takes in what the event tells by itself.
  Next heard(const DockerEvent& event, Clock::time_point now);

  // An inspection's answer; nothing: there is no such container.
  void inspected(const std::string& id, std::optional<Container> container, Clock::time_point now);

  // Every container that may be there: those of the list and those known already.
  std::set<std::string> to_inspect(const std::vector<std::string>& listed) const;

 private:
  struct SentSignal {
    DockerEvent event;
    Clock::time_point heard_at;
  };

  Next heard_kill(const DockerEvent& event, Clock::time_point now);
  Next heard_die(const DockerEvent& event);
  bool is_stopping(const Container& container, Clock::time_point now);

  const std::chrono::milliseconds ignored_after_;
  Containers containers_;
  std::map<std::string, SentSignal> signals_;  // by the container's id
};

}  // namespace ambbpf
