// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/plain_text.h"

#include <fmt/format.h>

#include <array>

namespace ambbpf {
namespace {

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
