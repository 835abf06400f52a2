// SPDX-License-Identifier: Apache-2.0
#include "tests/support/own_file_system.h"

#include <sched.h>
#include <sys/mount.h>

#include <utility>

#include "tests/support/must.h"

namespace ambbpf::test {

OwnFileSystem::OwnFileSystem(const char* type, std::string place, const char* options)
    : place_(std::move(place)) {
  must(::unshare(CLONE_NEWNS) == 0, "unshare the mounts");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  must(::mount(type, place_.c_str(), type, 0, options) == 0, "mount " + place_);
}

OwnFileSystem::~OwnFileSystem() { ::umount2(place_.c_str(), MNT_DETACH); }

}  // namespace ambbpf::test
