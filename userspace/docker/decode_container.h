// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "userspace/docker/container.h"
#include "userspace/support/result.h"

namespace ambbpf {

// The body of GET /containers/ID/json, of any API from 1.12 to 1.52. What is missing or of another
// type than expected counts as not told; only "Id" must be there. Never kStopping, which no body
// tells.
Result<Container> decode_docker_container(std::string_view body);

// "2026-11-22T21:45:32.427852775Z" in nanoseconds since 1970; 0 for what is no such time, or an
// earlier one (Docker's "0001-01-01T00:00:00Z" for never).
std::int64_t decode_docker_time(std::string_view text);

}  // namespace ambbpf
