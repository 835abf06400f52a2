// SPDX-License-Identifier: Apache-2.0
// What tools/prometheus brings asks for metrics that there are.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/unit/status_sample.h"
#include "userspace/admin/metrics.h"
#include "userspace/support/json.h"

namespace ambbpf {
namespace {

std::string text_of_tool(const char* name) {
  std::ostringstream text;
  text << std::ifstream(std::filesystem::path(AMBBPF_SOURCE) / "tools/prometheus" / name).rdbuf();
  return text.str();
}

// Of every line that is a sample.
std::set<std::string> names_in_metrics() {
  auto report = sample_report();
  report.services[0].direct = "on";
  std::istringstream lines(to_metrics(report, Detail::kEndpoints));
  std::set<std::string> names;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('#')) names.insert(line.substr(0, line.find_first_of("{ ")));
  return names;
}

std::set<std::string> names_asked_for(const std::string& text) {
  constexpr auto kLetters = "abcdefghijklmnopqrstuvwxyz_";
  std::set<std::string> names;
  for (const auto* prefix : {"ambbpf_", "process_"})
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1))
      names.insert(text.substr(at, text.find_first_not_of(kLetters, at) - at));
  return names;
}

class PrometheusTools : public testing::TestWithParam<const char*> {};

TEST_P(PrometheusTools, AskForMetricsThatThereAre) {
  const auto there = names_in_metrics();
  const auto asked = names_asked_for(text_of_tool(GetParam()));
  EXPECT_GT(asked.size(), 3U) << "the file is there";
  for (const auto& name : asked) EXPECT_TRUE(there.contains(name)) << name;
}

INSTANTIATE_TEST_SUITE_P(Files, PrometheusTools, testing::Values("dashboard.json", "alerts.yml"),
                         [](const auto& file) {
                           const std::string name = file.param;
                           return name.substr(0, name.find('.'));
                         });

TEST(Dashboard, IsWhatGrafanaImports) {
  const auto dashboard = parse_json(text_of_tool("dashboard.json"));
  ASSERT_TRUE(dashboard);
  EXPECT_TRUE(string_at(*dashboard, "uid") && string_at(*dashboard, "title"));
  const auto* panels = array_at(*dashboard, "panels");
  ASSERT_TRUE(panels);
  std::set<std::uint64_t> ids;
  for (const auto& panel : panels->GetArray()) {
    EXPECT_TRUE(ids.insert(uint_at(panel, "id").value_or(0)).second);
    if (string_at(panel, "type") == "row") continue;
    const auto* targets = array_at(panel, "targets");
    ASSERT_TRUE(targets && !targets->Empty());
    for (const auto& target : targets->GetArray())
      EXPECT_FALSE(string_at(target, "expr").value_or("").empty());
  }
}

}  // namespace
}  // namespace ambbpf
