// SPDX-License-Identifier: Apache-2.0
// Every setting there is, declared once. Options of the command line and their twins in the
// environment, keys of the configuration file, the reference and the manual are made from this.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "userspace/config/draft.h"

namespace ambbpf {

// The table of the file that a setting stands in.
enum class Scope { kProcess, kService, kEtcd, kDocker, kRegistration };

// What a file has for its value.
enum class Form { kText, kNumber, kFlag, kTexts, kEndpoints, kAttributes };

// Verbs that take a setting as an option.
enum Verb : unsigned { kNoVerb = 0, kProxy = 1, kForward = 2, kServing = 3, kRegister = 4 };

struct Setting {
  Scope scope;
  std::string_view key;  // in the file; empty: on the command line only
  Form form;
  std::string_view flag;  // empty: in a file only
  std::string_view twin;  // in the environment
  unsigned verbs;
  std::string_view type;      // "TIME": what is to be written
  std::string_view fallback;  // the default, where it is a value
  std::string_view usual;     // the default, where it is not
  std::string_view meaning;
  SettingReader* read;

  std::string_view default_text() const { return fallback.empty() ? usual : fallback; }
};

std::span<const Setting> all_settings();

// Null: there is none.
const Setting* find_setting(Scope scope, std::string_view key);

// Which of the two ways values came, for those who tell of settings by name.
enum class Way { kCommandLine, kFile };

// "--etcd-cert" or "cert".
std::string name_of(Way way, Scope scope, std::string_view key);

}  // namespace ambbpf
