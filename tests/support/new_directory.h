// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace ambbpf::test {

// An empty directory of the test's own, /tmp/ambbpf-WHAT-XXXXXX. The caller removes it.
inline std::string new_directory(const std::string& what) {
  std::string path = "/tmp/ambbpf-" + what + "-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + path);
  return path;
}

}  // namespace ambbpf::test
