// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/registrations.h"

#include <algorithm>

namespace ambbpf {

void Registrations::change(const std::vector<RegistrationSettings>& wanted,
                           const Origins& origins) {
  auto before = std::exchange(registrars_, {});
  for (const auto& settings : wanted) {
    const auto known = std::ranges::find(before, settings.name, &Registrar::name);
    if (known != before.end() && (*known)->is_for(settings, origins)) {
      registrars_.push_back(std::move(*known));
      before.erase(known);
      continue;
    }
    auto made = std::make_shared<Registrar>(settings, origins.etcds.at(settings.etcd),
                                            origins.dockers.at(settings.docker));
    made->start(io_, known != before.end() ? *known : nullptr);
    if (known != before.end()) {
      replaced_.push_back({std::move(*known), made});
      before.erase(known);
    }
    registrars_.push_back(std::move(made));
  }
  for (auto& gone : before) withdraw(std::move(gone));
}

// A successor that has gone before it was ready leaves its predecessor to be withdrawn as well.
bool Registrations::settle() {
  std::erase_if(replaced_, [this](Replaced& replaced) {
    const auto successor = replaced.successor.lock();
    if (successor && !successor->has_registered()) return false;
    withdraw(std::move(replaced.registrar));
    return true;
  });
  return replaced_.empty();
}

void Registrations::withdraw_all() {
  for (const auto& registrar : registrars_) withdraw(registrar);
  for (auto& replaced : std::exchange(replaced_, {})) withdraw(std::move(replaced.registrar));
}

void Registrations::withdraw(std::shared_ptr<Registrar> registrar) {
  ++withdrawing_;
  spawn(io_, withdraw_one(*this, std::move(registrar)));
}

awaitable<void> Registrations::withdraw_one(Registrations& self,
                                            std::shared_ptr<Registrar> registrar) {
  co_await Registrar::withdraw(std::move(registrar), Clock::now() + kWithdrawal);
  --self.withdrawing_;
}

std::string Registrations::not_ready() const {
  for (const auto& registrar : registrars_)
    if (auto why_not = registrar->not_ready(); !why_not.empty()) return why_not;
  return {};
}

std::vector<StatusReport::Registrar> Registrations::report(Clock::time_point now) const {
  std::vector<StatusReport::Registrar> reports;
  for (const auto& registrar : registrars_) reports.push_back(registrar->report(now));
  return reports;
}

std::vector<std::string> Registrations::summary() const {
  std::vector<std::string> lines;
  for (const auto& registrar : registrars_) lines.push_back(registrar->summary());
  return lines;
}

}  // namespace ambbpf
