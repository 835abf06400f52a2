// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/proxy/admission.h"

namespace ambbpf::test {

TEST(Admission, IsForNoMoreConnectionsThanTheServiceMayHave) {
  const auto service = std::make_shared<Service>("web");
  service->limit_connections(2);
  const auto one = Admission::to(service);
  EXPECT_TRUE(one);
  {
    const auto other = Admission::to(service);
    EXPECT_TRUE(other);
    EXPECT_FALSE(Admission::to(service));
    EXPECT_EQ(service->connections_now, 2U);
    EXPECT_EQ(service->connections_total, 2U);
  }
  EXPECT_EQ(service->connections_now, 1U);
  EXPECT_TRUE(Admission::to(service));
}

TEST(Admission, CountsWithTheBackendFromWhenThereIsOneAndOnceWhereverItIsMovedTo) {
  const auto service = std::make_shared<Service>("web");
  const auto backend = std::make_shared<Backend>(parse_address("127.0.0.1:1").value());
  {
    auto admission = Admission::to(service);
    ASSERT_TRUE(admission);
    EXPECT_EQ(backend->connections_now, 0U);
    admission->served_by(backend);
    const Admission moved(std::move(*admission));
    admission.reset();
    EXPECT_EQ(backend->connections_now, 1U);
    EXPECT_EQ(service->connections_now, 1U);
  }
  EXPECT_EQ(backend->connections_now, 0U);
  EXPECT_EQ(backend->connections_total, 1U);
  EXPECT_EQ(service->connections_now, 0U);
  EXPECT_EQ(service->connections_total, 1U);
}

}  // namespace ambbpf::test
