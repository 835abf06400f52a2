// SPDX-License-Identifier: Apache-2.0
#include "userspace/registration/planner.h"

#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {

RegistrationPlanner::RegistrationPlanner(PlanRules rules, Want want)
    : rules_(std::move(rules)), want_(std::move(want)) {}

void RegistrationPlanner::advertise(const asio::ip::address& address) {
  rules_.advertised = address;
  plan_again();
}

void RegistrationPlanner::name_host(std::string name) {
  rules_.host_name = std::move(name);
  plan_again();
}

void RegistrationPlanner::consider(const Containers& containers) {
  containers_ = containers;
  plan_again();
}

void RegistrationPlanner::plan_again() {
  if (!containers_ || rules_.advertised.is_unspecified()) return;
  if (!rules_.only && rules_.host_name.empty()) return;
  const auto wanted_before = plan_ ? plan_->wanted() : WantedKeys();
  plan_ = ambbpf::plan(rules_, *containers_);
  tell(*plan_, wanted_before);
  want_(plan_->wanted(), plan_->why_not());
}

// Each reason once, until it changes. That of a key that stands goes with its deletion.
void RegistrationPlanner::tell(const Plan& plan, const WantedKeys& wanted_before) {
  auto reasons = plan.why_not();
  for (const auto& [key, reason] : reasons) {
    const auto told = told_.find(key);
    const bool known = told != told_.end() && told->second == reason;
    if (!known && !wanted_before.contains(key))
      log::info("{} is not registered: {}", printable(key), reason);
  }
  told_ = std::move(reasons);
  std::set<Complaint> complaints(plan.complaints.begin(), plan.complaints.end());
  for (const auto& complaint : complaints)
    if (!complained_.contains(complaint))
      log::warn("container {}: {}", printable(complaint.container), complaint.reason);
  complained_ = std::move(complaints);
}

}  // namespace ambbpf
