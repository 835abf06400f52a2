// SPDX-License-Identifier: Apache-2.0
// What completes command lines in bash, zsh and fish.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "userspace/config/documents.h"

namespace ambbpf {
namespace {

// What can stand behind an option, or for an argument.
enum class Values { kNone, kAny, kFiles, kDirectories, kWords };

Values values_of(const CLI::Option& option) {
  const auto type = option.get_type_name();
  if (is_flag(option)) return Values::kNone;
  if (type == "FILE" || type == "PATH" || type.starts_with("PATH|")) return Values::kFiles;
  if (type == "DIRECTORY") return Values::kDirectories;
  const bool words =
      type.find('|') != std::string::npos && std::ranges::all_of(type, [](char c) {
        return c == '|' || c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      });
  return words ? Values::kWords : Values::kAny;
}

// "auto|copy" as "auto copy"
std::string words_of(const CLI::Option& option) {
  auto words = option.get_type_name();
  std::ranges::replace(words, '|', ' ');
  return words;
}

std::string names_of(const CLI::App& app) {
  std::string names;
  for (const auto* option : app.get_options())
    if (!option->get_positional()) names += (names.empty() ? "" : " ") + option->get_name();
  return names;
}

// In single quotes, whatever it has.
std::string quoted(std::string_view text, std::string_view quote) {
  std::string made = "'";
  for (const char c : text) made += c == '\'' ? std::string(quote) : std::string(1, c);
  return made + "'";
}

std::string quoted_for_sh(std::string_view text) { return quoted(text, "'\\''"); }

std::string bash_values(const CLI::Option& option) {
  switch (values_of(option)) {
    case Values::kFiles:
      return "files -f";
    case Values::kDirectories:
      return "files -d";
    case Values::kWords:
      return "words " + quoted_for_sh(words_of(option));
    default:
      return ":";
  }
}

// What the options of one verb take, and then the options.
std::string bash_verb(const CLI::App& verb) {
  const auto& name = verb.get_name();
  std::string made;
  std::string otherwise;
  for (const auto* option : verb.get_options()) {
    if (option->get_positional())
      otherwise = values_of(*option) == Values::kFiles ? " || files -f" : "";
    else if (!is_flag(*option))
      made += fmt::format("    {}:{}) {} ;;\n", name, option->get_name(), bash_values(*option));
  }
  return made +
         fmt::format("    {}:*) words {}{} ;;\n", name, quoted_for_sh(names_of(verb)), otherwise);
}

constexpr auto kBash = R"(# bash completion of ambbpf
_ambbpf() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} verb=${{COMP_WORDS[1]}}
  # bash takes "--engine=so" for three words.
  [[ $word != = ]] || word=
  [[ $before != = ]] || before=${{COMP_WORDS[COMP_CWORD - 2]}}
  words() {{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
    ((${{#COMPREPLY[@]}}))
  }}
  files() {{
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen "$1" -- "$word")
  }}
  COMPREPLY=()
  ((COMP_CWORD > 1)) || verb=
  case $verb:$before in
    :*) words {} ;;
{}  esac
  unset -f words files
}}
complete -F _ambbpf ambbpf
)";

std::string bash_completion(const CLI::App& app) {
  std::string verbs;
  std::string cases;
  for (const auto* verb : all_verbs(app)) {
    verbs += verb->get_name() + " ";
    cases += bash_verb(*verb);
  }
  return fmt::format(kBash, quoted_for_sh(verbs + names_of(app)), cases);
}

// Part of a specification, where a colon would end it and brackets enclose what explains.
std::string zsh_text(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') made += '\\';
    made += c;
  }
  return made;
}

std::string zsh_values(const CLI::Option& option) {
  switch (values_of(option)) {
    case Values::kFiles:
      return "_files";
    case Values::kDirectories:
      return "_files -/";
    case Values::kWords:
      return fmt::format("({})", words_of(option));
    default:
      return " ";
  }
}

std::string zsh_option(const CLI::Option& option) {
  const auto values = fmt::format(":{}:{}", zsh_text(option.get_type_name()), zsh_values(option));
  if (option.get_positional()) return quoted_for_sh("*" + values);
  return quoted_for_sh(fmt::format("{}{}[{}]{}", option.get_name(), is_flag(option) ? "" : "=",
                                   zsh_text(option.get_description()),
                                   is_flag(option) ? "" : values));
}

// An argument that can be anything is left out: zsh would say so, instead of completing an option.
std::string zsh_options(const CLI::App& app, std::string_view indent) {
  std::string made;
  for (const auto* option : app.get_options())
    if (!option->get_positional() || values_of(*option) != Values::kAny)
      made += fmt::format(" \\\n{}{}", indent, zsh_option(*option));
  return made;
}

constexpr auto kZsh = R"(#compdef ambbpf
_ambbpf() {{
  local curcontext=$curcontext state line
  local -a commands=(
{}  )
  _arguments -C{} \
    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
{}      esac ;;
  esac
}}
_ambbpf "$@"
)";

std::string zsh_completion(const CLI::App& app) {
  std::string verbs;
  std::string cases;
  for (const auto* verb : all_verbs(app)) {
    const auto& name = verb->get_name();
    verbs += fmt::format(
        "    {}\n", quoted_for_sh(fmt::format("{}:{}", name, zsh_text(verb->get_description()))));
    cases += fmt::format("        {}) _arguments{} ;;\n", name, zsh_options(*verb, "          "));
  }
  return fmt::format(kZsh, verbs, zsh_options(app, "    "), cases);
}

std::string quoted_for_fish(std::string_view text) { return quoted(text, "\\'"); }

std::string fish_values(const CLI::Option& option) {
  switch (values_of(option)) {
    case Values::kNone:
      return "";
    case Values::kFiles:
      return " -r -F";
    case Values::kDirectories:
      return " -x -a '(__fish_complete_directories)'";
    case Values::kWords:
      return fmt::format(" -x -a {}", quoted_for_fish(words_of(option)));
    case Values::kAny:
      return " -x";
  }
  return "";
}

std::string fish_option(const CLI::Option& option, std::string_view condition) {
  if (option.get_positional())
    return values_of(option) == Values::kFiles
               ? fmt::format("complete -c ambbpf -n {} -F\n", quoted_for_fish(condition))
               : "";
  return fmt::format("complete -c ambbpf -n {} -l {}{} -d {}\n", quoted_for_fish(condition),
                     option.get_name().substr(2), fish_values(option),
                     quoted_for_fish(option.get_description()));
}

std::string fish_completion(const CLI::App& app) {
  std::string made = "complete -c ambbpf -f\n";
  for (const auto* option : app.get_options())
    made += fish_option(*option, "__fish_use_subcommand");
  for (const auto* verb : all_verbs(app)) {
    const auto condition = "__fish_seen_subcommand_from " + verb->get_name();
    made += fmt::format("complete -c ambbpf -n __fish_use_subcommand -a {} -d {}\n",
                        verb->get_name(), quoted_for_fish(verb->get_description()));
    for (const auto* option : verb->get_options()) made += fish_option(*option, condition);
  }
  return made;
}

}  // namespace

std::vector<Document> completions(const CLI::App& app) {
  return {{"bash/ambbpf", bash_completion(app)},
          {"zsh/_ambbpf", zsh_completion(app)},
          {"fish/ambbpf.fish", fish_completion(app)}};
}

}  // namespace ambbpf
