// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "userspace/support/log.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // the relay asks for it
  ambbpf::log::set_up(std::getenv("AMBBPF_LOG_LEVEL") ? std::getenv("AMBBPF_LOG_LEVEL") : "error");
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
