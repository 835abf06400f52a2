// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_register.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "userspace/cli/options_common.h"
#include "userspace/cli/options_help.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf {
namespace {

// A name or an id, which also ends the key in etcd.
bool is_container(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

Result<EndpointAttributes> attributes_of(std::vector<std::string>::const_iterator word,
                                         std::vector<std::string>::const_iterator end) {
  EndpointAttributes attributes;
  for (; word != end; ++word) {
    const auto equals = word->find('=');
    auto name = word->substr(0, equals);
    if (equals == std::string::npos || name.empty())
      return fail(fmt::format("attribute '{}' is not KEY=VALUE", *word));
    const bool twice = std::any_of(attributes.begin(), attributes.end(),
                                   [&](const auto& known) { return known.first == name; });
    if (twice || name == "port" || name == "host")
      return fail(fmt::format("attribute {}: the value has that field already", name));
    attributes.emplace_back(std::move(name), word->substr(equals + 1));
  }
  return attributes;
}

Result<NamedPort> named_port(const std::vector<std::string>& words) {
  if (words.size() < 3) return fail("register takes CONTAINER PORT SERVICE, or --all");
  if (!is_container(words[0]))
    return fail(fmt::format("CONTAINER '{}' is no name or id of a container", words[0]));
  const auto port = parse_port(words[1]);
  if (!port) return fail("PORT: " + port.error().what);
  auto service = checked_service(words[2]);
  if (!service) return tl::unexpected(service.error());
  auto attributes = attributes_of(words.begin() + 3, words.end());
  if (!attributes) return tl::unexpected(attributes.error());
  return NamedPort{words[0], *port, std::move(*service), std::move(*attributes)};
}

Result<std::optional<asio::ip::address>> advertised(const std::string& given) {
  std::string name = "--advertise";
  std::string text = given;
  const char* coreos = ::getenv("COREOS_PRIVATE_IPV4");
  if (text.empty() && coreos) {
    name = "COREOS_PRIVATE_IPV4";
    text = coreos;
  }
  if (text.empty()) return std::nullopt;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(text, error);
  if (error || address.is_unspecified() || address.is_multicast())
    return fail(fmt::format("{}: '{}' is not the address of a machine", name, text));
  return address;
}

}  // namespace

void add_register(CLI::App& verb, GivenRegister& given) {
  verb.add_option("CONTAINER", given.words,
                  "PORT of CONTAINER provides SERVICE; further fields of its value in etcd follow. "
                  "Or --all")
      ->type_name("CONTAINER PORT SERVICE [KEY=VALUE...]")
      ->expected(0, 1000);
  verb.add_flag("--all", given.all,
                "Every container of this host whose labels name a service (ambbpf.service, "
                "SERVICE_NAME)");
  add_etcd(verb, given.etcd);
  add_docker(verb, given.docker);
  add_duration(verb, "--ttl", "AMBBPF_TTL", given.ttl_ms,
               "How long a key outlives this process, should it be killed");
  verb.add_option("--advertise", given.advertise,
                  "This machine's address for others (default: COREOS_PRIVATE_IPV4, else the one "
                  "that routes to etcd)")
      ->envname("AMBBPF_ADVERTISE")
      ->type_name("ADDRESS");
  add_admin(verb, given.admin,
            "The admin socket (default: in /run/ambbpf, or where the user may write)");
  add_log_level(verb, given.log_level);
  add_examples(verb, {"register --all --etcd http://10.0.0.1:2379",
                      "register web-1 80 web zone=a --advertise 10.0.0.7"});
}

Result<Command> register_options(const GivenRegister& given) {
  RegisterOptions options;
  if (given.all && !given.words.empty())
    return fail(fmt::format("--all and CONTAINER '{}' exclude each other", given.words[0]));
  if (!given.all) {
    auto only = named_port(given.words);
    if (!only) return tl::unexpected(only.error());
    options.only = std::move(*only);
  }
  auto etcd = etcd_choice(given.etcd);
  if (!etcd) return tl::unexpected(etcd.error());
  options.etcd = std::move(*etcd);
  auto docker = docker_choice(given.docker);
  if (!docker) return tl::unexpected(docker.error());
  options.docker = std::move(*docker);
  options.ignore_health = given.docker.ignore_health;
  if (given.ttl_ms < 1000 || given.ttl_ms % 1000 != 0)
    return fail("--ttl: etcd takes whole seconds, at least one");
  options.ttl = std::chrono::seconds(given.ttl_ms / 1000);
  auto address = advertised(given.advertise);
  if (!address) return tl::unexpected(address.error());
  options.advertise = *address;
  if (!given.admin.empty()) options.admin = given.admin;
  options.log_level = given.log_level;
  return options;
}

}  // namespace ambbpf
