// SPDX-License-Identifier: Apache-2.0
// What is answered to which request.
#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <string>
#include <vector>

#include "userspace/admin/server.h"

namespace ambbpf {

using AdminRequest = boost::beast::http::request<boost::beast::http::empty_body>;
using AdminResponse = boost::beast::http::response<boost::beast::http::string_body>;

// `answers` outlives the coroutine. `by`: the user who asks, for orders.
awaitable<AdminResponse> respond(const AdminAnswers& answers, AdminRequest request, std::string by);

// To one who came by network: less, and nothing under names other than `names` (host_names.h),
// which outlive the coroutine as well.
awaitable<AdminResponse> respond_to_network(const AdminAnswers& answers, AdminRequest request,
                                            const std::vector<std::string>& names);

// Nothing where nobody is left to be told.
std::optional<AdminResponse> response_to_bad_request(const boost::beast::error_code& error);

}  // namespace ambbpf
