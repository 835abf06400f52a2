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
  std::map<const Candidate*, std::uint64_t> turns;
};

Round round_of(const Choice& choice, std::uint64_t next) {
  Round round;
  const auto length = choice.order.empty() ? choice.candidates.size() : choice.order.size();
  for (std::size_t turn = 0; turn < length; ++turn) {
    const auto* picked = choice.pick(Client{}, next + turn);
    if (round.turns[picked]++ == 0) round.in_order.push_back(picked);
  }
  for (const auto& candidate : choice.candidates)
    if (!round.turns.contains(&candidate)) round.in_order.push_back(&candidate);
  return round;
}

// One that is taken although there is something against it.
std::string note_on(const Candidate& candidate, Clock::time_point now) {
  if (candidate.backend->ejected(now))
    return "ejected, as all others are: it is tried all the same";
  if (candidate.weight == 0) return "weight 0, as all others have";
  return {};
}

WhyReport::PassedOver passed_over(const ListedEndpoint& listed, Clock::time_point now) {
  const auto& backend = *listed.backend;
  WhyReport::PassedOver passed{
      .address = to_string(backend.address()), .found_as = listed.found_as, .why = {}};
  const auto failing = backend.failing();
  if (failing && backend.ejected(now)) {
    passed.why = fmt::format("ejected after {} failed connect{}, the last: {}", failing->failures,
                             failing->failures == 1 ? "" : "s", failing->why);
    passed.since_ms = milliseconds_between(failing->since, now);
    passed.for_ms = milliseconds_between(now, backend.ejected_until());
  } else if (listed.weight == 0) {
    passed.why = "weight 0: it gets none while there is another";
  } else {
    passed.why = "it is no candidate of the present choice";
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
  WhyReport report;
  report.service = service.name();
  report.policy = choice->policy->name;
  report.policy_meaning = choice->policy->meaning;
  report.version = choice->version;
  std::map<const Backend*, std::string> found_as;
  for (const auto& listed : *set) found_as.emplace(listed.backend.get(), listed.found_as);

  const auto round = round_of(*choice, service.turn());
  for (const auto* candidate : round.in_order) {
    const auto* backend = candidate->backend.get();
    const auto turns = round.turns.find(candidate);
    report.candidates.push_back({.address = to_string(backend->address()),
                                 .found_as = found_as[backend],
                                 .weight = candidate->weight,
                                 .turns = turns == round.turns.end() ? 0 : turns->second,
                                 .note = note_on(*candidate, now)});
  }
  if (!report.candidates.empty()) report.next = report.candidates.front().address;

  const auto is_candidate = [&choice](const ListedEndpoint& listed) {
    return std::ranges::find(choice->candidates, listed.backend, &Candidate::backend) !=
           choice->candidates.end();
  };
  for (const auto& listed : *set)
    if (!is_candidate(listed)) report.passed_over.push_back(passed_over(listed, now));
  auto rejected = service.rejected();
  std::ranges::copy(of_sources, std::back_inserter(rejected));
  for (const auto& [key, reason] : rejected)
    report.passed_over.push_back({.address = {}, .found_as = key, .why = "rejected: " + reason});
  add_gone(service, now, report);
  return report;
}

}  // namespace ambbpf
