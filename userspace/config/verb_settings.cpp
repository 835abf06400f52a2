// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/verb_settings.h"

#include <fmt/format.h>

namespace ambbpf {
namespace {

// "a,b" of a list is two.
std::vector<std::string> items_of(const Setting& setting, const std::string& text) {
  if (setting.form == Form::kTexts) return CLI::detail::split(text, ',');
  return {text};
}

}  // namespace

Result<void> read_option(const Setting& setting, const CLI::Option& option, Draft& draft) {
  const auto name = option.get_name();
  Given given{.items = {},
              .as = [&](std::string_view value) { return fmt::format("{} {}", name, value); }};
  for (const auto& text : option.results())
    for (const auto& item : items_of(setting, text)) given.items.push_back({item});
  const auto read = setting.read(given, draft);
  if (!read) return fail(fmt::format("{}: {}", name, read.error().message()));
  return {};
}

CLI::Option& add_setting(CLI::App& app, const Setting& setting) {
  const std::string name(setting.flag);
  const std::string meaning(setting.meaning);
  const std::string twin(setting.twin);
  if (setting.form == Form::kFlag || setting.form == Form::kWord)
    return *app.add_flag(name, meaning)->envname(twin);
  const auto keep = [](const CLI::results_t&) { return true; };
  return *app.add_option(name, keep, meaning)
              ->envname(twin)
              ->type_name(std::string(setting.type))
              ->default_str(std::string(setting.default_text()));
}

VerbSettings::VerbSettings(CLI::App& app, Verb verb) {
  for (const auto& setting : all_settings())
    if ((setting.verbs & verb) != 0) options_.emplace_back(&setting, &add_setting(app, setting));
}

Result<Draft> VerbSettings::read() const {
  Draft draft;
  for (const auto& [setting, option] : options_) {
    // An empty word says nothing, as in the environment.
    if (option->count() == 0 || option->results().back().empty()) continue;
    if (auto read = read_option(*setting, *option, draft); !read)
      return tl::unexpected(read.error());
  }
  return draft;
}

}  // namespace ambbpf
