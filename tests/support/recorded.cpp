// SPDX-License-Identifier: Apache-2.0
#include "tests/support/recorded.h"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace ambbpf::test {

std::string recorded(const std::string& name) {
  std::ifstream file(AMBBPF_RECORDED "/" + name, std::ios::binary);
  if (!file) throw std::runtime_error("no recorded answer " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  auto at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("not in the recorded answer: " + from);
  for (; at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace ambbpf::test
