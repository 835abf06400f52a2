// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_etcd.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "userspace/etcd/url.h"

namespace ambbpf {
namespace {

Result<std::string> checked_prefix(const std::string& prefix) {
  if (!prefix.starts_with('/') || prefix.find("//") != std::string::npos)
    return fail(fmt::format("--prefix: '{}' is not an absolute path in etcd", prefix));
  auto trimmed = prefix;
  while (trimmed.ends_with('/')) trimmed.pop_back();
  return trimmed;
}

}  // namespace

void add_etcd(CLI::App& verb, GivenEtcd& given) {
  verb.add_option(
          "--etcd", given.urls,
          "Where etcd is, tried in turn (default: the Docker link ETCD_PORT_10000_TCP_*, else "
          "http://172.17.42.1:4001, then http://127.0.0.1:2379)")
      ->envname("AMBBPF_ETCD")
      ->type_name("URL[,URL...]");
  verb.add_option("--etcd-api", given.api, "auto follows every API that the etcd serves")
      ->envname("AMBBPF_ETCD_API")
      ->check(CLI::IsMember({"auto", "v2", "v3"}))
      ->capture_default_str();
  verb.add_option("--prefix", given.prefix, "The services are directories below this one")
      ->envname("AMBBPF_PREFIX")
      ->capture_default_str();
}

Result<EtcdChoice> etcd_choice(const GivenEtcd& given) {
  EtcdChoice choice;
  auto urls = given.urls.empty() ? default_etcd_urls(::getenv) : parse_etcd_urls(given.urls);
  if (!urls) return fail("--etcd: " + urls.error().message());
  choice.options.urls = std::move(*urls);
  auto prefix = checked_prefix(given.prefix);
  if (!prefix) return tl::unexpected(prefix.error());
  choice.options.prefix = std::move(*prefix);
  choice.api = given.api == "v2" ? EtcdApi::kV2 : given.api == "v3" ? EtcdApi::kV3 : EtcdApi::kAuto;
  return choice;
}

}  // namespace ambbpf
