// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/command_line_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "userspace/config/suggestion.h"

namespace ambbpf {
namespace {

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string unknown_word(const CLI::App& app, const std::string& word) {
  if (word.starts_with('-')) {
    const auto near = nearest(word.substr(0, word.find('=')), options_of(app));
    return fmt::format("{} has no option '{}'; {}", app.get_name(), word,
                       near.empty() ? "--help shows those that there are"
                                    : fmt::format("did you mean '{}'?", near));
  }
  const auto verbs = verbs_of(app);
  if (verbs.empty()) return fmt::format("{}: '{}' is one argument too many", app.get_name(), word);
  const auto near = nearest(word, verbs);
  return fmt::format("unknown command '{}'; {}", word,
                     near.empty() ? fmt::format("there are {}", fmt::join(verbs, ", "))
                                  : fmt::format("did you mean '{}'?", near));
}

// Of "Could not convert: --NAME = VALUE", which is said of a flag in the environment.
std::string no_boolean(const std::string& text) {
  const auto name = text.find("--");
  const auto equals = text.find(" = ");
  if (name == std::string::npos || equals == std::string::npos) return text;
  return fmt::format("{}: '{}' is neither true nor false", text.substr(name, equals - name),
                     text.substr(equals + 3));
}

bool came_from_environment(const CLI::Option& option, int argc, const char* const* argv) {
  if (option.get_envname().empty() || !std::getenv(option.get_envname().c_str())) return false;
  const auto name = option.get_name();
  return std::none_of(argv + 1, argv + argc, [&](std::string_view word) {
    return word == name || word.starts_with(name + '=') ||
           (option.get_positional() && option.results()[0] == word);
  });
}

}  // namespace

std::string parse_failure(const CLI::App& app, const CLI::ParseError& error) {
  const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
  std::string text = error.what();
  if (code == CLI::ExitCodes::ArgumentMismatch)
    return text.substr(0, text.find(':')) + ": its value is missing";
  if (code == CLI::ExitCodes::ConversionError) return no_boolean(text);
  if (code != CLI::ExitCodes::ExtrasError) return text;
  if (const auto words = app.remaining(); !words.empty()) return unknown_word(app, words[0]);
  for (const auto* verb : app.get_subcommands())
    if (const auto words = verb->remaining(); !words.empty()) return unknown_word(*verb, words[0]);
  return text;
}

std::string named_as_given(const CLI::App& app, int argc, const char* const* argv,
                           std::string message) {
  for (const auto* verb : app.get_subcommands())
    for (const auto* option : verb->get_options()) {
      const auto name = option->get_positional() ? option->get_type_name() : option->get_name();
      if (!message.starts_with(name + ':') || !came_from_environment(*option, argc, argv)) continue;
      return option->get_envname() + message.substr(name.size());
    }
  return message;
}

}  // namespace ambbpf
