// SPDX-License-Identifier: Apache-2.0
// One list of settings, and everything that is made from it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/command_lines.h"
#include "userspace/config/load.h"
#include "userspace/config/setting.h"
#include "userspace/endpoints/choice.h"

namespace ambbpf::test {
namespace {

const std::filesystem::path kSource = AMBBPF_SOURCE;

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(kSource / file).rdbuf();
  return text.str();
}

std::string printed(const std::vector<const char*>& words) { return parsed<Printed>(words).text; }

// The options that `--help` of a verb shows.
std::set<std::string> options_of(const char* verb) {
  const auto help = printed({verb, "--help"});
  static const std::regex kOption("\n  (?:-h,)?(--[a-z-]+)");
  std::set<std::string> found;
  for (std::sregex_iterator at(help.begin(), help.end(), kOption), end; at != end; ++at)
    found.insert((*at)[1]);
  return found;
}

TEST(ListOfSettings, IsWhatTheVerbsTakeAndNothingElse) {
  for (const auto& [verb, name, own] :
       {std::tuple(kProxy, "proxy", std::set<std::string>{"--help"}),
        {kForward, "forward", {"--help"}},
        {kRegister, "register", {"--help", "--all"}}}) {
    auto listed = own;
    for (const auto& setting : all_settings())
      if ((setting.verbs & verb) != 0) listed.emplace(setting.flag);
    EXPECT_EQ(options_of(name), listed) << name;
  }
}

TEST(ListOfSettings, OfAVerbHasTheTwinsInItsHelp) {
  for (const auto& setting : all_settings())
    for (const auto& [verb, name] :
         {std::pair(kProxy, "proxy"), {kForward, "forward"}, {kRegister, "register"}}) {
      if ((setting.verbs & verb) == 0) continue;
      auto help = printed({name, "--help"});
      std::ranges::replace(help, '\n', ' ');
      EXPECT_NE(help.find(fmt::format("[{}]", setting.twin)), std::string::npos) << setting.flag;
    }
}

TEST(ListOfSettings, HasDefaultsThatAreWhatCountsWithoutThem) {
  for (const auto& setting : all_settings()) {
    if (setting.fallback.empty()) continue;
    const Draft before;
    Draft after;
    const auto read = setting.read(
        {.items = {{std::string(setting.fallback)}}, .as = [](auto v) { return std::string(v); }},
        after);
    ASSERT_TRUE(read) << setting.key << ": " << read.error().message();
    EXPECT_EQ(after.process, before.process) << setting.key;
    EXPECT_EQ(after.etcd, before.etcd) << setting.key;
    EXPECT_EQ(after.docker, before.docker) << setting.key;
    EXPECT_EQ(after.registration, before.registration) << setting.key;
    if (setting.flag != "--source") {
      EXPECT_EQ(after.service, before.service) << setting.key;
    }
  }
}

TEST(ListOfSettings, EverySettingIsNamedOnceOfItsScopeAndCanBeGiven) {
  std::set<std::pair<Scope, std::string_view>> known;
  for (const auto& setting : all_settings()) {
    EXPECT_FALSE(setting.meaning.empty() || setting.type.empty()) << setting.key;
    EXPECT_FALSE(setting.key.empty() && setting.flag.empty());
    EXPECT_EQ(setting.flag.empty(), setting.verbs == kNoVerb) << setting.key;
    if (!setting.key.empty()) {
      EXPECT_TRUE(known.emplace(setting.scope, setting.key).second) << setting.key;
    }
  }
}

TEST(ListOfSettings, OffersEveryPolicy) {
  const auto* const setting = find_setting(Scope::kService, "policy");
  std::string names;
  for (const auto& policy : all_policies()) {
    names += (names.empty() ? "" : "|") + std::string(policy.name);
    EXPECT_NE(setting->meaning.find(policy.meaning), std::string::npos) << policy.name;
    Draft draft;
    EXPECT_TRUE(setting->read({.items = {{std::string(policy.name)}}, .as = {}}, draft));
    EXPECT_EQ(draft.service.policy, policy.name);
  }
  EXPECT_EQ(setting->type, names);
}

TEST(ListOfSettings, IsTheReference) {
  EXPECT_EQ(text_of("userspace/config/REFERENCE.md"), printed({"reference"}))
      << "ambbpf reference > userspace/config/REFERENCE.md";
  for (const auto& setting : all_settings())
    EXPECT_NE(printed({"reference"})
                  .find(fmt::format("| `{}`", setting.key.empty() ? setting.flag : setting.key)),
              std::string::npos)
        << setting.key;
}

TEST(ListOfSettings, IsInTheManual) {
  const auto commands = printed({"reference", "--format", "man"});
  const auto file = printed({"reference", "--format", "man-file"});
  for (const auto& setting : all_settings()) {
    if (!setting.twin.empty()) {
      EXPECT_NE(commands.find(fmt::format("[{}]", setting.twin)), std::string::npos);
    }
    if (!setting.key.empty()) {
      EXPECT_NE(file.find(fmt::format("\\fB{}\\fR", setting.key)), std::string::npos);
    }
  }
  for (const auto* section :
       {"SYNOPSIS", "COMMANDS", "SIGNALS", "FILES", "EXIT STATUS", "ENVIRONMENT"})
    EXPECT_NE(commands.find(fmt::format(".SH {}\n", section)), std::string::npos) << section;
}

// The tables of the example and the keys in them, those in comments as well.
std::set<std::pair<std::string, std::string>> keys_of_example() {
  std::istringstream lines(text_of("units/ambbpf.toml"));
  static const std::regex kTable(R"(\[([a-z]+).*\])");
  static const std::regex kKey(R"(#?([a-z_]+) = .*)");
  std::set<std::pair<std::string, std::string>> found;
  std::string table;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, kTable))
      table = match[1] == "defaults" ? "service" : match[1].str();
    if (std::regex_match(line, match, kKey)) found.emplace(table, match[1]);
  }
  return found;
}

TEST(ListOfSettings, IsInTheExample) {
  auto expected = std::set<std::pair<std::string, std::string>>{{"", "include"}};
  const std::map<Scope, std::string> tables{{Scope::kProcess, ""},
                                            {Scope::kService, "service"},
                                            {Scope::kEtcd, "etcd"},
                                            {Scope::kDocker, "docker"},
                                            {Scope::kRegistration, "register"}};
  for (const auto& setting : all_settings())
    if (!setting.key.empty()) expected.emplace(tables.at(setting.scope), setting.key);
  EXPECT_EQ(keys_of_example(), expected);
}

TEST(ExampleFile, IsInOrderAndItsCommentsAreTheDefaults) {
  const auto loaded = load_settings(kSource / "units/ambbpf.toml");
  ASSERT_TRUE(loaded) << loaded.error().at(0).text();
  EXPECT_EQ(loaded->services.size(), 3U);
  EXPECT_EQ(loaded->registrations.size(), 1U);
  const auto example = text_of("units/ambbpf.toml");
  for (const auto& setting : all_settings()) {
    if (setting.key.empty() || setting.fallback.empty()) continue;
    const bool bare = setting.form == Form::kNumber || setting.form == Form::kFlag;
    const auto line = fmt::format(fmt::runtime(bare ? "#{} = {}\n" : "#{} = \"{}\"\n"), setting.key,
                                  setting.fallback);
    EXPECT_NE(example.find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace ambbpf::test
