// SPDX-License-Identifier: Apache-2.0
#include "tests/support/status.h"

#include <rapidjson/pointer.h>

#include <stdexcept>

#include "tests/support/program.h"

namespace ambbpf::test {

rapidjson::Document status_at(const std::string& place, const std::string& admin) {
  const auto ran = run({"status", "--json", "--admin", admin});
  rapidjson::Document all;
  if (all.Parse(ran.out.c_str()).HasParseError())
    throw std::runtime_error("ambbpf status: " + ran.out + ran.err);
  const auto* found = rapidjson::Pointer(place.c_str()).Get(all);
  if (!found) throw std::runtime_error("ambbpf status has no " + place + ": " + ran.out + ran.err);
  rapidjson::Document copy;
  copy.CopyFrom(*found, copy.GetAllocator());
  return copy;
}

}  // namespace ambbpf::test
