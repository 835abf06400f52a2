// SPDX-License-Identifier: Apache-2.0
// What stands behind the ? of a request's target.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

using Query = std::map<std::string, std::string, std::less<>>;

// NAME=VALUE&NAME=VALUE, with %2f for a byte; of a name that stands twice the last value counts.
// The error names the part that stands for no bytes.
Result<Query> query_of(std::string_view target);

// A whole number from 0, which is what it is where it is missing.
Result<std::uint64_t> number_in(const Query& query, std::string_view name);

}  // namespace ambbpf
