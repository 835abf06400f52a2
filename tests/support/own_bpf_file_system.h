// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ambbpf::test {

// At /sys/fs/bpf, in a mount namespace of this process's own: what programs pin there is seen by
// no other test, and gone with the object.
class OwnBpfFileSystem {
 public:
  OwnBpfFileSystem();
  ~OwnBpfFileSystem();
  OwnBpfFileSystem(const OwnBpfFileSystem&) = delete;
  OwnBpfFileSystem& operator=(const OwnBpfFileSystem&) = delete;
};

}  // namespace ambbpf::test
