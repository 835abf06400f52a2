// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ambbpf::test {

// One of `type` at `place`, in a mount namespace of this thread's own and of what it starts: nobody
// else sees it, and it is gone with the object. Throws std::system_error where that is not
// permitted.
class OwnFileSystem {
 public:
  OwnFileSystem(const char* type, std::string place, const char* options = "");
  ~OwnFileSystem();
  OwnFileSystem(const OwnFileSystem&) = delete;
  OwnFileSystem& operator=(const OwnFileSystem&) = delete;

 private:
  const std::string place_;
};

}  // namespace ambbpf::test
