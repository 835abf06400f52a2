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
    EXPECT_EQ(service->connections_total, 0U) << "nobody has looked at its client";
    admission->is_let_in();
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

std::uint64_t lives_of(const Service& service) {
  std::uint64_t lives = 0;
  for (const auto some : service.lives.counts().in_buckets) lives += some;
  return lives;
}

TEST(Admission, CountsBytesAndLifeOfAConnectionThatHadABackendOnceAtItsEnd) {
  const auto service = std::make_shared<Service>("web");
  const auto backend = std::make_shared<Backend>(parse_address("127.0.0.1:1").value());
  Admission::to(service);
  EXPECT_EQ(lives_of(*service), 0U) << "it never had one";
  {
    auto admission = Admission::to(service);
    admission->served_by(backend);
    Admission moved(std::move(*admission));
    admission.reset();
    EXPECT_EQ(lives_of(*service), 0U);
    moved.moved(3, 4);
  }
  EXPECT_EQ(lives_of(*service), 1U);
  EXPECT_EQ(service->bytes_to_backend, 3U);
  EXPECT_EQ(service->bytes_to_client, 4U);
  EXPECT_EQ(backend->bytes_to_backend, 3U);
  EXPECT_EQ(backend->bytes_to_client, 4U);
}

}  // namespace ambbpf::test
