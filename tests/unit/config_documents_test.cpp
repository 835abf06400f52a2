// SPDX-License-Identifier: Apache-2.0
// One list of settings, and everything that is made from it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/command_lines.h"
#include "userspace/config/load.h"
#include "userspace/config/roff.h"
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

// What `reference --into` writes, by path.
std::map<std::string, std::string> written() {
  std::map<std::string, std::string> found;
  for (const auto& document : parsed<ReferenceOptions>({"reference", "--into", "there"}).documents)
    EXPECT_TRUE(found.emplace(document.path.string(), document.text).second) << document.path;
  return found;
}

std::set<std::string> all_verbs() {
  const auto help = printed({"--help"});
  static const std::regex kVerb("\n  ([a-z]+) ");
  std::set<std::string> found;
  for (std::sregex_iterator at(help.begin(), help.end(), kVerb), end; at != end; ++at)
    found.insert((*at)[1]);
  return found;
}

TEST(ListOfSettings, IsInTheManual) {
  const auto pages = written();
  const auto& file = pages.at("man/man5/ambbpf.toml.5");
  for (const auto& setting : all_settings()) {
    for (const auto& [verb, name] :
         {std::pair(kProxy, "proxy"), {kForward, "forward"}, {kRegister, "register"}}) {
      if ((setting.verbs & verb) == 0) continue;
      const auto& page = pages.at(fmt::format("man/man1/ambbpf-{}.1", name));
      EXPECT_NE(page.find(fmt::format("[{}]", setting.twin)), std::string::npos) << setting.flag;
    }
    if (!setting.key.empty()) {
      EXPECT_NE(file.find(fmt::format("\\fB{}\\fR", setting.key)), std::string::npos);
    }
  }
}

TEST(Manual, HasAPageForEachVerbThatSaysWhatItIsForAndHowItExits) {
  const auto pages = written();
  const auto& program = pages.at("man/man1/ambbpf.1");
  const auto verbs = all_verbs();
  ASSERT_TRUE(verbs.contains("run") && verbs.contains("version"));
  for (const auto& verb : verbs) {
    const auto name = fmt::format("ambbpf-{}", verb);
    ASSERT_TRUE(pages.contains(fmt::format("man/man1/{}.1", name))) << verb;
    const auto& page = pages.at(fmt::format("man/man1/{}.1", name));
    for (const auto* section :
         {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES"})
      EXPECT_NE(page.find(fmt::format(".SH {}\n", section)), std::string::npos) << verb << section;
    EXPECT_NE(program.find(fmt::format("\\fBambbpf\\-{}\\fR(1)", verb)), std::string::npos);
  }
}

TEST(Manual, TakesNothingOfATextForARequestOrAnEscape) {
  EXPECT_EQ(roff(".so /etc/passwd\n'tis"), "\\&.so /etc/passwd\n\\(aqtis");
  EXPECT_EQ(roff("a\\b --c"), "a\\eb \\-\\-c");
  EXPECT_EQ(roff("~1 `x` ^"), "\\(ti1 \\(gax\\(ga \\(ha");
}

TEST(Completions, OfferEveryVerbWithItsOptions) {
  const auto files = written();
  const auto& bash = files.at("bash/ambbpf");
  const auto& zsh = files.at("zsh/_ambbpf");
  const auto& fish = files.at("fish/ambbpf.fish");
  for (const auto& verb : all_verbs()) {
    EXPECT_NE(zsh.find(fmt::format("'{}:", verb)), std::string::npos) << verb;
    EXPECT_NE(fish.find(fmt::format("-a {} ", verb)), std::string::npos) << verb;
    for (const auto& option : options_of(verb.c_str())) {
      const auto line = bash.substr(bash.find(fmt::format("\n    {}:*) words '", verb)));
      EXPECT_NE(line.substr(0, line.find('\n', 1)).find(option), std::string::npos) << option;
      EXPECT_TRUE(zsh.find(fmt::format("'{}[", option)) != std::string::npos ||
                  zsh.find(fmt::format("'{}=[", option)) != std::string::npos)
          << option;
      EXPECT_NE(fish.find(fmt::format("from {}' -l {} ", verb, option.substr(2))),
                std::string::npos)
          << verb << option;
    }
  }
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
    const bool bare =
        setting.form == Form::kNumber || setting.form == Form::kFlag || setting.form == Form::kWord;
    const auto line = fmt::format(fmt::runtime(bare ? "#{} = {}\n" : "#{} = \"{}\"\n"), setting.key,
                                  setting.fallback);
    EXPECT_NE(example.find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace ambbpf::test
