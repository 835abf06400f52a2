// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_common.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "userspace/endpoints/service_name.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {
namespace {

Result<void> check_readable(const std::string& file) {
  if (file.empty()) return {};
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  char byte = 0;
  if (!opened || ::read(opened.get(), &byte, 1) < 0) return fail_errno(file);
  return {};
}

// "250ms", "3s" and "1m" become milliseconds; otherwise the error.
std::string read_duration(const std::string& name, std::string& text) {
  constexpr std::uint64_t kLongest = 24 * 3600 * 1000;
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, end);
  if (error == std::errc::invalid_argument)
    return fmt::format("'{}' is not a time, such as 250ms, 3s or 1m", text);
  if (unit.empty())
    return fmt::format("'{0}' needs a unit: ms, s or m, as in {1} {0}s", text, name);
  const std::uint64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
  if (factor == 0) return fmt::format("'{}' has the unit '{}'; there are ms, s and m", text, unit);
  if (error != std::errc{} || number > kLongest / factor)
    return fmt::format("'{}' is more than a day", text);
  text = std::to_string(number * factor);
  return {};
}

}  // namespace

void add_duration(CLI::App& app, const std::string& name, const char* env, std::uint64_t& value,
                  const std::string& meaning) {
  app.add_option(name, value, meaning)
      ->envname(env)
      ->type_name("TIME")
      ->transform([name](std::string text) {
        if (auto wrong = read_duration(name, text); !wrong.empty())
          throw CLI::ValidationError(wrong, CLI::ExitCodes::ValidationError);
        return text;
      })
      ->default_str(value % 1000 == 0 ? fmt::format("{}s", value / 1000)
                                      : fmt::format("{}ms", value));
}

void add_number(CLI::App& app, const std::string& name, const char* env, unsigned& value,
                unsigned least, unsigned most, const std::string& meaning) {
  app.add_option(name, value, meaning)
      ->envname(env)
      ->type_name("NUMBER")
      ->check([least, most](const std::string& text) -> std::string {
        unsigned number = 0;
        const char* end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, number);
        if (error == std::errc{} && rest == end && number >= least && number <= most) return {};
        return fmt::format("'{}' is not a number from {} to {}", text, least, most);
      });
}

void add_choice(CLI::App& app, const std::string& name, const char* env, std::string& value,
                const std::vector<std::string>& choices, const std::string& meaning) {
  app.add_option(name, value, meaning)
      ->envname(env)
      ->type_name(fmt::format("{}", fmt::join(choices, "|")))
      ->check([choices](const std::string& text) -> std::string {
        if (std::ranges::find(choices, text) != choices.end()) return {};
        return fmt::format("'{}' is none of {}", text, fmt::join(choices, ", "));
      })
      ->capture_default_str();
}

void add_log_level(CLI::App& app, std::string& level) {
  add_choice(app, "--log-level", "AMBBPF_LOG_LEVEL", level, {"error", "warn", "info", "debug"},
             "What is worth a line on stderr");
}

void add_admin(CLI::App& app, std::string& path, const char* meaning) {
  app.add_option("--admin", path, meaning)->envname("AMBBPF_ADMIN")->type_name("PATH");
}

Result<HttpAccess> checked_tls(std::string_view server, std::string ca, std::string certificate,
                               std::string key) {
  if (certificate.empty() != key.empty())
    return fail(key.empty() ? fmt::format("--{0}-cert: needs --{0}-key as well", server)
                            : fmt::format("--{0}-key: needs --{0}-cert as well", server));
  for (const auto& [option, file] : {std::pair("ca", &ca), {"cert", &certificate}, {"key", &key}}) {
    const auto readable = check_readable(*file);
    if (!readable)
      return fail(fmt::format("--{}-{}: {}", server, option, readable.error().message()));
  }
  return HttpAccess{.unix_socket = {},
                    .ca = std::move(ca),
                    .certificate = std::move(certificate),
                    .key = std::move(key)};
}

Result<std::string> checked_service(const std::string& name) {
  if (const auto why = why_no_service(name); !why.empty())
    return fail(fmt::format("SERVICE '{}' cannot name a service: it {}", name, why));
  return name;
}

}  // namespace ambbpf
