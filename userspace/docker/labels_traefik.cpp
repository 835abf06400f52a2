// SPDX-License-Identifier: Apache-2.0
// As Traefik's documentation has it (Docker provider, TCP services). Its other labels say how
// Traefik itself routes, and are of no concern here. Case does not matter.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string>

#include "userspace/docker/label_rules.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr std::string_view kServices = "traefik.tcp.services.";
constexpr std::string_view kServerPort = ".loadbalancer.server.port";

std::map<std::string, std::string> with_names_in_lower_case(
    const std::map<std::string, std::string>& labels) {
  std::map<std::string, std::string> lower;
  for (const auto& [name, value] : labels) {
    std::string key = name;
    std::ranges::transform(key, key.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    lower.emplace(std::move(key), value);
  }
  return lower;
}

}  // namespace

void read_traefik_labels(const Container& container, Provided& provided) {
  const auto labels = with_names_in_lower_case(container.labels);
  if (const auto enable = labels.find("traefik.enable");
      enable != labels.end() && enable->second == "false")
    return;
  auto label = labels.lower_bound(std::string(kServices));
  for (; label != labels.end() && label->first.starts_with(kServices); ++label) {
    const auto& [name, value] = *label;
    if (!name.ends_with(kServerPort) || name.size() <= kServices.size() + kServerPort.size())
      continue;
    auto service =
        name.substr(kServices.size(), name.size() - kServices.size() - kServerPort.size());
    if (!check_service_name(provided, name, service)) continue;
    const auto port = parse_port(value);
    if (port)
      provided.services.push_back({std::move(service), *port, {}});
    else
      complain(provided, name, fmt::format("{} is not a port", ambbpf::quoted(value)));
  }
}

}  // namespace ambbpf
