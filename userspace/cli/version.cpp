// SPDX-License-Identifier: Apache-2.0
#include <bpf/libbpf.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/rapidjson.h>
#include <rapidjson/stringbuffer.h>
#include <spdlog/version.h>

#include <CLI/Version.hpp>
#include <boost/version.hpp>
#include <map>
#include <string>
#include <vector>

#include "userspace/cli/verbs.h"
#include "userspace/dataplane/kernel_path.h"
#include "userspace/direct/programs.h"
#include "userspace/support/commit.h"

#if __has_include(<toml++/impl/version.hpp>)  // from 3.4 on
#include <toml++/impl/version.hpp>
#else
#include <toml++/impl/version.h>
#endif

namespace ambbpf {
namespace {

std::string dotted(int major, int minor, int patch) {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

// Of libbpf and libcurl as they are loaded, which others may have replaced; else what was compiled
// in.
std::map<std::string, std::string> libraries() {
  const auto* curl = ::curl_version_info(CURLVERSION_NOW);
  const std::string libbpf = libbpf_version_string();  // "v1.1"
  return {
      {"boost", dotted(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
      {"cli11", CLI11_VERSION},
      {"fmt", dotted(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"libbpf", libbpf.substr(libbpf.starts_with('v') ? 1 : 0)},
      {"libcurl", curl->version},
      {"rapidjson", RAPIDJSON_VERSION_STRING},
      {"spdlog", dotted(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)},
      {"tls", curl->ssl_version ? curl->ssl_version : "none"},
      {"toml++", dotted(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH)}};
}

std::vector<KernelProgram> kernel_programs() {
  auto programs = KernelPath::carried();
  std::ranges::move(DirectPrograms::carried(), std::back_inserter(programs));
  return programs;
}

std::string version_json() {
  rapidjson::StringBuffer text;
  rapidjson::PrettyWriter out(text);
  out.SetIndent(' ', 2);
  const auto field = [&out](const std::string& name, const std::string& value) {
    out.Key(name.c_str());
    out.String(value.c_str());
  };
  out.StartObject();
  field("version", AMBBPF_VERSION);
  field("commit", commit());
  field("compiler", AMBBPF_COMPILER);
  out.Key("libraries");
  out.StartObject();
  for (const auto& [name, version] : libraries()) field(name, version);
  out.EndObject();
  out.Key("kernel_programs");
  out.StartArray();
  for (const auto& program : kernel_programs()) {
    out.StartObject();
    field("name", program.name);
    field("section", program.section);
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
  return text.GetString();
}

std::string version_text() {
  auto text = fmt::format("ambbpf {}\ncommit: {}\ncompiler: {}\nlibraries: ", AMBBPF_VERSION,
                          commit(), AMBBPF_COMPILER);
  std::string_view between;
  for (const auto& [name, version] : libraries())
    text += fmt::format("{}{} {}", std::exchange(between, ", "), name, version);
  text += "\nkernel programs: ";
  between = {};
  for (const auto& program : kernel_programs())
    text += fmt::format("{}{} ({})", std::exchange(between, ", "), program.name, program.section);
  return text;
}

}  // namespace

int run_version(const VersionOptions& options) {
  fmt::print("{}\n", options.json ? version_json() : version_text());
  return 0;
}

}  // namespace ambbpf
