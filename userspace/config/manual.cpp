// SPDX-License-Identifier: Apache-2.0
// The manual, for man(1).
#include <fmt/format.h>

#include "userspace/config/documents.h"
#include "userspace/config/scopes.h"
#include "userspace/config/setting.h"

namespace ambbpf {
namespace {

// So that nothing is taken for a request or an escape, and dashes can be copied.
std::string roff(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '\\')
      made += "\\e";
    else if (c == '-')
      made += "\\-";
    else
      made += c;
  }
  return made.starts_with('.') || made.starts_with('\'') ? "\\&" + made : made;
}

std::string heading(std::string_view name, std::string_view section) {
  return fmt::format(".TH {} {} \"\" \"ambbpf " AMBBPF_VERSION "\"\n", name, section);
}

std::string item(std::string_view word, std::string_view type, std::string_view text) {
  return fmt::format(".TP\n\\fB{}\\fR {}\n{}\n", roff(word),
                     type.empty() ? "" : fmt::format("\\fI{}\\fR", roff(type)), roff(text));
}

std::string described(std::string_view meaning, std::string_view fallback, std::string_view twin) {
  std::string text(meaning);
  if (!fallback.empty()) text += fmt::format(" (default: {})", fallback);
  if (!twin.empty()) text += fmt::format(" [{}]", twin);
  return text + ".";
}

std::string items_of(const CLI::App& verb) {
  std::string made;
  for (const auto* option : verb.get_options()) {
    if (option->get_name() == "--help") continue;
    const bool positional = option->get_positional();
    const bool flag = option->get_type_size() == 0;
    const auto name = positional ? option->get_type_name() : option->get_name();
    made += item(
        name, positional || flag ? "" : option->get_type_name(),
        described(option->get_description(), option->get_default_str(), option->get_envname()));
  }
  return made;
}

}  // namespace

std::string manual_of_commands(const CLI::App& app) {
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  auto made = heading("AMBBPF", "1") + ".SH NAME\nambbpf \\- a TCP ambassador\n.SH SYNOPSIS\n";
  for (const auto* verb : verbs)
    made += fmt::format("\\fBambbpf {}\\fR [\\fIOPTION\\fR...]\n.br\n", roff(verb->get_name()));
  made += fmt::format(".SH DESCRIPTION\n{}\n.SH COMMANDS\n", roff(app.get_description()));
  for (const auto* verb : verbs)
    made += fmt::format(".SS {}\n{}.\n{}", roff(verb->get_name()), roff(verb->get_description()),
                        items_of(*verb));
  made +=
      ".SH ENVIRONMENT\n"
      "Every option can also be given by the variable in brackets behind it; the command line\n"
      "wins.\n"
      ".TP\n\\fBAMBBPF_ETCD_PASSWORD\\fR\nThe password of \\fB\\-\\-etcd\\-user\\fR.\n"
      ".TP\n\\fBDOCKER_TLS_VERIFY\\fR, \\fBDOCKER_CERT_PATH\\fR\nAs docker(1) has them.\n"
      ".SH SIGNALS\n"
      ".TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n"
      "Takes no more connections, lets open ones finish for the time of \\fB\\-\\-drain\\fR, and\n"
      "ends. A second one ends the wait.\n"
      ".TP\n\\fBSIGHUP\\fR\nReads the file of \\fBambbpf run\\fR again, and applies the "
      "difference.\n"
      ".SH FILES\n"
      ".TP\n\\fI/etc/ambbpf/ambbpf.toml\\fR\nThe configuration file, see \\fBambbpf.toml\\fR(5).\n"
      ".TP\n\\fI/run/ambbpf\\fR\nAdmin sockets.\n"
      ".SH EXIT STATUS\n"
      ".TP\n0\nAll went well.\n"
      ".TP\n1\nIt could not start; a file has mistakes; status: something is degraded.\n"
      ".TP\n2\nThe command line is wrong.\n"
      ".TP\n3\nstatus: nothing runs.\n"
      ".TP\n4\nstatus: a process did not answer.\n"
      ".SH SEE ALSO\n\\fBambbpf.toml\\fR(5)\n";
  return made;
}

std::string manual_of_file() {
  auto made = heading("AMBBPF.TOML", "5") +
              ".SH NAME\nambbpf.toml \\- configuration file of ambbpf(1)\n"
              ".SH DESCRIPTION\n"
              "Written in TOML. \\fBambbpf check\\fR names its mistakes, \\fBambbpf run\\fR does\n"
              "what it asks for. Times are written as \"250ms\", \"3s\" or \"1m\".\n"
              ".TP\n\\fBinclude\\fR\n"
              "At the top: names or patterns of files, relative to this one. They may have every\n"
              "table but [defaults], and no settings of the process. A name may stand once in all\n"
              "of the files.\n"
              ".TP\n\\fB[defaults]\\fR\n"
              "Any setting of a service, for those that do not set it.\n";
  for (const auto& [scope, title, place, words] : kScopes) {
    made += fmt::format(".SH {}\n{}\n", title, roff(words));
    for (const auto& setting : all_settings())
      if (setting.scope == scope && !setting.key.empty())
        made +=
            item(setting.key, setting.type, described(setting.meaning, setting.default_text(), ""));
  }
  return made +
         ".SH EXAMPLE\n.nf\n"
         "[etcd.main]\nurls = [\"http://10.0.0.1:2379\"]\n\n"
         "[service.web]\nlisten = \":8080\"\n.fi\n"
         ".SH SEE ALSO\n\\fBambbpf\\fR(1)\n";
}

}  // namespace ambbpf
