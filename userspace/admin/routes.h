// SPDX-License-Identifier: Apache-2.0
// What is answered to which request.
#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/admin/server.h"

namespace ambbpf {

using AdminRequest = boost::beast::http::request<boost::beast::http::empty_body>;
using AdminResponse = boost::beast::http::response<boost::beast::http::string_body>;

AdminResponse respond(const AdminAnswers& answers, const AdminRequest& request);

// To one who came by network: less, and nothing under names other than `names` (host_names.h).
AdminResponse respond_to_network(const AdminAnswers& answers, const AdminRequest& request,
                                 const std::vector<std::string>& names);

// How long a request for events may wait for one.
inline constexpr std::chrono::seconds kLongestWait{30};

// For how long one who asks for events wants to wait for one after `after`; nothing: to be answered
// at once, as all others are. `names`: as above, of one who came by network.
struct WaitForEvents {
  std::uint64_t after = 0;
  std::chrono::seconds longest{0};
};
std::optional<WaitForEvents> wants_to_wait(const AdminRequest& request,
                                           const std::optional<std::vector<std::string>>& names);

// Nothing where nobody is left to be told.
std::optional<AdminResponse> response_to_bad_request(const boost::beast::error_code& error);

}  // namespace ambbpf
