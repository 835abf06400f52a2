// SPDX-License-Identifier: Apache-2.0
// One error type for everything that may fail outside of us: network, etcd, kernel, files.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace ambbpf {

// What was tried and on what ("listen on 127.0.0.1:80"), and why it failed where the system says.
struct Error {
  std::string what;
  std::error_code code;

  // One line for the operator: "listen on 127.0.0.1:80: Permission denied".
  std::string message() const { return code ? what + ": " + code.message() : what; }
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(std::string what, std::error_code code = {}) {
  return tl::unexpected<Error>(Error{std::move(what), code});
}

// For a system call that has just set errno.
inline tl::unexpected<Error> fail_errno(std::string what, int error = errno) {
  return fail(std::move(what), std::error_code(error, std::system_category()));
}

}  // namespace ambbpf
