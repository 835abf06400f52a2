// SPDX-License-Identifier: Apache-2.0
// What a process says of itself, to whoever asks it.
#include <fmt/format.h>
#include <unistd.h>

#include "userspace/admin/events_answer.h"
#include "userspace/admin/metrics.h"
#include "userspace/admin/why_report.h"
#include "userspace/config/suggestion.h"
#include "userspace/controller/controller.h"
#include "userspace/controller/report.h"
#include "userspace/events/event_log.h"
#include "userspace/support/commit.h"
#include "userspace/support/quote.h"

namespace ambbpf {

AdminAnswers Controller::answers() {
  AdminAnswers answers{
      .status = [this] { return status(); },
      .history = [this] { return history(); },
      .events = [this](std::uint64_t after) { return events(after); },
      .later_events =
          [](std::uint64_t after, Clock::time_point deadline) {
            return event_log().wait_for_later(after, deadline);
          },
      .why = [this](const std::string& service) { return why(service); },
      .metrics = [this] { return metrics(); },
      .not_ready = [this] { return not_ready(); },
      .connections =
          [this](ConnectionsQuestion question) { return connections(*this, std::move(question)); },
      .carry_out = [this](const Order& order) { return carry_out(order); },
      .reload = {}};
  if (origin_.file) answers.reload = [this] { return reload("ambbpf reload"); };
  return answers;
}

std::string Controller::not_ready() const {
  if (stopping_) return "stopping";
  auto why_not = forwarding_ ? forwarding_->not_ready() : "";
  return why_not.empty() ? registrations_->not_ready() : why_not;
}

std::string Controller::state() const {
  const auto why_not = not_ready();
  const auto engine =
      forwarding_ ? fmt::format("engine {}; ", name_of(forwarding_->workers().engine().engine))
                  : "";
  return printable(engine + (why_not.empty() ? "ready" : why_not));
}

std::string Controller::status() const { return to_json(report()); }

std::string Controller::history() const { return history_.to_json(Clock::now()); }

std::string Controller::events(std::uint64_t after) const {
  const auto started = std::chrono::duration_cast<std::chrono::milliseconds>(
      started_by_the_clock_.time_since_epoch());
  return to_json(
      events_answer(event_log().after(after), fmt::format("{}-{}", ::getpid(), started.count())));
}

WhyAnswer Controller::why(const std::string& service) const {
  if (forwarding_)
    if (const auto report = forwarding_->why(service, Clock::now()))
      return {true, to_json(*report)};
  return {false, no_such_service(service) + "\n"};
}

OrderAnswer Controller::carry_out(const Order& order) {
  auto answer = forwarding_ ? forwarding_->carry_out(order)
                            : OrderAnswer{OrderAnswer::Outcome::kNoService, {}};
  if (answer.outcome == OrderAnswer::Outcome::kNoService)
    answer.line = no_such_service(order.service);
  return answer;
}

std::string Controller::no_such_service(const std::string& service) const {
  const auto names = forwarding_ ? forwarding_->names() : std::vector<std::string>();
  const auto meant = nearest(service, names);
  const auto hint = meant.empty() ? "." : fmt::format("; did you mean {}?", printable(meant));
  const auto all = names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("no service {} here{} There are: {}", ambbpf::quoted(service), hint,
                     printable(all));
}

std::string Controller::metrics() const {
  return to_metrics(
      report(), in_force_.process.metrics_per_endpoint ? Detail::kEndpoints : Detail::kServices);
}

awaitable<Result<std::string>> Controller::connections(Controller& self,
                                                       ConnectionsQuestion question) {
  ConnectionReport report;
  report.sort = question.sort;
  if (self.forwarding_) {
    auto listed = co_await self.forwarding_->list_connections(std::move(question));
    if (!listed) co_return tl::unexpected(listed.error());
    report = std::move(*listed);
  } else if (!question.service.empty()) {
    co_return fail("this process has no service");
  }
  report.pid = static_cast<std::uint64_t>(::getpid());
  report.verb = self.origin_.verb;
  co_return to_json(report);
}

StatusReport Controller::traffic() const {
  StatusReport report;
  if (forwarding_) forwarding_->report(report, Clock::now());
  return report;
}

StatusReport Controller::report() const {
  const auto now = Clock::now();
  StatusReport report;
  report.version = AMBBPF_VERSION;
  report.commit = commit();
  report.pid = static_cast<std::uint64_t>(::getpid());
  report.verb = origin_.verb;
  report.uptime_ms = milliseconds_between(started_, now);
  report.draining = stopping_;
  report.threads = 1;
  if (forwarding_) forwarding_->report(report, now);
  report.registrars = registrations_->report(now);
  report.configuration = {.file = origin_.file ? origin_.file->string() : "",
                          .generation = generation_,
                          .applied_ms = age(applied_at_, now),
                          .failed_ms = age(failed_at_, now),
                          .last_error = last_error_};
  report.process = report_process(started_by_the_clock_);
  return report;
}

}  // namespace ambbpf
