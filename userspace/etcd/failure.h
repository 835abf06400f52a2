// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "userspace/etcd/types.h"
#include "userspace/support/asio.h"
#include "userspace/support/quote.h"
#include "userspace/support/result.h"

namespace ambbpf {

// "list /services/web at http://127.0.0.1:2379: HTTP 500": what was tried, and at which member.
inline tl::unexpected<Error> failed(std::string_view what, std::string_view url,
                                    std::string_view why) {
  return fail(fmt::format("{} at {}: {}", what, url, why));
}

// Of an answer: "'<html>' is not JSON".
inline tl::unexpected<Error> not_as_expected(std::string_view what, std::string_view body) {
  return fail(fmt::format("{} {}", quoted(body), what));
}

// An answer of more than HttpClient::kLongest.
inline bool is_too_long(const Error& error) { return error.code == std::errc::message_size; }

// A watch that cannot go on tells why the keys have to be listed again.
inline EtcdNews list_again(std::string why) { return EtcdNews{{}, 0, std::move(why)}; }

// A watch told nothing until its deadline, or until it was interrupted.
inline EtcdNews quiet(Clock::time_point deadline) {
  return Clock::now() < deadline ? EtcdNews{} : list_again("no news for a while");
}

}  // namespace ambbpf
