// SPDX-License-Identifier: Apache-2.0
// From the tables of a file to what is given of each setting.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "userspace/config/draft.h"
#include "userspace/config/load.h"
#include "userspace/config/setting.h"
#include "userspace/config/toml.h"

namespace ambbpf {

// A table and where it stands.
struct Table {
  std::string file;
  std::string field;  // "service.web"
  std::string name;   // "web"
  TomlNode node;

  Mistake mistake(std::string what) const { return {file, node.line, field, std::move(what)}; }
  // Of one of its fields.
  Mistake mistake(const std::string& key, std::string what) const;
};

// "web", or "\"team/db\"" where TOML wants it so.
std::string as_key(const std::string& name);

// What stands under a key that nobody knows.
std::string unknown_key(const std::string& key, Scope scope,
                        const std::vector<std::string>& more = {});

// Reads every setting of `scope` that `table` has into `draft`; the fields named in `others` are
// left to the caller.
void read_table(const Table& table, Scope scope, const std::vector<std::string>& others,
                Draft& draft, std::vector<Mistake>& mistakes);

}  // namespace ambbpf
