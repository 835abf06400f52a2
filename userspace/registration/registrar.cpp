// SPDX-License-Identifier: Apache-2.0
#include "userspace/registration/registrar.h"

#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {

Registrar::Registrar(PlanRules rules, Want want)
    : rules_(std::move(rules)), want_(std::move(want)) {}

void Registrar::advertise(const asio::ip::address& address) {
  rules_.advertised = address;
  plan_again();
}

void Registrar::name_host(std::string name) {
  rules_.host_name = std::move(name);
  plan_again();
}

void Registrar::consider(const Containers& containers) {
  containers_ = containers;
  plan_again();
}

void Registrar::plan_again() {
  if (!containers_ || rules_.advertised.is_unspecified()) return;
  if (!rules_.only && rules_.host_name.empty()) return;
  plan_ = ambbpf::plan(rules_, *containers_);
  tell(*plan_);
  want_(plan_->wanted());
}

// Each reason once, until it changes.
void Registrar::tell(const Plan& plan) {
  std::map<std::string, std::string> reasons;
  for (const auto& planned : plan.keys) {
    if (planned.why_not.empty()) continue;
    const auto& reason = reasons[planned.key] = planned.why_not;
    const auto told = told_.find(planned.key);
    if (told == told_.end() || told->second != reason)
      log::info("{} is not registered: container {}: {}", printable(planned.key),
                printable(planned.container), reason);
  }
  told_ = std::move(reasons);
  std::set<Complaint> complaints(plan.complaints.begin(), plan.complaints.end());
  for (const auto& complaint : complaints)
    if (!complained_.contains(complaint))
      log::warn("container {}: {}", printable(complaint.container), complaint.reason);
  complained_ = std::move(complaints);
}

}  // namespace ambbpf
