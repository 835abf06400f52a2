// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/capability.h>

#include <array>

namespace ambbpf::test {

// For as long as this lives, the calling thread, and those that it starts, cannot use a capability
// (capabilities(7)); those that it has started keep it so.
class WithoutCapability {
 public:
  explicit WithoutCapability(int capability);
  ~WithoutCapability();
  WithoutCapability(const WithoutCapability&) = delete;
  WithoutCapability& operator=(const WithoutCapability&) = delete;

 private:
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> before_{};
};

}  // namespace ambbpf::test
