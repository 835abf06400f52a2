// SPDX-License-Identifier: Apache-2.0
// The lines of the access log, as text or JSON.
#pragma once

#include <fmt/format.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "userspace/access/record.h"

namespace ambbpf {

enum class AccessFormat { kText, kJson };

inline constexpr std::array<std::pair<std::string_view, AccessFormat>, 2> kAccessFormats{{
    {"text", AccessFormat::kText},
    {"json", AccessFormat::kJson},
}};

// Makes lines of records. What many of them have in common, their service, listener and endpoint,
// is put into words once.
class AccessLines {
 public:
  // For the journal, an entry is its fields, a line each, and an empty line.
  enum class Frame { kLine, kJournalEntry };

  AccessLines(AccessFormat format, Frame frame) : format_(format), frame_(frame) {}

  void append(const AccessRecord& record, fmt::memory_buffer& out);
  std::string_view end_of_line() const { return frame_ == Frame::kLine ? "\n" : "\n\n"; }

 private:
  struct Origin {
    std::shared_ptr<const AccessOrigin> of;  // so that its address stays its own
    std::string words;
    std::string fields;  // of the journal
  };

  void append_line(const AccessRecord& record, const Origin& origin, std::string_view endpoint,
                   fmt::memory_buffer& out) const;
  const Origin& origin_of(const AccessRecord& record);
  std::string_view endpoint_of(const AccessRecord& record);

  const AccessFormat format_;
  const Frame frame_;
  std::unordered_map<const AccessOrigin*, Origin> origins_;
  std::map<tcp::endpoint, std::string> endpoints_;
};

}  // namespace ambbpf
