// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

// "list /services/web at http://127.0.0.1:2379: HTTP 500": what was tried, and at which member.
inline tl::unexpected<Error> failed(std::string_view what, std::string_view url,
                                    std::string_view why) {
  return fail(fmt::format("{} at {}: {}", what, url, why));
}

}  // namespace ambbpf
