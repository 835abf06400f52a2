// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iostream>
#include <string_view>

#include "userspace/cli/admin_client.h"
#include "userspace/cli/processes.h"
#include "userspace/cli/verbs.h"
#include "userspace/support/quote.h"

namespace ambbpf {

int run_order(const OrderOptions& options) {
  const bool is_weight = options.verb == "set";
  auto path = fmt::format("/{}?service={}", is_weight ? "weight" : options.verb,
                          escaped_for_query(options.service));
  if (!options.endpoint.empty()) path += "&endpoint=" + escaped_for_query(options.endpoint);
  if (is_weight) path += fmt::format("&weight={}", options.weight);
  const auto as_text = [](std::string_view body) -> Result<std::string> {
    if (body.ends_with('\n')) body.remove_suffix(1);
    return printable(body) + '\n';
  };
  return ask_about_service(options.admin, AdminPlaces::usual(),
                           {.path = path, .to_text = as_text, .method = Method::kPost}, std::cout,
                           std::cerr);
}

}  // namespace ambbpf
