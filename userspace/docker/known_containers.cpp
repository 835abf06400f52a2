// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/known_containers.h"

#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using Kind = DockerEvent::Kind;
using State = Container::State;

// An event of before the container's present start is about an earlier life of it.
bool concerns(const DockerEvent& event, const Container& container) {
  return event.time_nano == 0 || event.time_nano >= container.started_at;
}

}  // namespace

KnownContainers::Next KnownContainers::heard(const DockerEvent& event, Clock::time_point now) {
  switch (event.kind) {
    case Kind::kOther:
      break;
    case Kind::kKill:
      return heard_kill(event, now);
    case Kind::kDie:
      return heard_die(event);
    case Kind::kChange:
      return Next::kInspect;
    case Kind::kNetwork: {
      // While a container starts it is connected, and the engine lets nobody inspect it until it
      // has started. That is told as well.
      const auto known = containers_.find(event.id);
      const bool runs = known != containers_.end() && known->second.state != State::kAway;
      return runs ? Next::kInspect : Next::kDoubt;
    }
  }
  return Next::kNothing;
}

KnownContainers::Next KnownContainers::heard_kill(const DockerEvent& event, Clock::time_point now) {
  const auto known = containers_.find(event.id);
  if (known == containers_.end()) {
    signals_[event.id] = {event, now};
    return Next::kInspect;
  }
  auto& container = known->second;
  if (event.signal != container.stop_signal) return Next::kNothing;
  signals_[event.id] = {event, now};
  if (container.state == State::kRunning && is_stopping(container, now))
    container.state = State::kStopping;
  return Next::kNothing;
}

KnownContainers::Next KnownContainers::heard_die(const DockerEvent& event) {
  const auto known = containers_.find(event.id);
  if (known == containers_.end() || !concerns(event, known->second)) return Next::kInspect;
  known->second.state = State::kAway;
  signals_.erase(event.id);
  return Next::kDoubt;
}

void KnownContainers::inspected(const std::string& id, std::optional<Container> container,
                                Clock::time_point now) {
  if (!container || container->state == State::kAway) signals_.erase(id);
  if (!container) {
    containers_.erase(id);
    return;
  }
  if (container->state == State::kRunning && is_stopping(*container, now))
    container->state = State::kStopping;
  containers_[id] = std::move(*container);
}

bool KnownContainers::is_stopping(const Container& container, Clock::time_point now) {
  const auto sent = signals_.find(container.id);
  if (sent == signals_.end()) return false;
  const auto& [event, heard_at] = sent->second;
  const bool stops = event.signal == container.stop_signal && concerns(event, container);
  if (stops && now - heard_at < ignored_after_) return true;
  if (stops)
    log::warn("container {} still runs {:.0f} s after its stop signal: taken for running again",
              printable(container.name), std::chrono::duration<double>(now - heard_at).count());
  signals_.erase(sent);
  return false;
}

std::set<std::string> KnownContainers::to_inspect(const std::vector<std::string>& listed) const {
  std::set<std::string> ids(listed.begin(), listed.end());
  for (const auto& [id, container] : containers_) ids.insert(id);
  return ids;
}

}  // namespace ambbpf
