// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/status_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/support/plain_text.h"

namespace ambbpf {
namespace {

void add_troubles(const StatusReport::Service& service, std::vector<std::string>& all) {
  if (service.removed) return;
  const auto is_down = [](const auto& endpoint) { return endpoint.check == "down"; };
  if (service.endpoints.empty())
    all.push_back(fmt::format("service {} has no endpoint", service.name));
  else if (std::ranges::all_of(service.endpoints, &StatusReport::Endpoint::drained))
    all.push_back(fmt::format("service {}: every endpoint is drained by hand", service.name));
  else if (std::ranges::none_of(service.endpoints, &StatusReport::Endpoint::is_in_use) &&
           std::ranges::any_of(service.endpoints, is_down))
    all.push_back(fmt::format("service {}: no endpoint passes its checks", service.name));
  else if (std::ranges::none_of(service.endpoints, &StatusReport::Endpoint::is_in_use))
    all.push_back(fmt::format("service {}: connecting to every endpoint fails", service.name));
  if (const auto count = service.used_all_the_same; count > 0)
    all.push_back(
        fmt::format("service {}: {} used although ejected (max_ejected)", service.name,
                    count == 1 ? "1 endpoint is" : fmt::format("{} endpoints are", count)));
  if (const auto count = service.rejected.size(); count > 0)
    all.push_back(fmt::format("service {}: {} rejected", service.name,
                              count == 1 ? "a value is" : fmt::format("{} values are", count)));
  if (service.direct == "failing")
    all.push_back(fmt::format("service {}: consumers cannot be connected straight to endpoints",
                              service.name));
  for (const auto& source : service.sources) {
    if (source.state == "failing")
      all.push_back(fmt::format("service {}: {} {} fails", service.name, source.kind, source.from));
    if (const auto count = source.rejected.size(); count > 0)
      all.push_back(fmt::format("service {}: {} of {} {} rejected", service.name,
                                counted(count, "value"), source.kind, count == 1 ? "is" : "are"));
  }
}

void add_troubles(const StatusReport::Registrar& registrar, std::vector<std::string>& all) {
  if (registrar.docker.state == "failing")
    all.push_back(fmt::format("docker {} fails", registrar.docker.from));
  if (registrar.etcd.state == "failing")
    all.push_back(fmt::format("etcd {} fails", registrar.etcd.from));
  for (const auto& registration : registrar.registrations)
    if (registration.state == "unreachable")
      all.push_back(fmt::format("container {}: {}", registration.container, registration.note));
  for (const auto& [container, reason] : registrar.rejected)
    all.push_back(fmt::format("container {}: {}", container, reason));
}

void add_troubles(const StatusReport::AccessLog& log, std::vector<std::string>& all) {
  constexpr std::uint64_t kRecently = 60'000;  // ms
  if (!log.last_error.empty()) all.push_back("access log " + log.last_error);
  if (log.lost_ms && *log.lost_ms < kRecently)
    all.push_back(fmt::format("access log {}: {} lost", log.target, counted(log.lost, "line")));
}

}  // namespace

std::vector<std::string> troubles(const StatusReport& report) {
  std::vector<std::string> all;
  if (const auto& error = report.configuration.last_error; !error.empty())
    all.push_back("the file as it is now is not in force: " + error);
  for (const auto& service : report.services) add_troubles(service, all);
  for (const auto& registrar : report.registrars) add_troubles(registrar, all);
  add_troubles(report.access_log, all);
  if (const auto count = report.connections.mismatches; count > 0)
    all.push_back("bytes received and sent on did not agree, " + counted(count, "time"));
  return all;
}

bool is_degraded(const StatusReport& report) { return !troubles(report).empty(); }

}  // namespace ambbpf
