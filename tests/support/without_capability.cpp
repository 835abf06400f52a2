// SPDX-License-Identifier: Apache-2.0
#include "tests/support/without_capability.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace ambbpf::test {
namespace {

// glibc has no function for either.
void must_call(long number, __user_cap_data_struct* sets) {
  __user_cap_header_struct thread{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  if (::syscall(number, &thread, sets) != 0)
    throw std::system_error(errno, std::system_category(), "the thread's capabilities");
}

}  // namespace

WithoutCapability::WithoutCapability(int capability) {
  must_call(SYS_capget, before_.data());
  auto fewer = before_;
  fewer[CAP_TO_INDEX(capability)].effective &= ~static_cast<std::uint32_t>(CAP_TO_MASK(capability));
  must_call(SYS_capset, fewer.data());
}

WithoutCapability::~WithoutCapability() { must_call(SYS_capset, before_.data()); }

}  // namespace ambbpf::test
