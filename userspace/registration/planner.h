// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "userspace/registration/plan.h"

namespace ambbpf {

// Plans anew after every change of the containers, hands the wanted keys on, and tells of what it
// cannot register. Does no I/O itself.
class RegistrationPlanner {
 public:
  using Want = std::function<void(const WantedKeys&, const Reasons& why_not)>;

  // Nothing is planned before the address to advertise is known and, without `rules.only`, the
  // host's name; what is missing in `rules` comes by advertise() and name_host().
  RegistrationPlanner(PlanRules rules, Want want);

  void advertise(const asio::ip::address& address);
  void name_host(std::string name);
  void consider(const Containers& containers);

  // Nothing before the first plan.
  const std::optional<Plan>& plan() const { return plan_; }
  const asio::ip::address& advertised() const { return rules_.advertised; }

 private:
  void plan_again();
  void tell(const Plan& plan, const WantedKeys& wanted_before);

  PlanRules rules_;
  Want want_;
  std::optional<Containers> containers_;
  std::optional<Plan> plan_;
  Reasons told_;  // as last logged, here or with the key's deletion
  std::set<Complaint> complained_;
};

}  // namespace ambbpf
