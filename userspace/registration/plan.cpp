// SPDX-License-Identifier: Apache-2.0
#include "userspace/registration/plan.h"

#include <fmt/format.h>

#include "userspace/docker/labels.h"
#include "userspace/etcd/directory.h"
#include "userspace/registration/published_address.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// Fills in the value, or why there is none.
void value_for(PlannedKey& planned, const PlanRules& rules, const Containers& containers,
               const Container& container, unsigned short port,
               const EndpointAttributes& attributes) {
  planned.why_not = why_not_available(container, rules.ignore_health);
  if (!planned.why_not.empty()) return;
  const auto address = published_address(containers, container, port, rules.advertised);
  if (!address) {
    planned.why_not = address.error().message();
    planned.unreachable = true;
    return;
  }
  planned.endpoint = *address;
  planned.value = encode_endpoint_value(*address, attributes);
}

PlannedKey named(const PlanRules& rules, const NamedPort& only, const Containers& containers) {
  PlannedKey planned;
  planned.container = only.container;
  planned.key = etcd_directory(rules.prefix, only.service) + "/" + only.container;
  if (const auto* container = find_container(containers, only.container))
    value_for(planned, rules, containers, *container, only.port, only.attributes);
  else
    planned.why_not = "there is no such container";
  return planned;
}

void labelled(Plan& plan, const PlanRules& rules, const Containers& containers,
              const Container& container) {
  const auto provided = services_of(container);
  for (const auto& complaint : provided.complaints)
    plan.complaints.push_back({container.name, complaint});
  for (const auto& [service, port, attributes] : provided.services) {
    PlannedKey planned;
    planned.container = container.name;
    planned.key = fmt::format("{}/{}:{}:{}", etcd_directory(rules.prefix, service), rules.host_name,
                              container.name, port);
    value_for(planned, rules, containers, container, port, attributes);
    plan.keys.push_back(std::move(planned));
  }
}

}  // namespace

WantedKeys Plan::wanted() const {
  WantedKeys wanted;
  for (const auto& planned : keys)
    if (planned.endpoint) wanted.emplace(planned.key, planned.value);
  return wanted;
}

bool is_of_host(std::string_view host_name, std::string_view key, std::string_view value) {
  const auto name = key.substr(key.rfind('/') + 1);
  return !host_name.empty() && name.starts_with(fmt::format("{}:", host_name)) &&
         value.starts_with(R"({"port":)") && decode_endpoint_value(value);
}

Reasons Plan::why_not() const {
  Reasons reasons;
  for (const auto& planned : keys)
    if (!planned.endpoint)
      reasons.emplace(planned.key, fmt::format("container {}: {}", printable(planned.container),
                                               planned.why_not));
  return reasons;
}

Plan plan(const PlanRules& rules, const Containers& containers) {
  Plan plan;
  if (rules.only) {
    plan.keys.push_back(named(rules, *rules.only, containers));
    return plan;
  }
  for (const auto& [id, container] : containers)
    if (container.state != Container::State::kAway) labelled(plan, rules, containers, container);
  return plan;
}

}  // namespace ambbpf
