// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/json_splitter.h"

#include <fmt/format.h>

#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr char kRecordSeparator = '\x1e';

bool may_stand_between(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == kRecordSeparator;
}

}  // namespace

Result<std::vector<std::string>> JsonSplitter::take(std::string_view piece) {
  std::vector<std::string> objects;
  for (const char c : piece) {
    // No JSON holds this byte, hence what came before it was cut off.
    if (c == kRecordSeparator) object_.clear();
    if (object_.empty()) {
      if (may_stand_between(c)) continue;
      if (c != '{')
        return fail(fmt::format("{} where a JSON object should begin", quoted({&c, 1})));
      depth_ = 0;
      in_string_ = escaped_ = false;
    }
    if (object_.size() == longest_)
      return fail(fmt::format("a JSON object of more than {} bytes", longest_));
    object_ += c;
    if (take_inside(c)) objects.push_back(std::exchange(object_, {}));
  }
  return objects;
}

bool JsonSplitter::take_inside(char c) {
  if (in_string_) {
    if (!escaped_ && c == '"') in_string_ = false;
    escaped_ = !escaped_ && c == '\\';
  } else if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    return --depth_ == 0;
  }
  return false;
}

}  // namespace ambbpf
