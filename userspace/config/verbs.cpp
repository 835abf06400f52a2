// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/verbs.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "userspace/config/complete.h"
#include "userspace/config/setting.h"
#include "userspace/proxy/listen.h"

namespace ambbpf {
namespace {

Result<void> read_word(Scope scope, std::string_view key, const std::string& word, Draft& draft) {
  return find_setting(scope, key)->read({.items = {{word}}, .as = {}}, draft);
}

Result<std::string> service_named(const std::string& word) {
  Draft draft;
  if (const auto read = read_word(Scope::kRegistration, "service", word, draft); !read)
    return fail("SERVICE " + read.error().message());
  return draft.only.service;
}

// What all services of the command line have in common is in `draft`. A service that is named
// again is served on one more port.
Result<std::vector<ServiceSettings>> services(const Draft& draft,
                                              const std::vector<std::string>& words) {
  if (words.empty()) return fail("SERVICE and PORT are missing, as in: ambbpf proxy web 8080");
  if (words.size() % 2 != 0)
    return fail(
        fmt::format("SERVICE '{0}' has no PORT: they come in pairs, as in {0} 8080", words.back()));
  const auto address = draft.listen_address.value_or(any_address());
  std::vector<ServiceSettings> found;
  std::set<unsigned short> ports;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const auto name = service_named(words[i]);
    if (!name) return tl::unexpected(name.error());
    const auto port = parse_port(words[i + 1]);
    if (!port) return fail(fmt::format("PORT of {}: {}", words[i], port.error().what));
    if (!ports.insert(*port).second) return fail(fmt::format("PORT {} is given twice", *port));
    auto service = std::ranges::find(found, *name, &ServiceSettings::name);
    if (service == found.end()) {
      service = found.insert(found.end(), draft.service);
      service->name = *name;
    }
    service->listen.emplace_back(address, *port);
  }
  return found;
}

Result<EtcdSettings> etcd_of(const Draft& draft) {
  auto etcd = complete_etcd(Way::kCommandLine, draft);
  if (!etcd) return fail(etcd.error().text());
  etcd->name = "etcd";
  return std::move(*etcd);
}

Result<DockerSettings> docker_of(const Draft& draft) {
  auto docker = complete_docker(Way::kCommandLine, draft);
  if (!docker) return fail(docker.error().text());
  docker->name = "docker";
  return std::move(*docker);
}

Result<EndpointAttributes> attributes_of(const std::vector<std::string>& words, std::size_t first) {
  EndpointAttributes attributes;
  for (auto i = first; i < words.size(); ++i) {
    const auto equals = words[i].find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(fmt::format("attribute '{}' is not KEY=VALUE", words[i]));
    attributes.emplace_back(words[i].substr(0, equals), words[i].substr(equals + 1));
  }
  return attributes;
}

Result<void> read_only_one(const std::vector<std::string>& words, Draft& draft) {
  if (words.size() < 3) return fail("register takes CONTAINER PORT SERVICE, or --all");
  constexpr auto kScope = Scope::kRegistration;
  if (const auto read = read_word(kScope, "container", words[0], draft); !read)
    return fail("CONTAINER " + read.error().message());
  if (const auto read = read_word(kScope, "port", words[1], draft); !read)
    return fail("PORT: " + read.error().message());
  if (const auto read = read_word(kScope, "service", words[2], draft); !read)
    return fail("SERVICE " + read.error().message());
  auto attributes = attributes_of(words, 3);
  if (!attributes) return tl::unexpected(attributes.error());
  return find_setting(kScope, "attributes")
      ->read({.items = {{"", std::move(*attributes)}}, .as = {}}, draft);
}

}  // namespace

Result<Command> proxy_command(const Draft& draft, const std::vector<std::string>& words) {
  ProxyOptions options;
  options.settings.process = draft.process;
  auto& settings = options.settings;
  if (const auto checked = check_service(Way::kCommandLine, draft.service); !checked)
    return fail(checked.error().text());
  auto found = services(draft, words);
  if (!found) return tl::unexpected(found.error());
  settings.services = std::move(*found);
  auto etcd = etcd_of(draft);
  if (!etcd) return tl::unexpected(etcd.error());
  auto& sources = draft.service.sources;
  const bool by_default = sources.etcd.empty() && sources.docker.empty();
  if (by_default)
    for (auto& service : settings.services) service.sources.etcd = {etcd->name};
  if (by_default || !sources.etcd.empty()) settings.etcds.push_back(std::move(*etcd));
  if (sources.docker.empty()) return options;
  auto docker = docker_of(draft);
  if (!docker) return tl::unexpected(docker.error());
  settings.dockers.push_back(std::move(*docker));
  return options;
}

Result<Command> forward_command(Draft draft, const std::string& target) {
  constexpr unsigned short kSimpleAmbPort = 10000;
  if (target.empty())
    return fail(
        "HOST:PORT is missing, as in: ambbpf forward db.example:5432 (or FORWARD_ADDR in "
        "the environment)");
  auto& service = draft.service;
  if (const auto read = read_word(Scope::kService, "forward", target, draft); !read)
    return fail("HOST:PORT: " + read.error().message());
  if (const auto checked = check_service(Way::kCommandLine, service); !checked)
    return fail(checked.error().text());
  service.name = to_string(service.sources.forward[0]);
  if (service.listen.empty()) service.listen.emplace_back(any_address(), kSimpleAmbPort);
  ForwardOptions options;
  options.settings.process = std::move(draft.process);
  options.settings.services.push_back(std::move(service));
  return options;
}

Result<Command> register_command(Draft draft, bool all, const std::vector<std::string>& words) {
  if (all && !words.empty())
    return fail(fmt::format("--all and CONTAINER '{}' exclude each other", words[0]));
  if (const auto read = all ? Result<void>() : read_only_one(words, draft); !read)
    return tl::unexpected(read.error());
  RegisterOptions options;
  options.settings.process = draft.process;
  auto etcd = etcd_of(draft);
  if (!etcd) return tl::unexpected(etcd.error());
  auto docker = docker_of(draft);
  if (!docker) return tl::unexpected(docker.error());
  auto registration = complete_registration(draft);
  if (!registration) return fail(registration.error().text());
  registration->name = all ? "all" : draft.only.container;
  registration->etcd = etcd->name;
  registration->docker = docker->name;
  options.settings.etcds.push_back(std::move(*etcd));
  options.settings.dockers.push_back(std::move(*docker));
  options.settings.registrations.push_back(std::move(*registration));
  return options;
}

}  // namespace ambbpf
