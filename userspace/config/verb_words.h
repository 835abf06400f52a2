// SPDX-License-Identifier: Apache-2.0
// What the manual says of each verb beside what `--help` does.
#pragma once

#include <span>
#include <string_view>

namespace ambbpf {

struct ExitStatus {
  int code;
  std::string_view meaning;
};

struct VerbWords {
  std::string_view verb;
  std::string_view description;  // paragraphs, each a line
  std::span<const ExitStatus> exits;
};

// Null: nobody has written them.
const VerbWords* words_of_verb(std::string_view verb);

}  // namespace ambbpf
