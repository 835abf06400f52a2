// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "userspace/controller/registrar.h"

namespace ambbpf {

// The registrations in force, which come and go. On the controller's thread.
class Registrations {
 public:
  // At most, for keys to be removed.
  static constexpr std::chrono::seconds kWithdrawal{5};

  explicit Registrations(asio::io_context& io) : io_(io) {}

  // These are wanted from now on, and no others. One that has changed keeps its keys until its
  // successor has written its own.
  void change(const std::vector<RegistrationSettings>& wanted, const Origins& origins);

  // Withdraws what has been replaced, where it is time. True: nothing more is left to be replaced.
  bool settle();

  // Removes all keys. The last that is asked of *this.
  void withdraw_all();
  bool withdrawn() const { return withdrawing_ == 0; }

  std::string not_ready() const;
  std::vector<StatusReport::Registrar> report(Clock::time_point now) const;
  std::vector<std::string> summary() const;  // a line for each

 private:
  void withdraw(std::shared_ptr<Registrar> registrar);
  static awaitable<void> withdraw_one(Registrations& self, std::shared_ptr<Registrar> registrar);

  asio::io_context& io_;  // outlives *this, which outlives its run
  std::vector<std::shared_ptr<Registrar>> registrars_;
  struct Replaced {
    std::shared_ptr<Registrar> registrar;
    std::weak_ptr<Registrar> successor;
  };
  std::vector<Replaced> replaced_;
  std::size_t withdrawing_ = 0;
};

}  // namespace ambbpf
