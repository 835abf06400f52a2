// SPDX-License-Identifier: Apache-2.0
#include "userspace/health/check.h"

#include <fmt/format.h>

namespace ambbpf {

Check make_check(const asio::any_io_executor& executor, const CheckSettings& settings,
                 ProxyVersion header) {
  Check check{.settings = settings,
              .header = settings.port == 0 ? header : ProxyVersion::kNone,
              .http = nullptr};
  HttpAccess access;
  access.ca = settings.ca;
  access.verify = settings.verify;
  if (settings.is_by_libcurl()) check.http = std::make_shared<HttpClient>(executor, access);
  return check;
}

awaitable<Result<void>> run_check(std::shared_ptr<const Check> check, tcp::endpoint endpoint) {
  if (check->settings.port != 0) endpoint.port(check->settings.port);
  return check->http ? check_by_http(std::move(check), endpoint)
                     : check_by_connect(std::move(check), endpoint);
}

tl::unexpected<Error> check_timed_out(const CheckSettings& settings) {
  return fail(fmt::format("timed out after {} ms", settings.timeout.count()));
}

}  // namespace ambbpf
