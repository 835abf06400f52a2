// SPDX-License-Identifier: Apache-2.0
// Configuration files as tests write them.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/program.h"
#include "userspace/config/load.h"

namespace ambbpf::test {

class ConfigurationFiles : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    const auto file = place.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file;
  }

  Settings load(const std::string& text) const {
    const auto loaded = load_settings(write("a.toml", text));
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().at(0).text());
    return loaded.value_or(Settings());
  }

  // Without the directory.
  std::vector<std::string> mistakes(const std::filesystem::path& file) const {
    const auto loaded = load_settings(file);
    std::vector<std::string> texts;
    if (loaded) return texts;
    const auto prefix = place.path().string() + "/";
    for (const auto& mistake : loaded.error()) {
      texts.push_back(mistake.text());
      for (auto at = texts.back().find(prefix); at != std::string::npos;
           at = texts.back().find(prefix))
        texts.back().erase(at, prefix.size());
    }
    return texts;
  }
  std::vector<std::string> mistakes_in(const std::string& text) const {
    return mistakes(write("a.toml", text));
  }

  TemporaryDirectory place;
};

}  // namespace ambbpf::test
