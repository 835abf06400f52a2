// SPDX-License-Identifier: Apache-2.0
// What the connections do: asked of the workers, told as a report.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "userspace/controller/forwarding.h"
#include "userspace/controller/report.h"
#include "userspace/support/plain_text.h"
#include "userspace/support/quote.h"

namespace ambbpf {

namespace {

using By = ConnectionsWanted::By;

By by_of(const std::string& sort) {
  return sort == "age" ? By::kAge : sort == "rate" ? By::kRate : By::kBytes;
}

ConnectionReport::Leg leg_from(const LegFacts& leg, std::string address) {
  return {.address = std::move(address),
          .rtt_us = static_cast<std::uint64_t>(leg.round_trip.count()),
          .retransmits = leg.retransmits};
}

ConnectionReport::Direction direction_from(const DirectionFacts& direction, std::uint64_t bytes,
                                           std::uint64_t a_second, Clock::time_point now) {
  return {.bytes = bytes,
          .bytes_per_second = a_second,
          .by = std::string(name_of(direction.by)),
          .why = direction.by == Mover::kKernel
                     ? "for " + human_span(milliseconds_between(direction.since, now))
                     : std::string(direction.why)};
}

ConnectionReport::Connection connection_from(const ListedConnection& listed,
                                             Clock::time_point now) {
  const auto& [connection, to_backend, to_client, client, backend] = listed.facts;
  return {.service = listed.service,
          .age_ms = milliseconds_between(connection.since, now),
          .client = leg_from(client, client.peer ? to_string(*client.peer) : ""),
          .backend = leg_from(backend, to_string(listed.backend)),
          .to_backend = direction_from(to_backend, connection.bytes_to_backend,
                                       listed.a_second.to_backend, now),
          .to_client = direction_from(to_client, connection.bytes_to_client,
                                      listed.a_second.to_client, now)};
}

// The highest of all workers.
std::vector<ListedConnection> merged(std::vector<ConnectionList>& answers, std::size_t limit) {
  std::vector<ListedConnection> all;
  for (auto& answer : answers) std::ranges::move(answer.connections, std::back_inserter(all));
  std::ranges::stable_sort(all, std::greater(), &ListedConnection::key);
  if (all.size() > limit) all.resize(limit);
  return all;
}

void add(const ConnectionList::Sums& sums, ConnectionReport::Service& to) {
  to.open += sums.open;
  to.bytes_to_backend += sums.moved.to_backend;
  to.bytes_to_client += sums.moved.to_client;
  to.directions_in_kernel += sums.directions_in_kernel;
}

}  // namespace

std::vector<std::shared_ptr<const Service>> Forwarding::services_named(
    const std::string& name) const {
  std::vector<std::shared_ptr<const Service>> found;
  const auto is_meant = [&name](const Service& service) {
    return name.empty() || service.name() == name;
  };
  for (const auto& served : served_)
    if (is_meant(*served->service)) found.push_back(served->service);
  for (const auto& service : removed_)
    if (is_meant(*service) && service->connections_now > 0) found.push_back(service);
  return found;
}

std::uint64_t Forwarding::direct_connections(const Service& service) const {
  if (!direct_ || !direct_->sent(service)) return 0;
  std::uint64_t now = 0;
  for (const auto& endpoint : *service.in_force())
    now += direct_->counts(service, *endpoint.backend).connections_now;
  return now;
}

awaitable<Result<ConnectionReport>> Forwarding::list_connections(ConnectionsQuestion question) {
  ConnectionsWanted wanted{.services = services_named(question.service),
                           .by = by_of(question.sort),
                           .limit = question.limit};
  if (wanted.services.empty() && !question.service.empty()) {
    std::set<std::string> names;
    for (const auto& service : services_named({})) names.insert(service->name());
    co_return fail(fmt::format("there is no service {}; there are {}",
                               ambbpf::quoted(question.service), fmt::join(names, ", ")));
  }
  ConnectionReport report;
  report.threads = workers_->size();
  report.sort = question.sort;
  if (question.limit > 0)
    report.window_ms = std::chrono::milliseconds(ConnectionList::kWindow).count();
  // Before the walk: a connection that ends during it may be missed once, and counts in no two.
  for (const auto& service : wanted.services)
    report.services.push_back({.name = service->name(),
                               .ended_bytes_to_backend = service->bytes_to_backend,
                               .ended_bytes_to_client = service->bytes_to_client,
                               .direct_now = direct_connections(*service)});
  const auto services = wanted.services;
  auto lists = co_await workers_->list(std::move(wanted));
  report.silent_threads = lists.silent;
  for (const auto& answer : lists.answers)
    for (std::size_t i = 0; i < services.size(); ++i)
      if (const auto sums = answer.sums.find(services[i].get()); sums != answer.sums.end())
        add(sums->second, report.services[i]);
  const auto now = Clock::now();
  for (const auto& listed : merged(lists.answers, question.limit))
    report.connections.push_back(connection_from(listed, now));
  co_return report;
}

}  // namespace ambbpf
