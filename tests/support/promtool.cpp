// SPDX-License-Identifier: Apache-2.0
#include "tests/support/promtool.h"

#include <array>
#include <cstdio>
#include <fstream>

#include "tests/support/program.h"

namespace ambbpf::test {

std::optional<std::string> promtool_about(const std::string& metrics) {
  if (std::system("command -v promtool >/dev/null") != 0) return std::nullopt;
  const TemporaryDirectory place;
  const auto file = (place.path() / "metrics").string();
  std::ofstream(file) << metrics;
  std::FILE* output = ::popen(("promtool check metrics <" + file + " 2>&1").c_str(), "r");
  std::string said;
  std::array<char, 4096> piece;
  while (const auto size = std::fread(piece.data(), 1, piece.size(), output))
    said.append(piece.data(), size);
  if (const int status = ::pclose(output); status != 0)
    said += "promtool ended with " + std::to_string(status) + '\n';
  return said;
}

}  // namespace ambbpf::test
