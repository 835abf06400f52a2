// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/support/result.h"

namespace ambbpf {

// Cuts a stream into its JSON objects, however they are framed: concatenated, one a line, or each
// behind a record separator (RFC 7464). Whether what it cuts out is JSON throughout is for the
// parser to say.
class JsonSplitter {
 public:
  // `longest`: bytes of one object; more of them is an error.
  explicit JsonSplitter(std::size_t longest) : longest_(longest) {}

  // Takes the next piece of the stream, and gives the objects that are complete with it. After an
  // error the stream has no use any more.
  Result<std::vector<std::string>> take(std::string_view piece);

 private:
  bool take_inside(char c);  // true: that was the object's end

  const std::size_t longest_;
  std::string object_;     // what has come of one; empty between two
  std::size_t depth_ = 0;  // of braces and brackets
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace ambbpf
