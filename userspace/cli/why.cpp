// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <string_view>

#include "userspace/admin/why_report.h"
#include "userspace/cli/admin_client.h"
#include "userspace/cli/processes.h"
#include "userspace/cli/verbs.h"

namespace ambbpf {

int run_why(const WhyOptions& options) {
  const auto as_text = [](std::string_view body) {
    return why_report_from_json(body).map([](const WhyReport& report) { return to_text(report); });
  };
  return ask_about_service(
      options.admin, AdminPlaces::usual(),
      {"/why?service=" + escaped_for_query(options.service), as_text, options.json}, std::cout,
      std::cerr);
}

}  // namespace ambbpf
