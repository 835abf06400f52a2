// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/admin/host_names.h"

namespace ambbpf {
namespace {

TEST(HostNames, AddressesAndLocalhostAreOurs) {
  for (const auto* host : {"127.0.0.1", "127.0.0.1:9110", "10.1.2.3:80", "[::1]", "[::1]:9110",
                           "[fd00::7]:1", "localhost", "LocalHost:9110"})
    EXPECT_TRUE(is_ours(host, {})) << host;
}

TEST(HostNames, OtherNamesAreNotUnlessTheyAreConfigured) {
  for (const auto* host :
       {"", ":", ":9110", "rebound.example", "rebound.example:9110", "127.0.0.1.rebound.example",
        "localhost.rebound.example", "[rebound.example]", "[::1", "::1]:80", "127.0.0.1:80:80",
        "127.0.0.1:x", "[::1]x:80", "rebound.example@127.0.0.1", "127.0.0.1 rebound.example"})
    EXPECT_FALSE(is_ours(host, {"node1.example"})) << host;
  for (const auto* host : {"node1.example", "NODE1.example:9110"})
    EXPECT_TRUE(is_ours(host, {"other", "node1.example"})) << host;
}

}  // namespace
}  // namespace ambbpf
