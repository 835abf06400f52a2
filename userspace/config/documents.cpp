// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/documents.h"

#include <fmt/format.h>

#include "userspace/config/scopes.h"
#include "userspace/config/setting.h"

namespace ambbpf {
namespace {

// A bar would end a cell of a table.
std::string cell(std::string_view text) {
  std::string made;
  for (const char c : text) made += c == '|' ? std::string("\\|") : std::string(1, c);
  return made;
}

std::string code(std::string_view text) {
  return text.empty() ? "" : fmt::format("`{}`", cell(text));
}

std::string verbs_of(unsigned verbs) {
  std::string made;
  for (const auto& [verb, name] :
       {std::pair(kProxy, "proxy"), {kForward, "forward"}, {kRegister, "register"}})
    if ((verbs & verb) != 0) made += (made.empty() ? "" : ", ") + std::string(name);
  return made;
}

std::string row(const Setting& setting) {
  const auto fallback = setting.fallback.empty() ? cell(setting.usual) : code(setting.fallback);
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", code(setting.key),
                     code(setting.type), fallback, cell(setting.meaning), code(setting.flag),
                     code(setting.twin), verbs_of(setting.verbs));
}

}  // namespace

std::string settings_reference() {
  std::string made =
      "# All settings\n\n"
      "Printed by `ambbpf reference`, from the list that the program itself reads. A key stands in "
      "the configuration file, an option and its twin in the environment belong to the commands "
      "named in the last column. Where both an option and its twin are given, the option counts. "
      "A file is checked by `ambbpf check FILE` and put in force by `ambbpf run --config FILE`; "
      "the twins do not count for it.\n";
  for (const auto& [scope, title, place, words] : kScopes) {
    made += fmt::format("\n## {}\n\n{}\n\n", title, words);
    made += "| key | value | default | meaning | option | environment | commands |\n";
    made += "|---|---|---|---|---|---|---|\n";
    for (const auto& setting : all_settings())
      if (setting.scope == scope) made += row(setting);
  }
  return made +
         "\n## Besides\n\n"
         "`include` stands at the top of the main file: names or patterns of files, relative to "
         "it, as in `[\"conf.d/*.toml\"]`. They are read in the order of their names and may have "
         "every table but `[defaults]`. A name may stand once in all of the files. What "
         "`[defaults]` "
         "sets counts for each service that does not set it itself. `AMBBPF_ETCD_PASSWORD` holds "
         "the password of the etcd user of a command line.\n";
}

}  // namespace ambbpf
