// SPDX-License-Identifier: Apache-2.0
// The settings of active health checks.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "userspace/config/setting_readers.h"
#include "userspace/http/url.h"
#include "userspace/support/quote.h"

namespace ambbpf {

using namespace std::chrono_literals;

Result<void> read_check(const Given& given, Draft& draft) {
  static constexpr std::pair<std::string_view, CheckKind> kKinds[] = {
      {"off", CheckKind::kNone},  {"tcp", CheckKind::kTcp},     {"tls", CheckKind::kTls},
      {"http", CheckKind::kHttp}, {"https", CheckKind::kHttps}, {"expect", CheckKind::kExpect}};
  return read_one_of < kKinds, [](Draft & one) -> auto& { return one.service.check.kind; }
  > (given, draft);
}

Result<void> read_check_interval(const Given& given, Draft& draft) {
  const auto time = read_duration(given);
  if (time && *time < 100ms) return fail("must be at least 100ms");
  return keep(time, draft.service.check.interval);
}

Result<void> read_check_timeout(const Given& given, Draft& draft) {
  const auto time = read_duration(given);
  if (time && *time == 0ms) return fail("must be more than 0");
  return keep(time, draft.service.check.timeout);
}

Result<void> read_check_path(const Given& given, Draft& draft) {
  const auto& path = given.text();
  const auto is_of_a_url = [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '#'; };
  if (!path.starts_with('/') || !std::ranges::all_of(path, is_of_a_url))
    return fail(fmt::format("{} is not the path of a URL, such as /health", ambbpf::quoted(path)));
  draft.service.check.path = path;
  return {};
}

Result<void> read_check_host(const Given& given, Draft& draft) {
  if (const auto host = parse_authority(given.text()); !host) return tl::unexpected(host.error());
  draft.service.check.host = given.text();
  return {};
}

// A file has no control characters in its texts, so these are written as in C: \r, \n, \t, \\.
Result<void> read_check_send(const Given& given, Draft& draft) {
  std::string text;
  const auto& written = given.text();
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] != '\\') {
      text += written[i];
      continue;
    }
    constexpr std::string_view kEscapes = "rnt\\";
    const auto known = ++i < written.size() ? kEscapes.find(written[i]) : std::string::npos;
    if (known == std::string::npos)
      return fail(fmt::format("{}: there are \\r, \\n, \\t and, for itself, \\\\",
                              ambbpf::quoted(written)));
    text += "\r\n\t\\"[known];
  }
  draft.service.check.send = text;
  return {};
}

// "200" or "200-399".
Result<void> read_check_status(const Given& given, Draft& draft) {
  const auto& text = given.text();
  const char* const end = text.data() + text.size();
  unsigned least = 0;
  auto read = std::from_chars(text.data(), end, least);
  unsigned most = least;
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-')
    read = std::from_chars(read.ptr + 1, end, most);
  if (read.ec != std::errc{} || read.ptr != end || least < 100 || most > 599 || least > most)
    return fail(fmt::format("{} is no status of HTTP, such as 200, nor a range, such as 200-399",
                            ambbpf::quoted(text)));
  draft.service.check.least_status = least;
  draft.service.check.most_status = most;
  return {};
}

}  // namespace ambbpf
