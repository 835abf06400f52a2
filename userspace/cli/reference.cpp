// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "userspace/cli/verbs.h"

namespace ambbpf {
namespace {

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return fail(fmt::format("make {}: {}", path.parent_path().string(), error.message()));
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail_errno("write " + path.string());
  return {};
}

}  // namespace

int run_reference(const ReferenceOptions& options) {
  for (const auto& document : options.documents)
    if (const auto written = write_file(options.directory / document.path, document.text);
        !written) {
      complain(written.error().message());
      return 1;
    }
  return 0;
}

}  // namespace ambbpf
