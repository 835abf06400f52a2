// SPDX-License-Identifier: Apache-2.0
// Writing JSON that others read.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string_view>

#include "userspace/support/utf8.h"

namespace ambbpf {

// Writes ASCII only: what is beyond it as \uNNNN, which no terminal obeys.
using JsonWriter =
    rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::ASCII<>>;

// Bytes that are no UTF-8, at which the writer would stop, become U+FFFD.
inline void write_text(JsonWriter& out, std::string_view text) {
  const auto valid = valid_utf8(text);
  out.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
}

}  // namespace ambbpf
