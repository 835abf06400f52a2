// SPDX-License-Identifier: Apache-2.0
// The other end of an admin socket (admin/server.h).
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

struct AdminAnswer {
  long code = 0;  // of HTTP
  std::string body;

  std::string first_line() const;  // of the body, or its beginning
  Error as_error() const;          // where another code was hoped for
};

// As it stands in the query of a path: "a%2fb".
std::string escaped_for_query(std::string_view text);

enum class Method { kGet, kPost };

// Asks for `path`, such as "/status". Fails if no whole answer comes in time: in 3 s and `wait`,
// for which the process was asked to wait first.
Result<AdminAnswer> ask_process(const std::filesystem::path& socket, const std::string& path,
                                Method method = Method::kGet, std::chrono::seconds wait = {});

}  // namespace ambbpf
