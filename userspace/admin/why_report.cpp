// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/why_report.h"

#include <fmt/format.h>

#include "userspace/admin/json_fields.h"
#include "userspace/admin/status_fields.h"
#include "userspace/admin/text_page.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {

void each_field(Either<WhyReport::Candidate> auto& candidate, auto&& visit) {
  visit("address", candidate.address);
  visit("found_as", candidate.found_as);
  visit("weight", candidate.weight);
  visit("turns", candidate.turns);
  visit("busy", candidate.busy);
  visit("note", candidate.note);
}

void each_field(Either<WhyReport::PassedOver> auto& passed, auto&& visit) {
  visit("address", passed.address);
  visit("found_as", passed.found_as);
  visit("why", passed.why);
  visit("since_ms", passed.since_ms);
  visit("for_ms", passed.for_ms);
  visit("revision", passed.revision);
}

void each_field(Either<WhyReport::Source> auto& source, auto&& visit) {
  visit("name", source.name);
  visit("kind", source.kind);
  visit("state", source.state);
  visit("endpoints", source.endpoints);
  visit("note", source.note);
}

void each_field(Either<WhyReport> auto& report, auto&& visit) {
  visit("service", report.service);
  visit("next", report.next);
  visit("policy", report.policy);
  visit("policy_meaning", report.policy_meaning);
  visit("taken", report.taken);
  visit("zone", report.zone);
  visit("version", report.version);
  visit("candidates", report.candidates);
  visit("passed_over", report.passed_over);
  visit("zero_hop", report.zero_hop);
  visit("when_empty", report.when_empty);
  visit("sources", report.sources);
}

namespace {

std::string turns_of(const WhyReport::Candidate& candidate) {
  if (candidate.turns == 0) return "none";
  return fmt::format("{} a round", human_count(candidate.turns));
}

void add_candidates(TextPage& page, const WhyReport& report) {
  using Side = TextPage::Column::Side;
  const bool by_turn = report.taken == "by turn";
  std::vector<TextPage::Row> rows;
  for (const auto& candidate : report.candidates)
    rows.push_back({candidate.address, fmt::format("{}", candidate.weight),
                    by_turn ? turns_of(candidate) : human_count(candidate.busy),
                    candidate.found_as});
  page.table({{by_turn ? "in turn" : "in no order", Side::kLeft, 30},
              {"weight", Side::kRight, 6},
              {by_turn ? "turns" : "connections", Side::kRight, 16},
              {"found as", Side::kLeft, TextPage::kColumns}},
             rows);
  for (const auto& candidate : report.candidates)
    if (!candidate.note.empty())
      page.paragraph(2, 4, fmt::format("{}: {}", candidate.address, candidate.note));
}

std::string reason_of(const WhyReport::PassedOver& passed) {
  auto text = passed.why;
  if (passed.revision) text += fmt::format(", revision {}", *passed.revision);
  if (passed.since_ms) text += fmt::format("; since {}", human_span(*passed.since_ms));
  if (passed.for_ms) text += fmt::format("; for another {}", human_span(*passed.for_ms));
  return text;
}

void add_passed_over(TextPage& page, const WhyReport& report) {
  if (report.passed_over.empty()) return;
  page.paragraph(2, 2, "passed over");
  for (const auto& passed : report.passed_over) {
    const auto whom = passed.address.empty() ? passed.found_as
                      : passed.found_as.empty() || passed.found_as == passed.address
                          ? passed.address
                          : fmt::format("{} ({})", passed.address, passed.found_as);
    page.paragraph(4, 6, fmt::format("{}: {}", whom, reason_of(passed)));
  }
}

std::string headline(const WhyReport& report) {
  if (report.candidates.empty()) return "there is no endpoint to go to";
  if (report.taken == "by client") return "where the next connection goes depends on its client";
  const auto* const meanwhile = report.taken == "by load" ? ", unless the load changes" : "";
  return fmt::format("the next connection goes to {}{}", report.next, meanwhile);
}

}  // namespace

std::string to_text(const WhyReport& report) {
  TextPage page;
  page.paragraph(0, 2, fmt::format("{}: {}", report.service, headline(report)));
  page.field("policy", fmt::format("{}: {}", report.policy, report.policy_meaning));
  if (!report.zone.empty()) page.field("zone", report.zone);
  page.field("choice", fmt::format("version {}, {}, {} passed over", report.version,
                                   counted(report.candidates.size(), "candidate"),
                                   report.passed_over.size()));
  if (!report.candidates.empty()) add_candidates(page, report);
  add_passed_over(page, report);
  page.field("zero hop", report.zero_hop);
  page.field("if empty", report.when_empty);
  for (const auto& source : report.sources)
    page.field("source", fmt::format("{} ({}): {}, {}{}{}", source.name, source.kind, source.state,
                                     counted(source.endpoints, "endpoint"),
                                     source.note.empty() ? "" : "; ", source.note));
  return page.take();
}

std::string to_json(const WhyReport& report) { return json_of(report); }

Result<WhyReport> why_report_from_json(std::string_view json) {
  return from_json<WhyReport>(json, "why");
}

}  // namespace ambbpf
