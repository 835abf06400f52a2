// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/signal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>

namespace ambbpf {
namespace {

// By number, from 1. SIGRTMIN is 34 for Docker whatever the C library keeps for itself.
constexpr std::array<std::string_view, 31> kNames{
    "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1", "SEGV",
    "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN", "TTOU",
    "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
constexpr int kRealTimeFirst = 34;
constexpr int kRealTimeLast = 64;

std::optional<int> number_in(std::string_view text, int first, int last) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end || number < first || number > last) return std::nullopt;
  return number;
}

// What follows "RTMIN" or "RTMAX": nothing, or the sign and a number.
std::optional<int> real_time(std::string_view offset, char sign, int from, int step) {
  if (offset.empty()) return from;
  if (offset.front() != sign) return std::nullopt;
  const auto distance = number_in(offset.substr(1), 0, kRealTimeLast - kRealTimeFirst);
  if (!distance) return std::nullopt;
  return from + step * *distance;
}

}  // namespace

std::optional<int> signal_number(std::string_view text) {
  if (const auto number = number_in(text, 1, kRealTimeLast)) return number;
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string_view name = upper;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  if (name.starts_with("RTMIN")) return real_time(name.substr(5), '+', kRealTimeFirst, 1);
  if (name.starts_with("RTMAX")) return real_time(name.substr(5), '-', kRealTimeLast, -1);
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<int>(found - kNames.begin()) + 1;
}

}  // namespace ambbpf
