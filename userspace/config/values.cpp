// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "userspace/proxy/listen.h"

namespace ambbpf {

Result<std::chrono::milliseconds> read_duration(const Given& given) {
  constexpr std::uint64_t kLongest = 24 * 3600 * 1000;
  const auto& text = given.text();
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, end);
  if (error == std::errc::invalid_argument)
    return fail(fmt::format("'{}' is not a time, such as 250ms, 3s or 1m", text));
  if (unit.empty())
    return fail(fmt::format("'{}' needs a unit: ms, s or m, as in {}", text, given.as(text + "s")));
  const std::uint64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
  if (factor == 0)
    return fail(fmt::format("'{}' has the unit '{}'; there are ms, s and m", text, unit));
  if (error != std::errc{} || number > kLongest / factor)
    return fail(fmt::format("'{}' is more than a day", text));
  return std::chrono::milliseconds(number * factor);
}

Result<std::uint64_t> read_number(const Given& given, std::uint64_t least, std::uint64_t most) {
  const auto& text = given.text();
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end || number < least || number > most)
    return fail(fmt::format("'{}' is not a number from {} to {}", text, least, most));
  return number;
}

Result<std::string> read_choice(const Given& given, const std::vector<std::string>& choices) {
  if (std::ranges::find(choices, given.text()) != choices.end()) return given.text();
  return fail(fmt::format("'{}' is none of {}", given.text(), fmt::join(choices, ", ")));
}

Result<bool> read_flag(const Given& given) {
  auto text = given.text();
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto is_one_of = [&](std::initializer_list<const char*> words) {
    return std::ranges::find(words, text) != words.end();
  };
  if (is_one_of({"true", "yes", "on", "enable", "1", "t", "y", "+"})) return true;
  if (is_one_of({"false", "no", "off", "disable", "0", "f", "n", "-"})) return false;
  return fail(fmt::format("'{}' is neither true nor false", given.text()));
}

Result<tcp::endpoint> read_listen_address(const std::string& text) {
  if (text.starts_with(':')) {
    const auto port = parse_port(std::string_view(text).substr(1));
    if (!port) return tl::unexpected(port.error());
    return tcp::endpoint(any_address(), *port);
  }
  auto address = parse_address(text);
  if (!address)
    return fail(
        fmt::format("{}; it takes ADDRESS:PORT, as in 127.0.0.1:8080, or 0.0.0.0:8080 for every "
                    "address",
                    address.error().message()));
  return address;
}

bool is_container(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

Result<void> check_attributes(const EndpointAttributes& attributes) {
  std::set<std::string_view> known{"port", "host"};
  for (const auto& [name, value] : attributes)
    if (!known.insert(name).second)
      return fail(fmt::format("attribute {}: the value has that field already", name));
  return {};
}

}  // namespace ambbpf
