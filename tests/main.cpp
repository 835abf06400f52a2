// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "tests/support/own_network.h"
#include "userspace/support/log.h"

namespace {

// Where servers of several tests run at once, no port may be another's (CTest sets it).
void enter_own_network_if_asked() {
  if (!std::getenv("AMBBPF_TEST_OWN_NETWORK")) return;
  try {
    ambbpf::test::enter_own_network({});
  } catch (const std::system_error& refused) {
    std::fprintf(stderr, "in the network of the machine: %s\n", refused.what());
  }
}

// Who runs several tests in one process, and wants to know when some were skipped, says with which
// exit code; by what is printed CTest would take a failure beside a skip for skipped as well.
int exit_code(int failed) {
  const char* skip_code = std::getenv("AMBBPF_TEST_SKIP_CODE");
  const bool any_skipped = testing::UnitTest::GetInstance()->skipped_test_count() > 0;
  return failed == 0 && any_skipped && skip_code ? std::atoi(skip_code) : failed;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // the relay asks for it
  ambbpf::log::set_up(std::getenv("AMBBPF_LOG_LEVEL") ? std::getenv("AMBBPF_LOG_LEVEL") : "error");
  // Its thread allocates as it begins. A child that is forked just then would wait for ever for the
  // lock of AddressSanitizer's heap: g++ 12's knows nothing of fork(2).
  ambbpf::log::flush();
  testing::InitGoogleTest(&argc, argv);
  enter_own_network_if_asked();
  return exit_code(RUN_ALL_TESTS());
}
