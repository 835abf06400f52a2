// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/grace.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "userspace/events/event_log.h"
#include "userspace/proxy/connect.h"
#include "userspace/support/close_socket.h"
#include "userspace/support/log.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr auto kBetweenConnects = 1s;
constexpr std::chrono::milliseconds kForOneConnect = 1s;

}  // namespace

Grace::Grace(asio::io_context& io, std::shared_ptr<Service> service)
    : state_(std::make_shared<State>(State{.io = io, .service = std::move(service)})) {}

Publish Grace::way_in(Service::SourceId source) const {
  return [state = state_, source](std::vector<Endpoint> endpoints, const Cause& cause) {
    publish(state, source, std::move(endpoints), cause);
  };
}

void Grace::keep_sources(const std::vector<Service::SourceId>& sources) {
  std::erase_if(state_->sets, [&sources](const auto& entry) {
    return std::ranges::find(sources, entry.first) == sources.end();
  });
}

void Grace::publish(const StatePtr& state, Service::SourceId source,
                    std::vector<Endpoint> endpoints, const Cause& cause) {
  auto& set = state->sets[source];
  const auto before = set.kept().size();
  const auto more = set.publish(std::move(endpoints), Clock::now(), state->grace);
  const auto& name = state->service->name();
  if (more > 0) {
    const std::chrono::duration<double> span = state->grace;
    log::warn("service {}: {} endpoints vanished at once: kept for {:g} s, while they answer ({})",
              name, more, span.count(), cause.what);
    event_log().record({.service = name,
                        .kind = std::string(event_kind::kGrace),
                        .outcome = fmt::format("{} endpoints kept for {:g} s, while they answer",
                                               more, span.count())},
                       cause);
  } else if (before > 0 && set.kept().empty()) {
    event_log().record({.service = name,
                        .kind = std::string(event_kind::kGraceEnded),
                        .outcome = "all that were left are listed again"},
                       cause);
  }
  state->service->publish(source, set.in_force(), cause);
  if (!set.kept().empty() && !std::exchange(state->asking, true)) spawn(state->io, ask_all(state));
}

awaitable<void> Grace::ask_all(StatePtr state) {
  for (;;) {
    std::vector<std::pair<Service::SourceId, tcp::endpoint>> kept_now;  // an answer changes them
    for (const auto& [source, set] : state->sets)
      for (const auto& kept : set.kept()) kept_now.emplace_back(source, kept.endpoint.address);
    if (kept_now.empty()) break;
    for (const auto& [source, address] : kept_now) spawn(state->io, ask(state, source, address));
    co_await sleep_for(kBetweenConnects);
    for (auto& [source, set] : state->sets) {
      const auto before = set.kept().size();
      set.end_those_due(Clock::now());
      if (set.kept().size() < before) end_some(*state, source, "their time of grace is over");
    }
  }
  state->asking = false;
}

awaitable<void> Grace::ask(StatePtr state, Service::SourceId source, tcp::endpoint address) {
  auto socket = co_await finish_connect(
      begin_connect(address, FirstBytes::kUnknown, kNoDescriptorLimit), kForOneConnect);
  const bool answers = socket.has_value();
  if (socket) close_with_reset(std::move(*socket));
  const auto found = state->sets.find(source);
  if (found == state->sets.end()) co_return;
  const auto before = found->second.kept().size();
  found->second.note(address, answers);
  if (found->second.kept().size() < before)
    end_some(*state, source,
             fmt::format("{} vanished, and does not answer any more", to_string(address)));
}

void Grace::end_some(State& state, Service::SourceId source, const std::string& why) {
  const auto& set = state.sets[source];
  if (set.kept().empty())
    event_log().record({.service = state.service->name(),
                        .kind = std::string(event_kind::kGraceEnded),
                        .outcome = "none that had vanished is left"},
                       {.what = why});
  state.service->publish(source, set.in_force(), {.what = why});
}

std::string Grace::note(Service::SourceId source, Clock::time_point now) const {
  const auto found = state_->sets.find(source);
  if (found == state_->sets.end() || found->second.kept().empty()) return {};
  const auto& kept = found->second.kept();
  const auto last = std::ranges::max(kept, {}, &VanishedTogether::Kept::until).until;
  const auto left =
      std::chrono::ceil<std::chrono::seconds>(std::max(last - now, Clock::duration(0)));
  return fmt::format("{} vanished at once and {} kept while {} a connect, for another {} s",
                     counted(kept.size(), "endpoint"), kept.size() == 1 ? "is" : "are",
                     kept.size() == 1 ? "it answers" : "they answer", left.count());
}

}  // namespace ambbpf
