// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/support/own_file_system.h"

namespace ambbpf::test {

// What programs pin there is seen by no other test.
class OwnBpfFileSystem {
 private:
  OwnFileSystem mounted_{"bpf", "/sys/fs/bpf"};
};

}  // namespace ambbpf::test
