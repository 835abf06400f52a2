// SPDX-License-Identifier: Apache-2.0
// What operators order by hand: it counts until the file is read again, or the process ends.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "userspace/controller/forwarding.h"
#include "userspace/events/event_log.h"
#include "userspace/support/log.h"
#include "userspace/support/plain_text.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using What = Order::What;

// Who is meant by an order's `endpoint`. The error says whom it may mean. Of those that have been
// removed what is left can be reset.
Result<std::vector<tcp::endpoint>> endpoints_named(const Service& service, const Removals& removals,
                                                   const Order& order) {
  const auto set = service.in_force();
  const auto& named = order.endpoint;
  if (const auto address = parse_address(named)) {
    const auto overrides = service.overrides();
    const bool is_known = overrides.each.contains(*address) ||
                          std::ranges::any_of(*set, [&](const ListedEndpoint& listed) {
                            return listed.backend->address() == *address;
                          });
    const bool is_left = order.what == What::kReset && !removals.backends_of({*address}).empty();
    if (is_known || is_left) return std::vector{*address};
  }
  std::vector<tcp::endpoint> meant;
  std::set<std::string> names;
  for (const auto& listed : *set) {
    const auto& name = listed.found_as;
    if (name != named && !name.ends_with("/" + named) && !name.ends_with(" " + named)) continue;
    meant.push_back(listed.backend->address());
    names.insert(name);
  }
  if (names.size() == 1) return meant;
  if (names.size() > 1)
    return fail(fmt::format("service {}: {} may be {}; name one of them by its address",
                            service.name(), ambbpf::quoted(named), fmt::join(names, " or ")));
  std::vector<std::string> all;
  for (const auto& listed : *set) all.push_back(to_string(listed.backend->address()));
  return fail(fmt::format("service {} has no endpoint {}. There are: {}", service.name(),
                          ambbpf::quoted(named),
                          all.empty() ? "none" : fmt::format("{}", fmt::join(all, ", "))));
}

void override_one(const Order& order, std::optional<Override>& present) {
  if (order.what == What::kEnable) return present.reset();
  if (!present) present.emplace();
  if (order.what == What::kDrain) present->is_drained = true;
  if (order.what == What::kWeight) present->weight = static_cast<std::uint32_t>(order.weight);
  present->by = order.by;
  present->at = std::chrono::system_clock::now();
}

Overrides with(Overrides overrides, const Order& order, const std::vector<tcp::endpoint>& meant) {
  if (order.endpoint.empty()) {
    override_one(order, overrides.all);
    if (order.what == What::kEnable) overrides.each.clear();
  }
  for (const auto& address : meant) {
    const auto found = overrides.each.find(address);
    std::optional<Override> said;
    if (found != overrides.each.end()) said = found->second;
    override_one(order, said);
    if (said)
      overrides.each[address] = *said;
    else
      overrides.each.erase(address);
  }
  return overrides;
}

std::string outcome_of(const Order& order, const std::string& whom, std::uint64_t open) {
  const auto connections = counted(open, "connection");
  switch (order.what) {
    case What::kDrain:
      return fmt::format("{}: no new connections from now on; {} open", whom, connections);
    case What::kEnable:
      return fmt::format("{}: as the sources say again", whom);
    case What::kReset:
      return fmt::format("{}: {} reset", whom, connections);
    case What::kWeight:
      return fmt::format("{}: weight {}", whom, order.weight);
  }
  return whom;
}

std::string described(const Override& said) {
  std::string what = said.is_drained ? "drained" : "";
  if (said.weight) what += fmt::format("{}weight {}", what.empty() ? "" : ", ", *said.weight);
  return fmt::format("{} by {}", what, said.by);
}

}  // namespace

OrderAnswer Forwarding::carry_out(const Order& order) {
  using Outcome = OrderAnswer::Outcome;
  const auto* const served = served_named(order.service);
  if (!served) return {Outcome::kNoService, {}};
  if (order.weight > kMostWeight)
    return {Outcome::kRefused, fmt::format("weight {} is not 0 to {}", order.weight, kMostWeight)};
  auto& service = *served->service;
  std::vector<tcp::endpoint> meant;
  if (!order.endpoint.empty()) {
    auto named = endpoints_named(service, *served->removals, order);
    if (!named) return {Outcome::kRefused, named.error().message()};
    meant = std::move(*named);
  }
  const auto backends = served->removals->backends_of(meant);
  std::uint64_t open = 0;
  for (const auto& backend : backends) {
    open += backend->connections_now;
    if (direct_) open += direct_->counts(service, *backend).connections_now;
  }
  if (order.what == What::kReset)
    reset_connections(service, backends, EndReason::kResetByHand);
  else
    service.override_by(with(service.overrides(), order, meant));
  std::vector<std::string> whom;
  for (const auto& address : meant) whom.push_back(to_string(address));
  const auto outcome = outcome_of(
      order, meant.empty() ? "every endpoint" : fmt::format("{}", fmt::join(whom, ", ")), open);
  event_log().record({.service = service.name(),
                      .kind = std::string(event_kind::kByHand),
                      .outcome = outcome,
                      .endpoints = service.in_force()->size(),
                      .version = service.choice()->version},
                     {.what = "by " + order.by});
  log::info("service {}: by hand ({}): {}", service.name(), order.by, outcome);
  return {Outcome::kDone, fmt::format("service {}: {}", service.name(), outcome)};
}

std::vector<std::string> Forwarding::take_back_orders() {
  std::vector<std::string> lines;
  for (const auto& served : served_) {
    const auto before = served->service->overrides();
    served->service->override_by({});
    const auto taken_back = [&](const std::string& whom, const Override& said) {
      lines.push_back(fmt::format("service {}: {}: as the sources say again (it was {})",
                                  served->settings.name, whom, described(said)));
    };
    if (before.all) taken_back("every endpoint", *before.all);
    for (const auto& [address, said] : before.each) taken_back(to_string(address), said);
  }
  return lines;
}

}  // namespace ambbpf
