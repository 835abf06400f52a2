// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rapidjson/document.h>

#include <string>

namespace ambbpf::test {

// What `ambbpf status --json` says at `place` (RFC 6901: "/processes/0/services/0") of the process
// with that admin socket. Throws with all that it says if there is no such place, or no answer.
rapidjson::Document status_at(const std::string& place, const std::string& admin);

}  // namespace ambbpf::test
