// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/directory.h"

namespace ambbpf {

std::string etcd_directory(std::string_view prefix, std::string_view service) {
  std::string directory;
  for (const auto part : {prefix, std::string_view("/"), service}) {
    for (const char c : part) {
      if (directory.empty() && c != '/') directory += '/';
      if (c != '/' || !directory.ends_with('/')) directory += c;
    }
  }
  while (directory.ends_with('/')) directory.pop_back();
  return directory;
}

}  // namespace ambbpf
