// SPDX-License-Identifier: Apache-2.0
// How the values of settings are read, for the list in setting.cpp.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "userspace/config/draft.h"
#include "userspace/config/values.h"

namespace ambbpf {

SettingReader read_threads, read_admin_listen, read_admin_names, read_dns_servers, read_srv,
    read_connect_timeout, read_peer_timeout, read_listen, read_proxy_listen, read_source,
    read_proxy_source, read_forward, read_endpoints, read_policy, read_direct, read_fail_static,
    read_except_cgroups, read_on_removal, read_refuse, read_proxy_protocol, read_send_proxy,
    read_urls, read_api, read_prefix, read_ttl, read_advertise, read_container, read_service,
    read_attributes, read_access_log, read_check, read_check_interval, read_check_timeout,
    read_check_path, read_check_host, read_check_status, read_check_send;

// Keeps what was read, unless it was refused.
template <class T, class Kept>
Result<void> keep(Result<T> read, Kept& place) {
  if (!read) return tl::unexpected(read.error());
  place = static_cast<Kept>(std::move(*read));
  return {};
}

// Of a connection. What is due sooner would have looks at all connections follow each other without
// a pause.
template <auto Place>
Result<void> read_time_limit(const Given& given, Draft& draft) {
  const auto time = read_duration(given);
  constexpr std::chrono::milliseconds kLeast{100};
  if (time && time->count() > 0 && *time < kLeast) return fail("must be 0s, or 100ms and more");
  return keep(time, Place(draft));
}

// A text that is looked at when all are known.
template <auto Place>
Result<void> read_text(const Given& given, Draft& draft) {
  Place(draft) = given.text();
  return {};
}

template <auto Place>
Result<void> read_time(const Given& given, Draft& draft) {
  return keep(read_duration(given), Place(draft));
}

template <auto Place>
Result<void> read_networks(const Given& given, Draft& draft) {
  auto& networks = Place(draft);
  networks.clear();
  for (const auto& item : given.items) {
    const auto network = Network::parse(item.text);
    if (!network) return tl::unexpected(network.error());
    networks.push_back(*network);
  }
  return {};
}

template <auto Place>
Result<void> read_bool(const Given& given, Draft& draft) {
  return keep(read_flag(given), Place(draft));
}

// One of the words that a list has, each with what it stands for.
template <const auto& Words, auto Place>
Result<void> read_one_of(const Given& given, Draft& draft) {
  std::vector<std::string> choices;
  for (const auto& [word, meaning] : Words) choices.emplace_back(word);
  const auto chosen = read_choice(given, choices);
  if (!chosen) return tl::unexpected(chosen.error());
  Place(draft) =
      std::ranges::find(Words, *chosen, [](const auto& one) { return one.first; })->second;
  return {};
}

}  // namespace ambbpf
