// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_common.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "userspace/support/unique_fd.h"

namespace ambbpf {

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

Result<void> checked_file(std::string_view option, const std::string& path) {
  if (path.empty()) return {};
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(fmt::format("{}: open {}", option, path));
  return {};
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
