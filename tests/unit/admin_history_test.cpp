// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>

#include "userspace/admin/history.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(History, HasNothingAtFirst) {
  EXPECT_EQ(History().to_json(Clock::now()),
            R"({"every_ms":5000,"age_ms":[],"connections_now":[],"connections_total":[],)"
            R"("direct_now":[],"direct_total":[],"kernel_bytes":[],"user_bytes":[],)"
            R"("direct_bytes":[]})");
}

TEST(History, AddsUpWhatServicesAndBothDirectionsCarry) {
  StatusReport report;
  report.connections.now = 3;
  report.connections.total = 9;
  report.connections.to_backend = {.kernel_bytes = 100, .user_bytes = 10};
  report.connections.to_client = {.kernel_bytes = 200, .user_bytes = 20};
  StatusReport::Service service;
  service.direct_connects = 5;
  service.endpoints.resize(2);
  service.endpoints[0].direct_now = 1;
  service.endpoints[0].direct_bytes_to_backend = 1'000;
  service.endpoints[1].direct_now = 2;
  service.endpoints[1].direct_bytes_to_client = 2'000;
  report.services = {service, service};
  History history;
  const auto now = Clock::now();
  history.add({}, now - 5s);
  history.add(report, now);
  EXPECT_EQ(
      history.to_json(now + 100ms),
      R"({"every_ms":5000,"age_ms":[5100,100],"connections_now":[0,3],"connections_total":[0,9],)"
      R"("direct_now":[0,6],"direct_total":[0,10],"kernel_bytes":[0,300],"user_bytes":[0,30],)"
      R"("direct_bytes":[0,6000]})");
}

TEST(History, ForgetsWhatIsOlderThanAQuarterOfAnHour) {
  History history;
  StatusReport report;
  auto now = Clock::now();
  for (int i = 0; i < 1'000; ++i) {
    report.connections.total = 10'000 + i;
    history.add(report, now += History::kBetween);
  }
  const auto json = history.to_json(now);
  EXPECT_THAT(json, HasSubstr(R"("age_ms":[900000,895000,)"));
  EXPECT_THAT(json, HasSubstr(R"("connections_total":[10819,10820,)"));
  EXPECT_EQ(std::ranges::count(json, ','), 8 * 181);
}

}  // namespace
}  // namespace ambbpf
