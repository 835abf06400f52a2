// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/events_answer.h"

#include <fmt/format.h>

#include "userspace/admin/json_fields.h"
#include "userspace/admin/status_fields.h"
#include "userspace/support/quote.h"

namespace ambbpf {

void each_field(Either<Event> auto& event, auto&& visit) {
  visit("id", event.id);
  visit("time", event.time);
  visit("service", event.service);
  visit("kind", event.kind);
  visit("cause", event.cause);
  visit("revision", event.revision);
  visit("outcome", event.outcome);
  visit("endpoints", event.endpoints);
  visit("version", event.version);
  visit("took_us", event.took_us);
}

void each_field(Either<EventsAnswer> auto& answer, auto&& visit) {
  visit("process", answer.process);
  visit("last", answer.last);
  visit("lost", answer.lost);
  visit("events", answer.events);
}

EventsAnswer events_answer(const EventLog::Told& told, std::string process) {
  EventsAnswer answer{
      .process = std::move(process), .last = told.last, .lost = told.lost, .events = {}};
  for (const auto& event : told.events) answer.events.push_back(*event);
  return answer;
}

std::string to_json(const EventsAnswer& answer) { return json_of(answer); }

std::string to_json(const Event& event) { return json_of(event); }

Result<EventsAnswer> events_answer_from_json(std::string_view json) {
  return from_json<EventsAnswer>(json, "events");
}

// "2026-11-27T02:31:05.123456Z web: set changed: +10.0.0.9:80 (3 endpoints); /services/web/a set,
// revision 12; choice 7 after 340 us"
std::string to_text(const Event& event) {
  std::string line = event.time + " ";
  if (!event.service.empty()) line += event.service + ": ";
  line += event.kind;
  if (!event.outcome.empty()) line += ": " + event.outcome;
  if (!event.cause.empty()) line += "; " + event.cause;
  if (event.revision) line += fmt::format(", revision {}", *event.revision);
  if (event.version) line += fmt::format("; choice {}", *event.version);
  if (event.took_us)
    line += *event.took_us < 1'000
                ? fmt::format(" after {} us", *event.took_us)
                : fmt::format(" after {:.1f} ms", static_cast<double>(*event.took_us) / 1e3);
  return printable(line);
}

}  // namespace ambbpf
