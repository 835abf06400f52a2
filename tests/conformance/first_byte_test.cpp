// SPDX-License-Identifier: Apache-2.0
// How long backends take to say their first word, as user space sees it.
#include <numeric>
#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

std::uint64_t timed(const Histogram::Counts& counts) {
  return std::accumulate(counts.in_buckets.begin(), counts.in_buckets.end(), std::uint64_t{0});
}

TEST_P(RelayPromises, TimesTheFirstByteOfABackendAndNoOther) {
  start();
  client.send("question");
  EXPECT_EQ(backend.read(8), "question");
  let_the_kernel_take_over();
  std::this_thread::sleep_for(20ms);
  for (const auto* byte : {"a", "b"}) {
    backend.send(byte);
    EXPECT_EQ(client.read(1), byte);
  }
  const auto counts = proxy->service().first_bytes.counts();
  if (promotes_at_once()) {
    EXPECT_EQ(timed(counts), 0U) << "the kernel moved it";
  } else {
    EXPECT_EQ(timed(counts), 1U);
    EXPECT_GE(counts.sum_us, 20'000U);
  }
}

TEST_P(RelayPromises, TimesNoByteThatComesAfterAConnectionHasEnteredTheKernelPath) {
  promote_at_age(10ms);
  start();
  client.send("question");
  EXPECT_EQ(backend.read(8), "question");
  const bool enters = GetParam().relay.engine == Engine::kSockmap;
  if (enters) {
    ASSERT_TRUE(eventually([&] { return proxy->counts().promoted == 1; }));
  }
  // So much that the kernel program gives the direction back, and user space reads of it.
  const auto much = bytes_from_seed(1, 8 * kMiB);
  auto sending = in_background([&] { backend.send_and_finish(much); });
  EXPECT_TRUE(same(client.read_all(), much));
  sending.get();
  EXPECT_EQ(timed(proxy->service().first_bytes.counts()), enters ? 0U : 1U);
}

TEST_P(RelayPromises, TimesNothingOfABackendThatSaysNothing) {
  start();
  client.send_and_finish("question");
  EXPECT_EQ(backend.read_all(), "question");
  backend.finish();
  EXPECT_EQ(client.read_all(), "");
  EXPECT_EQ(timed(proxy->service().first_bytes.counts()), 0U);
}

}  // namespace
}  // namespace ambbpf::test
