// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "userspace/admin/status_report.h"
#include "userspace/admin/text_page.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {
namespace {

using Side = TextPage::Column::Side;

constexpr std::size_t kMostRejectedShown = 10;
constexpr std::size_t kFigure = 8;  // columns of human_bytes() and human_count()

void add_self_test(TextPage& page, const std::vector<StatusReport::Finding>& findings) {
  std::string all;
  for (const auto& finding : findings)
    all +=
        fmt::format("{}{} {}", all.empty() ? "" : ", ", finding.what, finding.ok ? "ok" : "FAILED");
  if (!all.empty()) page.field("self-test", all);
  for (const auto& finding : findings)
    if (!finding.ok) page.field("", finding.what + ": " + finding.detail);
}

void add_configuration(TextPage& page, const StatusReport::Configuration& configuration) {
  if (configuration.file.empty()) return;
  page.field("file", configuration.file);
  page.field("", fmt::format("generation {}, in force for {}", configuration.generation,
                             human_span(configuration.applied_ms.value_or(0))));
}

void add_access_log(TextPage& page, const StatusReport::AccessLog& log) {
  if (log.target.empty()) return;
  const auto sample = log.sample > 1 ? fmt::format(", of one connection in {}", log.sample) : "";
  page.field("access log", fmt::format("{}: {}{}, {} lost", log.target, counted(log.lines, "line"),
                                       sample, human_count(log.lost)));
}

void add_head(TextPage& page, const StatusReport& report) {
  std::string name = "ambbpf";
  for (const auto& part : {report.version, report.verb})
    if (!part.empty()) name += ' ' + part;
  page.paragraph(0, 2,
                 fmt::format("{}, pid {}, up {}, {}", name, report.pid,
                             human_span(report.uptime_ms), counted(report.threads, "thread")));
  add_configuration(page, report.configuration);
  if (report.draining) page.field("draining", "takes no new connections");
  std::string_view label = "degraded";
  for (const auto& trouble : troubles(report)) page.field(std::exchange(label, ""), trouble);
  if (!report.engine.empty())
    page.field("engine",
               report.engine_reason.empty()
                   ? report.engine
                   : fmt::format("{} (no better one: {})", report.engine, report.engine_reason));
  if (!report.kernel.empty()) page.field("kernel", report.kernel);
  add_self_test(page, report.findings);
  add_access_log(page, report.access_log);
}

// " (weight 3, zone nyc)": what is not as it usually is.
std::string standing_of(const StatusReport::Endpoint& endpoint) {
  std::string all;
  const auto add = [&all](const std::string& words) { all += (all.empty() ? " (" : ", ") + words; };
  if (endpoint.weight != 1) add(fmt::format("weight {}", endpoint.weight));
  if (endpoint.priority != 0) add(fmt::format("priority {}", endpoint.priority));
  if (endpoint.backup) add("backup");
  if (!endpoint.zone.empty()) add("zone " + endpoint.zone);
  return all.empty() ? all : all + ")";
}

std::string state_of(const StatusReport::Endpoint& endpoint) {
  if (endpoint.drained) return "drained";
  if (endpoint.check == "down") return "down";
  if (endpoint.ejected_ms > 0) return "ejected " + human_span(endpoint.ejected_ms);
  if (endpoint.on_trial) return "on trial";
  return endpoint.slow_start ? fmt::format("slow start {} %", *endpoint.slow_start) : "up";
}

std::string said_of(const StatusReport::Endpoint& endpoint) {
  if (!endpoint.weight_by_hand) return "drained";
  return fmt::format("{}weight {}", endpoint.drained ? "drained, " : "", *endpoint.weight_by_hand);
}

// Of those whose last checks have failed, why.
void add_check_errors(TextPage& page, const StatusReport::Service& service) {
  for (const auto& endpoint : service.endpoints)
    if (endpoint.check == "down")
      page.field("down",
                 fmt::format("{}, checked {} ago: {}", endpoint.address,
                             human_span(endpoint.checked_ms.value_or(0)), endpoint.check_error));
}

void add_endpoints(TextPage& page, const std::vector<StatusReport::Endpoint>& endpoints) {
  if (endpoints.empty()) return page.paragraph(2, 2, "no endpoint");
  const std::vector<TextPage::Column> columns{
      {"endpoint", Side::kLeft, 21},  // the longest of IPv4
      {"state", Side::kLeft, 15},     // "slow start 40 %"
      {"now", Side::kRight, kFigure},    {"total", Side::kRight, kFigure},
      {"failed", Side::kRight, kFigure}, {"found as", Side::kLeft, TextPage::kColumns}};
  std::vector<TextPage::Row> rows;
  for (const auto& endpoint : endpoints)
    rows.push_back({endpoint.address, state_of(endpoint), human_count(endpoint.connections_now),
                    human_count(endpoint.connections_total), human_count(endpoint.failed_connects),
                    endpoint.found_as + standing_of(endpoint)});
  page.table(columns, rows);
  for (const auto& endpoint : endpoints)
    if (!endpoint.by.empty())
      page.field("by hand", fmt::format("{}: {} by {}, {} ago", endpoint.address, said_of(endpoint),
                                        endpoint.by, human_span(endpoint.by_ms.value_or(0))));
}

void add_first_of(TextPage& page, const std::vector<StatusReport::RejectedValue>& rejected) {
  std::size_t shown = 0;
  for (const auto& value : rejected) {
    if (shown == kMostRejectedShown) break;
    page.field("", fmt::format("- {}: {}", value.key, value.reason));
    ++shown;
  }
  if (const auto more = rejected.size() - shown; more > 0)
    page.field("", fmt::format("- and {} more", more));
}

void add_rejected(TextPage& page, const StatusReport::Source& source) {
  if (source.rejected.empty() && source.rejected_total == 0) return;
  page.field(
      "",
      fmt::format("{} rejected now, {} since the start{}", counted(source.rejected.size(), "value"),
                  human_count(source.rejected_total), source.rejected.empty() ? "" : ":"));
  add_first_of(page, source.rejected);
}

void add_source(TextPage& page, const StatusReport::Source& source) {
  page.field("source", fmt::format("{} {}", source.kind, source.from));
  page.field("", fmt::format("{}: {}, {}", source.state, counted(source.endpoints, "endpoint"),
                             source.heard_ms ? "heard " + human_span(*source.heard_ms) + " ago"
                                             : "nothing heard yet"));
  page.field("", fmt::format("{}, {}, {}", counted(source.lists, "listing"),
                             counted(source.events, "event"), counted(source.failures, "failure")));
  if (!source.last_error.empty())
    page.field("", fmt::format("last error{}: {}",
                               source.failed_ms ? " " + human_span(*source.failed_ms) + " ago" : "",
                               source.last_error));
  if (!source.note.empty()) page.field("", "note: " + source.note);
  add_rejected(page, source);
}

void add_direct(TextPage& page, const StatusReport::Service& service) {
  if (service.direct.empty()) return;
  if (service.direct != "on")
    return page.field("direct", "off, consumers go by the proxy: " + service.direct_reason);
  page.field("direct", fmt::format("{} straight to endpoints, {} by the proxy",
                                   counted(service.direct_connects, "connect"),
                                   human_count(service.direct_left)));
  for (const auto& endpoint : service.endpoints) {
    if (endpoint.direct_total + endpoint.direct_failed == 0) continue;
    page.field("",
               fmt::format("{}: {} now, {} in all, {} failed; connect {} us, round trip {} us",
                           endpoint.address, human_count(endpoint.direct_now),
                           human_count(endpoint.direct_total), human_count(endpoint.direct_failed),
                           endpoint.direct_connect_us, endpoint.direct_rtt_us));
  }
}

void add_service(TextPage& page, const StatusReport::Service& service) {
  page.blank();
  page.paragraph(
      0, 2,
      service.removed
          ? fmt::format("service {}, removed: its open connections go on", service.name)
          : fmt::format("service {} on {}", service.name, fmt::join(service.listen, ", ")));
  const auto most = service.max_connections == 0
                        ? ""
                        : fmt::format(" (at most {})", human_count(service.max_connections));
  const auto refused =
      service.refused == 0 ? "" : fmt::format(", {} refused", human_count(service.refused));
  const auto timed_out =
      service.timed_out == 0 ? "" : fmt::format(", {} timed out", human_count(service.timed_out));
  const auto queued = service.queued == 0
                          ? ""
                          : fmt::format(", {} queued ({} now)", human_count(service.queued),
                                        human_count(service.queued_now));
  page.paragraph(2, 2,
                 fmt::format("{} now{}, {} in all; {} retried, {} held{}, {} failed{}{}",
                             counted(service.connections_now, "connection"), most,
                             human_count(service.connections_total), human_count(service.retries),
                             human_count(service.held), queued, human_count(service.failed),
                             refused, timed_out));
  if (!service.policy.empty() && service.policy != "round_robin")
    page.field("policy", service.policy);
  add_direct(page, service);
  add_endpoints(page, service.endpoints);
  add_check_errors(page, service);
  if (!service.rejected.empty())
    page.field("rejected", counted(service.rejected.size(), "value") + ":");
  add_first_of(page, service.rejected);
  for (const auto& source : service.sources) add_source(page, source);
}

void add_connections(TextPage& page, const StatusReport::Connections& all) {
  page.blank();
  page.paragraph(
      0, 2,
      fmt::format("connections: {} now, {} in all, {} reset ({} had vanished); {} in the map "
                  "now",
                  human_count(all.now), human_count(all.total), human_count(all.resets),
                  human_count(all.vanished), human_count(all.in_map_now)));
  page.table({{"moved", Side::kLeft, 16},
              {"in the kernel", Side::kRight, 13},
              {"in user space", Side::kRight, 13}},
             {{"directions now", human_count(all.directions_in_kernel_now),
               human_count(all.directions_in_user_now)},
              {"to backends", human_bytes(all.to_backend.kernel_bytes),
               human_bytes(all.to_backend.user_bytes)},
              {"to clients", human_bytes(all.to_client.kernel_bytes),
               human_bytes(all.to_client.user_bytes)}});
  page.paragraph(
      2, 4,
      fmt::format("{} promoted, {} demoted, {} refused by the kernel; {} handed over, {} taken "
                  "back",
                  human_count(all.promoted), human_count(all.demoted),
                  human_count(all.refused_by_kernel), counted(all.handed_over, "direction"),
                  human_count(all.taken_back)));
  if (!all.last_refusal.empty()) page.paragraph(2, 4, "last refusal: " + all.last_refusal);
  if (all.lost_events > 0) page.paragraph(2, 4, counted(all.lost_events, "kernel event") + " lost");
  if (all.mismatches > 0)
    page.paragraph(2, 4,
                   "BYTES LOST OR DOUBLED: " + human_count(all.mismatches) +
                       " times what was received and sent on did not agree");
}

void add_registrations(TextPage& page, const StatusReport::Registrar& registrar) {
  if (registrar.registrations.empty()) page.paragraph(2, 2, "no container to register");
  std::vector<TextPage::Row> rows;
  for (const auto& registration : registrar.registrations)
    rows.push_back({registration.endpoint.empty() ? "-" : registration.endpoint, registration.state,
                    registration.key});
  if (!rows.empty())
    page.table({{"endpoint", Side::kLeft, 21},
                {"state", Side::kLeft, 12},
                {"key", Side::kLeft, TextPage::kColumns}},
               rows);
  for (const auto& [container, key, endpoint, state, note] : registrar.registrations)
    if (!note.empty()) page.paragraph(2, 4, fmt::format("{}: {}", key, note));
  for (const auto& [container, reason] : registrar.rejected)
    page.paragraph(2, 4, fmt::format("container {}: {}", container, reason));
}

// What a Docker Engine and an etcd have in common.
void add_health(TextPage& page, const auto& peer, const std::string& doing) {
  page.field("", fmt::format("{}{}, {}", peer.state, doing,
                             peer.heard_ms ? "heard " + human_span(*peer.heard_ms) + " ago"
                                           : "nothing heard yet"));
  if (peer.last_error.empty()) return;
  page.field("", fmt::format("last error{}: {}",
                             peer.failed_ms ? " " + human_span(*peer.failed_ms) + " ago" : "",
                             peer.last_error));
}

void add_registrar(TextPage& page, const StatusReport::Registrar& registrar) {
  page.blank();
  page.paragraph(0, 2,
                 fmt::format("registrar{}{}: advertises {}, keys live {}",
                             registrar.name.empty() ? "" : " ", registrar.name,
                             registrar.advertised.empty() ? "nothing yet" : registrar.advertised,
                             human_span(registrar.ttl_ms)));
  add_registrations(page, registrar);
  const auto& docker = registrar.docker;
  page.field("docker", docker.version.empty()
                           ? docker.from
                           : fmt::format("{}, API {}", docker.from, docker.version));
  add_health(page, docker, ": " + counted(docker.containers, "container"));
  page.field("", fmt::format("{}, {}, {}", counted(docker.lists, "listing"),
                             counted(docker.events, "event"), counted(docker.failures, "failure")));
  const auto& etcd = registrar.etcd;
  page.field("etcd", etcd.api.empty() ? etcd.from : fmt::format("{} {}", etcd.api, etcd.from));
  add_health(page, etcd, "");
  page.field("",
             fmt::format("{}, {}, {}, {} lost, {}", counted(etcd.writes, "write"),
                         counted(etcd.keepalives, "keepalive"), counted(etcd.deletes, "removal"),
                         human_count(etcd.lost), counted(etcd.failures, "failure")));
}

}  // namespace

std::string to_text(const StatusReport& report) {
  TextPage page;
  add_head(page, report);
  for (const auto& service : report.services) add_service(page, service);
  for (const auto& registrar : report.registrars) add_registrar(page, registrar);
  if (!report.engine.empty()) add_connections(page, report.connections);
  return page.take();
}

}  // namespace ambbpf
