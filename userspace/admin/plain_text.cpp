// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/plain_text.h"

#include <fmt/format.h>

#include <array>

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

// The value in the largest unit that leaves at least 1 before the point: "1.4" and "12", never
// "1000.0" of a unit that has a next one.
std::string scaled(std::uint64_t value, double step, const char* const* units) {
  auto amount = static_cast<double>(value);
  while (amount >= step * 0.9995 && units[1] != nullptr) {
    amount /= step;
    ++units;
  }
  return amount < 99.95 ? fmt::format("{:.1f}{}", amount, *units)
                        : fmt::format("{:.0f}{}", amount, *units);
}

constexpr const char* kBytes[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB", nullptr};
constexpr const char* kCounts[] = {"", "k", "M", "G", "T", "P", "E", nullptr};

}  // namespace

std::string plain(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~')
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

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

std::string shortened(std::string text, std::size_t columns) {
  if (text.size() <= columns) return text;
  return text.substr(0, columns - 1) + "…";
}

std::string shortened_in_front(std::string text, std::size_t columns) {
  if (text.size() <= columns) return text;
  return "…" + text.substr(text.size() - (columns - 1));
}

std::string human_bytes(std::uint64_t bytes) {
  return bytes < 1024 ? fmt::format("{} B", bytes) : scaled(bytes, 1024, kBytes);
}

std::string human_count(std::uint64_t count) {
  return count < 10'000'000 ? fmt::format("{}", count) : scaled(count, 1000, kCounts);
}

std::string human_span(std::uint64_t milliseconds) {
  const std::uint64_t seconds = milliseconds / 1000;
  const std::uint64_t minutes = seconds / 60;
  const std::uint64_t hours = minutes / 60;
  if (seconds == 0) return fmt::format("{}ms", milliseconds);
  if (minutes == 0) return fmt::format("{}s", seconds);
  if (hours == 0) return fmt::format("{}m{}s", minutes, seconds % 60);
  if (hours < 24) return fmt::format("{}h{}m", hours, minutes % 60);
  return fmt::format("{}d{}h", hours / 24, hours % 24);
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", human_count(count), noun, count == 1 ? "" : "s");
}

}  // namespace ambbpf
