// SPDX-License-Identifier: Apache-2.0
// The command line as tests give it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "userspace/config/command_line.h"

namespace ambbpf::test {

inline Result<Command> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "ambbpf");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

template <class Options>
Options parsed(const std::vector<const char*>& words) {
  const auto command = parse(words);
  EXPECT_TRUE(command) << (command ? "" : command.error().message());
  return std::get<Options>(*command);
}

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

}  // namespace ambbpf::test
