// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/utf8.h"

#include <cstddef>

namespace ambbpf {
namespace {

// The length of the UTF-8 character that `text` begins with; 0 if it begins with none. Overlong
// forms, surrogates and code points beyond U+10FFFF are none.
std::size_t character_at(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2   ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool beyond = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto length = character_at(text);
    if (length > 0)
      out += text.substr(0, length);
    else
      out += "\ufffd";
    text.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

}  // namespace ambbpf
