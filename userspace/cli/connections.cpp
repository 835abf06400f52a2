// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/connections.h"

#include <fmt/format.h>

#include <iostream>
#include <string>
#include <utility>

#include "userspace/admin/connection_report.h"
#include "userspace/cli/admin_client.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

std::string path_of(const ConnectionsOptions& options) {
  return fmt::format("/connections?sort={}&limit={}&service={}", options.sort, options.limit,
                     escaped_for_query(options.service));
}

}  // namespace

int run_connections(const ConnectionsOptions& options, const AdminPlaces& places, std::ostream& out,
                    std::ostream& err) {
  bool found = false;
  std::string not_there;  // what processes say that do not have the service, a line each
  const auto ask = [&](const std::filesystem::path& socket) -> Result<Told> {
    auto answer = ask_process(socket, path_of(options));
    if (!answer) return tl::unexpected(answer.error());
    if (answer->code == 404 && !options.service.empty()) {
      not_there += fmt::format("ambbpf: {}\n", printable(answer->first_line()));
      return Told{.text = "", .is_well = true};
    }
    if (answer->code != 200) return tl::unexpected(answer->as_error());
    const auto report = connection_report_from_json(answer->body);
    if (!report) return tl::unexpected(report.error());
    found = true;
    return Told{.text = options.json ? std::move(answer->body) : to_text(*report), .is_well = true};
  };
  const auto question =
      options.json ? Question{ask, "{\"processes\":[", ",", "]}\n"} : Question{ask, "", "\n", ""};
  const int exit = ask_processes(options.admin, places, question, out, err);
  if (exit != kAllWell || found) return exit;
  err << not_there;
  return kDegraded;
}

int run_connections(const ConnectionsOptions& options) {
  return run_connections(options, AdminPlaces::usual(), std::cout, std::cerr);
}

}  // namespace ambbpf
