// SPDX-License-Identifier: Apache-2.0
// What GET /events answers: a part of the process's event log (events/event_log.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/events/event_log.h"
#include "userspace/support/result.h"

namespace ambbpf {

struct EventsAnswer {
  std::string process;     // another one after a restart: its events begin anew
  std::uint64_t last = 0;  // the newest there has been: to ask after next time
  std::uint64_t lost = 0;  // how many of those asked for are kept no more
  std::vector<Event> events;
};

EventsAnswer events_answer(const EventLog::Told& told, std::string process);

// As of the StatusReport: ASCII only, unknown fields are skipped, missing ones keep their defaults.
std::string to_json(const EventsAnswer& answer);
std::string to_json(const Event& event);  // an object without line breaks
Result<EventsAnswer> events_answer_from_json(std::string_view json);

// For people, a line without its end, fit for a terminal: time, service, what came of what.
std::string to_text(const Event& event);

}  // namespace ambbpf
