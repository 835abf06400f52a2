// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "userspace/proxy/dial.h"

namespace ambbpf::test {
namespace {

awaitable<void> dial_to_the_end(Service& service, DialOptions options, Client client,
                                std::optional<Attempt> begun, tcp::endpoint& reached) {
  const UniqueFd no_client;
  const auto dialled =
      co_await dial(service, options, client, std::move(begun), no_client, std::nullopt);
  if (dialled) reached = dialled->backend->address();
}

// What policies compare: one that nobody took back would keep a backend from having its share.
TEST(Dial, IsCountedAtTheBackendForAsLongAsItIsMade) {
  const Listener open(loopback_v4());
  Service service("web");
  service.choose_by({policy_named("first")});
  service.publish(service.add_source(), {{free_address(), "closed"}, {open.address(), "open"}});
  const auto set = service.in_force();
  auto begun = begin_dial(service, {}, {}, FirstBytes::kUnknown);
  ASSERT_TRUE(begun);
  EXPECT_EQ(set->at(0).backend->busy(), 1U);
  EXPECT_EQ(set->at(1).backend->busy(), 0U);

  asio::io_context io;
  tcp::endpoint reached;
  spawn(io, dial_to_the_end(service, {}, {}, std::move(begun), reached));
  io.run();
  EXPECT_EQ(reached, open.address());
  for (const auto& listed : *set) EXPECT_EQ(listed.backend->busy(), 0U) << listed.found_as;
}

TEST(Dial, IsCountedOnceWhereverItIsMovedTo) {
  const auto backend = std::make_shared<Backend>(parse_address("127.0.0.1:1").value());
  {
    Making one(backend);
    Making other(std::move(one));
    EXPECT_EQ(backend->connecting, 1U);
    other = Making(backend);
    EXPECT_EQ(backend->connecting, 1U);
  }
  EXPECT_EQ(backend->connecting, 0U);
}

}  // namespace
}  // namespace ambbpf::test
