// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "userspace/support/asio.h"
#include "userspace/support/log_limit.h"

namespace ambbpf {

// "3 endpoints: 10.0.0.1:80, ..." where there was none before, else what has changed:
// "+10.0.0.9:80 -10.0.0.4:80 (3 endpoints)". Names ten addresses at most, and counts the rest.
std::string describe_change(const std::set<tcp::endpoint>& before,
                            const std::set<tcp::endpoint>& after);

// Logs how the endpoints of a service change, in a few lines a second at most: what is left out is
// part of the next line.
class ChangeLog {
 public:
  // Asked again without a change it makes up for what was left out.
  void tell(const std::string& service, std::set<tcp::endpoint> endpoints);

  bool has_left_out() const { return left_out_; }  // since the last line

 private:
  std::set<tcp::endpoint> told_;
  bool left_out_ = false;
  LogLimit limit_{5};
};

}  // namespace ambbpf
