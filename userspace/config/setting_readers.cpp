// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/setting_readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "userspace/access/targets.h"
#include "userspace/endpoints/choice.h"
#include "userspace/endpoints/service_name.h"
#include "userspace/etcd/url.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr unsigned kMostThreads = 256;

// Each item by itself, in place of what was there.
template <class Item>
Result<void> read_each(const Given& given, Result<Item> (*parse)(std::string_view),
                       std::vector<Item>& into) {
  into.clear();
  for (const auto& item : given.items) {
    auto parsed = parse(item.text);
    if (!parsed) return tl::unexpected(parsed.error());
    into.push_back(std::move(*parsed));
  }
  return {};
}

}  // namespace

Result<void> read_threads(const Given& given, Draft& draft) {
  return keep(read_number(given, 1, kMostThreads), draft.process.threads);
}

// What is told there is for this host only, unless an address says otherwise.
Result<void> read_admin_listen(const Given& given, Draft& draft) {
  auto address = read_listen_address(given.text());
  if (address && given.text().starts_with(':')) address->address(asio::ip::address_v4::loopback());
  return keep(std::move(address), draft.process.admin_listen);
}

Result<void> read_admin_names(const Given& given, Draft& draft) {
  draft.process.admin_names.clear();
  for (const auto& item : given.items) {
    if (item.text.empty() || item.text.find_first_of(":/ ") != std::string::npos)
      return fail(fmt::format("'{}' is not the name of a host", item.text));
    draft.process.admin_names.push_back(item.text);
  }
  return {};
}

Result<void> read_dns_servers(const Given& given, Draft& draft) {
  constexpr auto kPort = ":53";
  draft.process.dns_servers.clear();
  for (const auto& item : given.items) {
    const auto whole = parse_address(item.text);
    const auto address = whole ? whole : parse_address(item.text + kPort);
    if (!address || address->address().is_unspecified() || address->address().is_multicast())
      return fail(
          fmt::format("'{}' is not the address of a DNS server, as 10.0.0.2, [fd00::2] or "
                      "127.0.0.1:5353",
                      item.text));
    draft.process.dns_servers.push_back(*address);
  }
  return {};
}

// A path is whole, so that a misspelt word is none.
Result<void> read_access_log(const Given& given, Draft& draft) {
  const auto& target = given.text();
  if (target != kSyslog && target != kJournald && !target.starts_with('/'))
    return fail(fmt::format("'{}' is neither a path, as /var/log/ambbpf/access.log, nor {} nor {}",
                            target, kSyslog, kJournald));
  draft.process.access_log.target = target;
  return {};
}

Result<void> read_connect_timeout(const Given& given, Draft& draft) {
  const auto time = read_duration(given);
  if (time && *time == 0ms) return fail("must be more than 0");
  return keep(time, draft.service.dial.connect_timeout);
}

// Keepalives come in whole seconds; after five minutes the kernel gives up by itself.
Result<void> read_peer_timeout(const Given& given, Draft& draft) {
  const auto time = read_duration(given);
  if (time && (*time < 5s || *time > 5min)) return fail("must be from 5s to 5m");
  return keep(time, draft.service.keepalive.longest);
}

Result<void> read_listen(const Given& given, Draft& draft) {
  draft.service.listen.clear();
  for (const auto& item : given.items) {
    const auto address = read_listen_address(item.text);
    if (!address) return tl::unexpected(address.error());
    draft.service.listen.push_back(*address);
  }
  return {};
}

// The ports of `ambbpf proxy` stand behind the services.
Result<void> read_proxy_listen(const Given& given, Draft& draft) {
  boost::system::error_code error;
  draft.listen_address = asio::ip::make_address(given.text(), error);
  if (!error) return {};
  return fail(
      fmt::format("'{}' is not an IPv4 or IPv6 address, as in --listen 127.0.0.1; the ports stand "
                  "behind the services",
                  given.text()));
}

Result<void> read_source(const Given& given, Draft& draft) {
  auto& sources = draft.service.sources;
  sources.etcd.clear();
  sources.docker.clear();
  for (const auto& [text, fields] : given.items) {
    if (text.starts_with("etcd.") && text.size() > 5)
      sources.etcd.push_back(text.substr(5));
    else if (text.starts_with("docker.") && text.size() > 7)
      sources.docker.push_back(text.substr(7));
    else
      return fail(fmt::format("'{}' is neither etcd.NAME nor docker.NAME", text));
  }
  return {};
}

// There is one etcd and one Docker on a command line, under the names of their kinds.
Result<void> read_proxy_source(const Given& given, Draft& draft) {
  auto& sources = draft.service.sources;
  sources.etcd.clear();
  sources.docker.clear();
  for (const auto& [word, fields] : given.items) {
    if (word == "etcd")
      sources.etcd = {word};
    else if (word == "docker")
      sources.docker = {word};
    else
      return fail(fmt::format("'{}' is neither etcd nor docker", word));
  }
  if (sources.etcd.empty() && sources.docker.empty()) return fail("names no source");
  return {};
}

Result<void> read_forward(const Given& given, Draft& draft) {
  return read_each(given, parse_host_and_port, draft.service.sources.forward);
}

Result<void> read_srv(const Given& given, Draft& draft) {
  return read_each(given, parse_srv_name, draft.service.sources.srv);
}

