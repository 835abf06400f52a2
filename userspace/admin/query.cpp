// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// "%20" as the byte that it stands for; empty: it stands for none.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    const char* digits = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
      return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

}  // namespace

Result<Query> query_of(std::string_view target) {
  Query query;
  auto rest = target.substr(std::min(target.find('?'), target.size()));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(part.size());
    if (part.empty()) continue;
    const auto equals = std::min(part.find('='), part.size());
    auto name = percent_decoded(part.substr(0, equals));
    auto value = percent_decoded(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value)
      return fail(fmt::format("{}: no two hexadecimal digits behind a %", ambbpf::quoted(part)));
    query.insert_or_assign(std::move(*name), std::move(*value));
  }
  return query;
}

Result<std::uint64_t> number_in(const Query& query, std::string_view name) {
  const auto field = query.find(name);
  if (field == query.end()) return 0;
  const auto& text = field->second;
  const char* end = text.data() + text.size();
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end)
    return fail(fmt::format("{}: a whole number from 0, not {}", name, ambbpf::quoted(text)));
  return number;
}

}  // namespace ambbpf
