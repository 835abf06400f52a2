// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "userspace/controller/report.h"

namespace ambbpf {
namespace {

// How often each has its turn in a round from the next turn on, and who comes first.
struct Round {
  std::vector<const Candidate*> in_order;  // all candidates; those without a turn behind the others
  std::map<const Candidate*, std::uint64_t> turns;  // none where they are taken otherwise
};

Round round_of(const Choice& choice, std::uint64_t next) {
  Round round;
  const auto length = choice.order.empty() ? choice.candidates.size() : choice.order.size();
  for (std::size_t turn = 0; choice.policy->is_by_turn && turn < length; ++turn) {
    const auto* picked = choice.pick(Client{}, next + turn);
    if (round.turns[picked]++ == 0) round.in_order.push_back(picked);
  }
  for (const auto& candidate : choice.candidates)
    if (!round.turns.contains(&candidate)) round.in_order.push_back(&candidate);
  return round;
}

std::string taken_by(const Policy& policy) {
  return policy.is_by_turn ? "by turn" : policy.is_by_client ? "by client" : "by load";
}

std::string priority_of(std::uint32_t priority) {
  return priority == kBackupPriority ? "a backup" : fmt::format("of priority {}", priority);
}

// What the zone that is preferred means for the candidates that there are.
std::string zone_of(const Balance& balance, const Choice& choice) {
  if (balance.zone.empty() || choice.candidates.empty()) return {};
  if (std::ranges::all_of(choice.candidates, &Candidate::is_near))
    return fmt::format("{} is preferred: its endpoints are the candidates", balance.zone);
  return fmt::format(
      "{} is preferred, but fewer than {} % of its endpoints can take connections, or it has none: "
      "all zones do",
      balance.zone, balance.zone_spill);
}

// One that is taken although there is something against it, or not as its source says.
std::string note_on(const Candidate& candidate, const Choice& choice,
                    const std::optional<Override>& by_hand, Clock::time_point now) {
  if (candidate.backend->is_down())
    return "down by its checks, and there is no better one: it is tried all the same";
  if (candidate.backend->health(now) != Health::State::kInUse)
    return choice.used_all_the_same > 0
               ? "ejected, but more would be than max_ejected allows: it is used all the same"
               : "ejected, as all others are: it is tried all the same";
  if (candidate.weight == 0) return "weight 0, as all others have";
  std::string note;
  if (by_hand && by_hand->weight) note = "weight by " + by_hand->by;
  if (candidate.percent < 100)
    note += fmt::format("{}slow start, {} % of its weight", note.empty() ? "" : "; ",
                        candidate.percent);
  return note;
}

// Of one that nothing speaks against but that others are preferred.
std::string not_preferred(const Standing& standing, const Choice& choice, const Balance& balance) {
  const auto first = choice.candidates.front().priority;
  if (standing.priority > first)
    return fmt::format("it is {}: it gets none while one {} can take it",
                       priority_of(standing.priority),
                       first == kBackupPriority ? "that is a backup" : priority_of(first));
  if (!balance.zone.empty() && standing.zone != balance.zone)
    return fmt::format("{}: endpoints of zone {} are preferred",
                       standing.zone.empty() ? "it says no zone" : "zone " + standing.zone,
                       balance.zone);
  return "it is no candidate of the present choice";
}

WhyReport::PassedOver passed_over(const ListedEndpoint& listed, const Choice& choice,
                                  const Balance& balance, const std::optional<Override>& by_hand,
                                  Clock::time_point now) {
  const auto& backend = *listed.backend;
  WhyReport::PassedOver passed{
      .address = to_string(backend.address()), .found_as = listed.found_as, .why = {}};
  const auto failing = backend.failing();
  const auto checked = backend.checked();
  const auto health = backend.health(now);
  if (by_hand && by_hand->is_drained) {
    passed.why = fmt::format("drained by {}", by_hand->by);
    passed.since_ms = static_cast<std::uint64_t>(by_hand->age().count());
  } else if (checked && checked->is_down) {
    passed.why = "down, its checks fail, the last: " + checked->last_error;
    passed.since_ms = milliseconds_between(checked->since, now);
  } else if (failing && health != Health::State::kInUse) {
    const bool is_ejected = health == Health::State::kEjected;
    passed.why = fmt::format("{} after {}, the last: {}", is_ejected ? "ejected" : "on trial",
                             failures_of(*failing), failing->why);
    passed.since_ms = milliseconds_between(failing->since, now);
    if (is_ejected) passed.for_ms = milliseconds_between(now, backend.ejected_until());
  } else if ((by_hand ? by_hand->weight.value_or(listed.standing.weight)
                      : listed.standing.weight) == 0) {
    passed.why = "weight 0: it gets none while there is another";
  } else {
    passed.why = choice.candidates.empty() ? "it has come since the present choice"
                                           : not_preferred(listed.standing, choice, balance);
  }
  return passed;
}

void add_gone(const Service& service, Clock::time_point now, WhyReport& report) {
  for (const auto& gone : service.gone())
    report.passed_over.push_back({.address = to_string(gone.address),
                                  .found_as = gone.found_as,
                                  .why = "in no source's set any more: " + gone.cause.what,
                                  .since_ms = milliseconds_between(gone.cause.heard, now),
                                  .revision = gone.cause.revision});
}

}  // namespace

WhyReport report_why(Service& service, const std::vector<RejectedValue>& of_sources,
                     Clock::time_point now) {
  const auto set = service.in_force();
  const auto choice = service.choice();
  const auto balance = service.balance();
  const auto overrides = service.overrides();
  WhyReport report;
  report.service = service.name();
  report.policy = choice->policy->name;
  report.policy_meaning = choice->policy->meaning;
  report.taken = taken_by(*choice->policy);
  report.zone = zone_of(balance, *choice);
  report.version = choice->version;
  std::map<const Backend*, std::string> found_as;
  for (const auto& listed : *set) found_as.emplace(listed.backend.get(), listed.found_as);

  const auto round = round_of(*choice, service.turn());
  for (const auto* candidate : round.in_order) {
    const auto* backend = candidate->backend.get();
    const auto turns = round.turns.find(candidate);
    report.candidates.push_back(
        {.address = to_string(backend->address()),
         .found_as = found_as[backend],
         .weight = candidate->weight,
         .turns = turns == round.turns.end() ? 0 : turns->second,
         .busy = backend->busy(),
         .note = note_on(*candidate, *choice, overrides.of(backend->address()), now)});
  }
  if (!choice->policy->is_by_client)
    if (const auto* next = choice->pick(Client{}, service.turn()))
      report.next = to_string(next->backend->address());

  const auto is_candidate = [&choice](const ListedEndpoint& listed) {
    return std::ranges::find(choice->candidates, listed.backend, &Candidate::backend) !=
           choice->candidates.end();
  };
  for (const auto& listed : *set)
    if (!is_candidate(listed))
      report.passed_over.push_back(
          passed_over(listed, *choice, balance, overrides.of(listed.backend->address()), now));
  auto rejected = service.rejected();
  std::ranges::copy(of_sources, std::back_inserter(rejected));
  for (const auto& [key, reason] : rejected)
    report.passed_over.push_back({.address = {}, .found_as = key, .why = "rejected: " + reason});
  add_gone(service, now, report);
  return report;
}

}  // namespace ambbpf
