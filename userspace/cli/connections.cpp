// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/connections.h"

#include <fmt/format.h>

#include <iostream>
#include <string>
#include <string_view>

#include "userspace/admin/connection_report.h"
#include "userspace/cli/admin_client.h"

namespace ambbpf {
namespace {

std::string path_of(const ConnectionsOptions& options) {
  return fmt::format("/connections?sort={}&limit={}&service={}", options.sort, options.limit,
                     escaped_for_query(options.service));
}

}  // namespace

int run_connections(const ConnectionsOptions& options, const AdminPlaces& places, std::ostream& out,
                    std::ostream& err) {
  const auto as_text = [](std::string_view body) {
    return connection_report_from_json(body).map(
        [](const ConnectionReport& report) { return to_text(report); });
  };
  return ask_about_service(options.admin, places, {path_of(options), as_text, options.json}, out,
                           err);
}

int run_connections(const ConnectionsOptions& options) {
  return run_connections(options, AdminPlaces::usual(), std::cout, std::cerr);
}

}  // namespace ambbpf