Result<void> read_endpoints(const Given& given, Draft& draft) {
  draft.service.sources.endpoints.clear();
  std::set<tcp::endpoint> known;
  for (const auto& [text, fields] : given.items) {
    const auto address = parse_address(text);
    if (!address) return tl::unexpected(address.error());
    if (const auto why = why_no_backend(address->address()); !why.empty())
      return fail(fmt::format("no backend can be at '{}': {}", text, why));
    if (!known.insert(*address).second) return fail(fmt::format("'{}' stands there twice", text));
    if (auto wrong = check_attributes(fields); !wrong) return wrong;
    draft.service.sources.endpoints.push_back({*address, "configuration", fields});
  }
  return {};
}

Result<void> read_policy(const Given& given, Draft& draft) {
  std::vector<std::string> names;
  for (const auto& policy : all_policies()) names.emplace_back(policy.name);
  return keep(read_choice(given, names), draft.service.policy);
}

Result<void> read_direct(const Given& given, Draft& draft) {
  const auto mode = read_choice(given, {"true", "false", "auto"});
  if (!mode) return tl::unexpected(mode.error());
  draft.service.direct = *mode == "true"   ? DirectMode::kOn
                         : *mode == "auto" ? DirectMode::kAuto
                                           : DirectMode::kOff;
  return {};
}

Result<void> read_on_removal(const Given& given, Draft& draft) {
  using Action = RemovalPolicy::Action;
  const auto action = read_choice(given, {"keep", "drain", "reset"});
  if (!action) return tl::unexpected(action.error());
  draft.service.removal.action = *action == "keep"    ? Action::kKeep
                                 : *action == "drain" ? Action::kDrain
                                                      : Action::kReset;
  return {};
}

Result<void> read_refuse(const Given& given, Draft& draft) {
  const auto how = read_choice(given, {"reset", "close"});
  if (!how) return tl::unexpected(how.error());
  draft.service.refuse = *how == "close" ? Refuse::kClose : Refuse::kReset;
  return {};
}

Result<void> read_proxy_protocol(const Given& given, Draft& draft) {
  using Clients = ProxyProtocol::Clients;
  const auto word = read_choice(given, {"off", "accept", "require"});
  if (!word) return tl::unexpected(word.error());
  draft.service.proxy.clients = *word == "accept"    ? Clients::kMaySend
                                : *word == "require" ? Clients::kMustSend
                                                     : Clients::kSendNone;
  return {};
}

Result<void> read_send_proxy(const Given& given, Draft& draft) {
  const auto word = read_choice(given, {"off", "v1", "v2"});
  if (!word) return tl::unexpected(word.error());
  draft.service.proxy.to_backend = *word == "v1"   ? ProxyVersion::kOne
                                   : *word == "v2" ? ProxyVersion::kTwo
                                                   : ProxyVersion::kNone;
  return {};
}

Result<void> read_except_cgroups(const Given& given, Draft& draft) {
  draft.process.direct_except_cgroups.clear();
  for (const auto& item : given.items) {
    if (!item.text.starts_with('/')) return fail(fmt::format("'{}' is no path", item.text));
    draft.process.direct_except_cgroups.emplace_back(item.text);
  }
  return {};
}

// Its heart beats once a second.
Result<void> read_fail_static(const Given& given, Draft& draft) {
  const auto time = read_duration(given);
  if (time && *time > 0ms && *time < 5s)
    return fail(fmt::format("'{}' is too short: it takes 0, or 5s and more", given.text()));
  return keep(time, draft.process.fail_static);
}

Result<void> read_urls(const Given& given, Draft& draft) {
  std::string list;
  for (const auto& item : given.items) list += (list.empty() ? "" : ",") + item.text;
  return keep(parse_etcd_urls(list), draft.etcd.options.urls);
}

Result<void> read_api(const Given& given, Draft& draft) {
  const auto api = read_choice(given, {"auto", "v2", "v3"});
  if (!api) return tl::unexpected(api.error());
  draft.etcd.api = *api == "v2" ? EtcdApi::kV2 : *api == "v3" ? EtcdApi::kV3 : EtcdApi::kAuto;
  return {};
}

Result<void> read_prefix(const Given& given, Draft& draft) {
  auto prefix = given.text();
  if (!prefix.starts_with('/') || prefix.find("//") != std::string::npos)
    return fail(fmt::format("'{}' is not an absolute path in etcd", prefix));
  while (prefix.ends_with('/')) prefix.pop_back();
  draft.etcd.options.prefix = std::move(prefix);
  return {};
}

Result<void> read_ttl(const Given& given, Draft& draft) {
  const auto time = read_duration(given);
  if (time && (*time < 1s || *time % 1s != 0ms))
    return fail("etcd takes whole seconds, at least one");
  if (!time) return tl::unexpected(time.error());
  draft.registration.ttl = std::chrono::duration_cast<std::chrono::seconds>(*time);
  return {};
}

Result<void> read_advertise(const Given& given, Draft& draft) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(given.text(), error);
  if (error || address.is_unspecified() || address.is_multicast())
    return fail(fmt::format("'{}' is not the address of a machine", given.text()));
  draft.registration.advertise = address;
  return {};
}

Result<void> read_container(const Given& given, Draft& draft) {
  if (!is_container(given.text()))
    return fail(fmt::format("'{}' is no name or id of a container", given.text()));
  draft.only.container = given.text();
  return {};
}

Result<void> read_service(const Given& given, Draft& draft) {
  if (const auto why = why_no_service(given.text()); !why.empty())
    return fail(fmt::format("'{}' cannot name a service: it {}", given.text(), why));
  draft.only.service = given.text();
  return {};
}

Result<void> read_attributes(const Given& given, Draft& draft) {
  draft.only.attributes = given.items.back().fields;
  return check_attributes(draft.only.attributes);
}

}  // namespace ambbpf
