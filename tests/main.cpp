// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>

#include "userspace/support/log.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // the relay asks for it
  ambbpf::log::set_up("error");
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
