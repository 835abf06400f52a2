// SPDX-License-Identifier: Apache-2.0
#include "tests/support/own_bpf_file_system.h"

#include <sched.h>
#include <sys/mount.h>

#include "tests/support/must.h"

namespace ambbpf::test {
namespace {

constexpr auto kPlace = "/sys/fs/bpf";

}  // namespace

OwnBpfFileSystem::OwnBpfFileSystem() {
  must(::unshare(CLONE_NEWNS) == 0, "unshare the mounts");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  must(::mount("bpf", kPlace, "bpf", 0, nullptr) == 0, "mount the BPF file system");
}

OwnBpfFileSystem::~OwnBpfFileSystem() { ::umount2(kPlace, MNT_DETACH); }

}  // namespace ambbpf::test
