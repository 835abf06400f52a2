// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "userspace/support/asio.h"

namespace ambbpf {

// Shared by all who follow the same etcd. They find the same trouble out at about the same time,
// each for itself; one of them tells the operator.
class EtcdOutages {
 public:
  // False if somebody has asked for the same `trouble` ("outage") a moment ago.
  bool is_news(const std::string& trouble) {
    constexpr std::chrono::seconds kSameEvent{20};  // an outage may take a time-out to be noticed
    const auto now = Clock::now();
    const auto [known, first] = told_.try_emplace(trouble, now);
    const bool news = first || now - known->second > kSameEvent;
    if (news) known->second = now;
    return news;
  }

 private:
  std::map<std::string, Clock::time_point> told_;
};

}  // namespace ambbpf
