// SPDX-License-Identifier: Apache-2.0
// As registrator's documentation has it: SERVICE_X speaks of all ports, SERVICE_80_X of one, and
// goes before the former. Case does not matter behind the prefix.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "userspace/docker/label_rules.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf {
namespace {

using Fields = std::map<std::string, std::string>;  // "name", "tags", "ignore" and whatever else

constexpr std::string_view kPrefix = "SERVICE_";

struct Declared {
  Fields common;
  std::map<unsigned short, Fields> of_port;
  Provided doubtful;  // what to complain of if this is about services at all
};

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Empty also where it is missing: registrator makes no difference.
std::string value_of(const Fields& fields, const char* name) {
  const auto field = fields.find(name);
  return field == fields.end() ? "" : field->second;
}

// "80_NAME" is of a port, "NAME" of all.
void declare(const std::string& label, const std::string& value, Declared& declared) {
  auto name = std::string_view(label).substr(kPrefix.size());
  auto* fields = &declared.common;
  const auto digits = std::min(name.find_first_not_of("0123456789"), name.size());
  if (digits != 0 && name.substr(digits).starts_with('_')) {
    const auto port = parse_port(name.substr(0, digits));
    if (!port) return complain(declared.doubtful, label, "is not about a port");
    fields = &declared.of_port[*port];
    name.remove_prefix(digits + 1);
  }
  auto attribute = in_lower_case(name);
  if (check_attribute_name(declared.doubtful, label, attribute))
    (*fields)[std::move(attribute)] = value;
}

Declared declared_by(const Container& container) {
  Declared declared;
  auto all = container.labels;  // these win
  all.insert(container.environment.begin(), container.environment.end());
  auto label = all.lower_bound(std::string(kPrefix));
  for (; label != all.end() && label->first.starts_with(kPrefix); ++label)
    declare(label->first, label->second, declared);
  return declared;
}

// The ports to speak of: what the container exposes, or what is named if it exposes none.
std::set<unsigned short> ports_of(const Container& container, const Declared& declared,
                                  Provided& provided) {
  std::set<unsigned short> ports;
  for (const auto& [port, bindings] : container.ports) ports.insert(port);
  for (const auto& [port, fields] : declared.of_port) {
    if (value_of(fields, "name").empty()) continue;
    if (container.ports.empty())
      ports.insert(port);
    else if (!container.ports.contains(port))
      complain(provided, fmt::format("{}{}_NAME", kPrefix, port),
               "the container has no such TCP port");
  }
  return ports;
}

void provide(unsigned short port, Fields fields, Provided& provided) {
  ProvidedService service;
  service.port = port;
  service.service = value_of(fields, "name");
  fields.erase("name");
  fields.erase("ignore");
  service.attributes.assign(fields.begin(), fields.end());
  provided.services.push_back(std::move(service));
}

}  // namespace

void read_registrator_labels(const Container& container, Provided& provided) {
  auto declared = declared_by(container);
  if (!value_of(declared.common, "ignore").empty()) return;
  auto common_name = value_of(declared.common, "name");
  const bool any_named =
      std::any_of(declared.of_port.begin(), declared.of_port.end(),
                  [](const auto& of) { return !value_of(of.second, "name").empty(); });
  if (common_name.empty() && !any_named) return;
  provided.complaints = std::move(declared.doubtful.complaints);
  if (!common_name.empty() && !check_service_name(provided, "SERVICE_NAME", common_name))
    common_name.clear();

  const auto ports = ports_of(container, declared, provided);
  if (ports.empty()) complain(provided, "SERVICE_NAME", "the container has no TCP port");
  for (const auto port : ports) {
    auto fields = declared.of_port[port];
    if (!value_of(fields, "ignore").empty()) continue;
    auto& name = fields["name"];
    if (!name.empty()) {
      if (!check_service_name(provided, fmt::format("{}{}_NAME", kPrefix, port), name)) continue;
    } else if (!common_name.empty()) {
      name = ports.size() == 1 ? common_name : fmt::format("{}-{}", common_name, port);
    } else {
      continue;
    }
    fields.insert(declared.common.begin(), declared.common.end());
    provide(port, std::move(fields), provided);
  }
}

}  // namespace ambbpf
