// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_common.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

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

}  // namespace

void add_duration(CLI::App& app, const std::string& name, const char* env, std::uint64_t& value,
                  const std::string& meaning) {
  static const std::map<std::string, std::uint64_t> units{{"ms", 1}, {"s", 1000}, {"m", 60'000}};
  constexpr std::uint64_t kLongest = 24 * 3600 * 1000;
  app.add_option(name, value, meaning)
      ->envname(env)
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"))
      ->check(CLI::Range(std::uint64_t{0}, kLongest))
      ->default_str(value % 1000 == 0 ? fmt::format("{}s", value / 1000)
                                      : fmt::format("{}ms", value));
}

void add_log_level(CLI::App& app, std::string& level) {
  app.add_option("--log-level", level, "What is worth a line on stderr")
      ->envname("AMBBPF_LOG_LEVEL")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->capture_default_str();
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
  const bool odd_character =
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.empty() || odd_character || name.starts_with('/') || name.ends_with('/') ||
      name.find("//") != std::string::npos)
    return fail(fmt::format("SERVICE '{}' cannot be the name of a directory in etcd",
                            odd_character ? "?" : name));
  return name;
}

}  // namespace ambbpf
