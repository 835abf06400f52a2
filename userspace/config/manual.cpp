// SPDX-License-Identifier: Apache-2.0
// The manual, for man(1).
#include <fmt/format.h>

#include <sstream>

#include "userspace/config/documents.h"
#include "userspace/config/roff.h"
#include "userspace/config/scopes.h"
#include "userspace/config/setting.h"
#include "userspace/config/verb_words.h"

namespace ambbpf {
namespace {

std::string described(std::string_view meaning, std::string_view fallback, std::string_view twin) {
  std::string text(meaning);
  if (!fallback.empty()) text += fmt::format(" (default: {})", fallback);
  if (!twin.empty()) text += fmt::format(" [{}]", twin);
  return text + ".";
}

std::string item_of(const CLI::Option& option) {
  const bool positional = option.get_positional();
  const auto type = option.get_type_name();
  return roff_item(
      positional ? type : option.get_name(), positional || is_flag(option) ? "" : type,
      described(option.get_description(), option.get_default_str(), option.get_envname()));
}

std::string items_of(const CLI::App& app, bool positional) {
  std::string made;
  for (const auto* option : app.get_options())
    if (option->get_positional() == positional) made += item_of(*option);
  return made;
}

// "Do this" as man(1) has it: ambbpf-run - do this
std::string summary_of(const CLI::App& verb) {
  auto text = verb.get_description();
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

std::string name_of_page(const CLI::App& verb) { return "ambbpf-" + verb.get_name(); }

std::string synopsis_of(const CLI::App& verb) {
  auto made = fmt::format("\\fBambbpf {}\\fR [\\fIOPTION\\fR...]", roff(verb.get_name()));
  for (const auto* option : verb.get_options())
    if (option->get_positional()) made += fmt::format(" \\fI{}\\fR", roff(option->get_type_name()));
  return made + "\n";
}

std::string paragraphs(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string made;
  for (std::string line; std::getline(lines, line);)
    made += (made.empty() ? "" : ".PP\n") + roff(line) + "\n";
  return made;
}

// add_examples() has written a line of heading, and an indented one for each.
std::string examples_of(const CLI::App& verb) {
  const auto footer = verb.get_footer();
  std::string lines;
  for (auto at = footer.find("\n  "); at != std::string::npos;) {
    const auto next = footer.find("\n  ", at + 1);
    lines += (lines.empty() ? "" : "\n") + footer.substr(at + 3, next - at - 3);
    at = next;
  }
  return lines;
}

std::string page_of(const CLI::App& verb) {
  auto made = roff_head(name_of_page(verb), 1, summary_of(verb)) + roff_section("SYNOPSIS") +
              synopsis_of(verb);
  const auto* const words = words_of_verb(verb.get_name());
  if (words) made += roff_section("DESCRIPTION") + paragraphs(words->description);
  if (const auto arguments = items_of(verb, true); !arguments.empty())
    made += roff_section("ARGUMENTS") + arguments;
  made += roff_section("OPTIONS") + items_of(verb, false);
  if (words) {
    made += roff_section("EXIT STATUS");
    for (const auto& exit : words->exits)
      made += roff_item(std::to_string(exit.code), "", exit.meaning);
  }
  if (const auto examples = examples_of(verb); !examples.empty())
    made += roff_section("EXAMPLES") + roff_example(examples);
  return made + roff_section("SEE ALSO") +
         fmt::format("{}, {}\n", roff_reference("ambbpf", 1), roff_reference("ambbpf.toml", 5));
}

constexpr auto kEnvironmentSignalsAndFiles =
    ".SH ENVIRONMENT\n"
    "An option of a command can also be given by the variable in brackets behind it; the command\n"
    "line wins.\n"
    ".TP\n\\fBAMBBPF_ETCD_PASSWORD\\fR\nThe password of \\fB\\-\\-etcd\\-user\\fR.\n"
    ".TP\n\\fBDOCKER_TLS_VERIFY\\fR, \\fBDOCKER_CERT_PATH\\fR\nAs docker(1) has them.\n"
    ".SH SIGNALS\n"
    ".TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n"
    "Takes no more connections, lets open ones finish for the time of \\fB\\-\\-drain\\fR, and\n"
    "ends. A second one ends the wait.\n"
    ".TP\n\\fBSIGHUP\\fR\nReads the file of \\fBambbpf run\\fR again, and applies the "
    "difference.\n"
    ".TP\n\\fBSIGUSR1\\fR\nCloses the file of the access log and opens it again by its name, "
    "as\nafter logrotate(8) has moved it.\n"
    ".SH FILES\n"
    ".TP\n\\fI/etc/ambbpf/ambbpf.toml\\fR\nThe configuration file, see \\fBambbpf.toml\\fR(5).\n"
    ".TP\n\\fI/run/ambbpf\\fR\nAdmin sockets.\n"
    ".SH EXIT STATUS\n"
    "2 stands for a wrong command line; the page of each command has its others.\n";

std::string page_of_program(const CLI::App& app) {
  auto made = roff_head("ambbpf", 1, "a TCP ambassador") + roff_section("SYNOPSIS") +
              "\\fBambbpf\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...]\n" + roff_section("DESCRIPTION") +
              roff(app.get_description()) + "\n" + roff_section("COMMANDS");
  std::string pages;
  for (const auto* verb : all_verbs(app)) {
    const auto page = roff_reference(name_of_page(*verb), 1);
    made += fmt::format(".TP\n{}\n{}.\n", page, roff(verb->get_description()));
    pages += page + ",\n";
  }
  made += roff_section("OPTIONS") + items_of(app, false);
  return made + kEnvironmentSignalsAndFiles + roff_section("SEE ALSO") + pages +
         roff_reference("ambbpf.toml", 5) + "\n";
}

constexpr auto kHeadOfFile =
    ".SH DESCRIPTION\n"
    "Written in TOML. \\fBambbpf check\\fR names its mistakes, \\fBambbpf run\\fR does\n"
    "what it asks for. Times are written as \"250ms\", \"3s\" or \"1m\".\n"
    ".TP\n\\fBinclude\\fR\n"
    "At the top: names or patterns of files, relative to this one. They may have every\n"
    "table but [defaults], and no settings of the process. A name may stand once in all\n"
    "of the files.\n"
    ".TP\n\\fB[defaults]\\fR\n"
    "Any setting of a service, for those that do not set it.\n";

}  // namespace

std::vector<Document> manual_of_commands(const CLI::App& app) {
  std::vector<Document> pages{{"man/man1/ambbpf.1", page_of_program(app)}};
  for (const auto* verb : all_verbs(app))
    pages.push_back({fmt::format("man/man1/{}.1", name_of_page(*verb)), page_of(*verb)});
  return pages;
}

Document manual_of_file() {
  auto made = roff_head("ambbpf.toml", 5, "configuration file of ambbpf(1)") + kHeadOfFile;
  for (const auto& [scope, title, place, words] : kScopes) {
    made += roff_section(title) + roff(words) + "\n";
    for (const auto& setting : all_settings())
      if (setting.scope == scope && !setting.key.empty())
        made += roff_item(setting.key, setting.type,
                          described(setting.meaning, setting.default_text(), ""));
  }
  made += roff_section("EXAMPLE") + roff_example(
                                        "[etcd.main]\nurls = [\"http://10.0.0.1:2379\"]\n\n"
                                        "[service.web]\nlisten = \":8080\"");
  return {"man/man5/ambbpf.toml.5", made + roff_section("SEE ALSO") + roff_reference("ambbpf", 1) +
                                        ", " + roff_reference("ambbpf-check", 1) + "\n"};
}

}  // namespace ambbpf
