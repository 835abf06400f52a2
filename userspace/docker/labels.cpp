// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/labels.h"

#include <fmt/format.h>

#include <optional>

#include "userspace/docker/label_rules.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr const char* kLabelPrefix = "ambbpf.";
constexpr const char* kService = "ambbpf.service";
constexpr const char* kPort = "ambbpf.port";
constexpr const char* kTag = "ambbpf.tag.";

std::optional<unsigned short> port_of(const Container& container, Provided& provided) {
  if (const auto label = container.labels.find(kPort); label != container.labels.end()) {
    const auto port = parse_port(label->second);
    if (port) return *port;
    complain(provided, kPort, fmt::format("{} is not a port", ambbpf::quoted(label->second)));
    return std::nullopt;
  }
  if (container.ports.size() == 1) return container.ports.begin()->first;
  complain(provided, kService,
           fmt::format("which port? The container has {} TCP ports and no label {}",
                       container.ports.size(), kPort));
  return std::nullopt;
}

void read_own_labels(const Container& container, Provided& provided) {
  ProvidedService service;
  auto label = container.labels.lower_bound(kLabelPrefix);
  for (; label != container.labels.end() && label->first.starts_with(kLabelPrefix); ++label) {
    const auto& [name, value] = *label;
    if (name.starts_with(kTag)) {
      const auto attribute = name.substr(std::string_view(kTag).size());
      if (check_attribute_name(provided, name, attribute))
        service.attributes.emplace_back(attribute, value);
    } else if (name != kService && name != kPort) {
      complain(provided, name, "is no label of ours");
    }
  }
  const auto named = container.labels.find(kService);
  if (named == container.labels.end()) {
    complain(provided, kService, "missing, while there are other labels of ours");
    return;
  }
  if (!check_service_name(provided, kService, named->second)) return;
  const auto port = port_of(container, provided);
  if (!port) return;
  service.service = named->second;
  service.port = *port;
  provided.services.push_back(std::move(service));
}

bool has_own_label(const Container& container) {
  const auto label = container.labels.lower_bound(kLabelPrefix);
  return label != container.labels.end() && label->first.starts_with(kLabelPrefix);
}

}  // namespace

Provided services_of(const Container& container, TraefikLabels traefik) {
  Provided provided;
  if (has_own_label(container)) {
    read_own_labels(container, provided);
    return provided;
  }
  read_registrator_labels(container, provided);
  if (traefik == TraefikLabels::kRead) read_traefik_labels(container, provided);
  return provided;
}

}  // namespace ambbpf
