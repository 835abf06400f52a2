// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/command_line_help.h"

#include <fmt/format.h>

#include <sstream>

namespace ambbpf {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kFirstColumn = 26;

// Broken at spaces. CLI11 indents what follows a line break.
std::string wrapped(const std::string& text, std::size_t columns) {
  std::istringstream words(text);
  std::string lines;
  std::size_t used = 0;
  for (std::string word; words >> word;) {
    const bool fits = used == 0 || used + 1 + word.size() <= columns;
    if (!lines.empty()) lines += fits ? ' ' : '\n';
    used = fits && used > 0 ? used + 1 + word.size() : word.size();
    lines += word;
  }
  return lines;
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(kFirstColumn);
    label("Positionals", "Arguments");
    label("OPTIONS", "OPTION...");
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_description(const CLI::App* app) const override {
    return wrapped(app->get_description(), kColumns) + "\n\n";
  }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    return is_positional ? option->get_type_name()
                         : CLI::Formatter::make_option_name(option, is_positional);
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    const auto type = option->get_type_name();
    return option->get_positional() || option->get_type_size() == 0 ? "" : " " + type;
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    auto text = option->get_description();
    if (const auto value = option->get_default_str(); !value.empty())
      text += fmt::format(" (default: {})", value);
    if (const auto name = option->get_envname(); !name.empty()) text += fmt::format(" [{}]", name);
    return wrapped(text, kColumns - kFirstColumn);
  }

  std::string make_option_usage(const CLI::Option* option) const override {
    return option->get_type_name();
  }
};

}  // namespace

std::shared_ptr<CLI::Formatter> make_help_formatter() { return std::make_shared<HelpFormatter>(); }

void add_examples(CLI::App& verb, const std::vector<std::string>& command_lines) {
  std::string footer = command_lines.size() == 1 ? "Example:" : "Examples:";
  for (const auto& line : command_lines) footer += "\n  ambbpf " + line;
  verb.footer(footer);
}

}  // namespace ambbpf
