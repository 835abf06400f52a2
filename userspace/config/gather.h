// SPDX-License-Identifier: Apache-2.0
// A configuration file and those that it includes, as tables.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "userspace/config/tables.h"

namespace ambbpf {

// Of which there may be several, each with a name.
inline const std::vector<std::string> table_kinds{"etcd", "docker", "service", "register"};

struct Gathered {
  Table top;  // all of the main file
  std::optional<Table> defaults;
  // By kind, in the order of the files. A name stands once in each.
  std::map<std::string, std::vector<Table>> tables;
};

// Null: the main file cannot be read. What is wrong is added to `mistakes`.
std::optional<Gathered> gather_tables(const std::string& file, std::vector<Mistake>& mistakes);

}  // namespace ambbpf
