// SPDX-License-Identifier: Apache-2.0
// What holds of all settings, whichever way they came.
#pragma once

#include <algorithm>

#include "tests/fuzz/require.h"
#include "userspace/config/settings.h"
#include "userspace/endpoints/choice.h"
#include "userspace/endpoints/service_name.h"

namespace ambbpf::fuzz {

template <class Named>
bool has(const std::vector<Named>& all, const std::string& name) {
  return std::ranges::count(all, name, &Named::name) == 1;
}

inline void require_sane(const ServiceSettings& service, const Settings& all) {
  using namespace std::chrono_literals;
  require(why_no_service(service.name).empty() || !service.sources.forward.empty(), "a name");
  require(!service.listen.empty(), "a place to listen");
  for (const auto& address : service.listen) require(address.port() != 0, "a port");
  require(service.sources != SourceSettings(), "a source");
  for (const auto& name : service.sources.etcd) require(has(all.etcds, name), "a known etcd");
  for (const auto& name : service.sources.docker) require(has(all.dockers, name), "a known Docker");
  for (const auto& [host, port] : service.sources.forward)
    require(!host.empty() && port != 0, "a target");
  require(policy_named(service.policy) && service.zone_spill <= 100, "a way to choose");
  require(service.max_ejected <= 100 && service.eject_resets <= 1000, "who is ejected");
  require(service.dial.retries <= 100, "a number of retries");
  for (const auto span : {service.dial.connect_timeout, service.dial.hold, service.slow_start})
    require(span >= 0ms && span <= 24h, "a time of at most a day");
  require(service.dial.connect_timeout > 0ms, "a time to connect in");
  require(service.keepalive.longest >= 5s && service.keepalive.longest <= 5min,
          "a keepalive policy that the keepalives can keep to");
}

inline void require_sane(const RegistrationSettings& registration, const Settings& all) {
  using namespace std::chrono_literals;
  require(has(all.etcds, registration.etcd) && has(all.dockers, registration.docker),
          "two known servers");
  require(registration.ttl >= 1s && registration.ttl <= 24h, "a TTL of at most a day");
  require(!registration.advertise || !registration.advertise->is_unspecified(),
          "an address of a machine");
  if (!registration.only) return;
  const auto& [container, port, service, attributes] = *registration.only;
  require(!container.empty() && container.find('/') == std::string::npos, "a container's name");
  require(port != 0 && !service.empty(), "its port and a service");
  const tcp::endpoint somewhere(asio::ip::address_v4::loopback(), port);
  const auto decoded = decode_endpoint_value(encode_endpoint_value(somewhere, attributes));
  require(decoded && decoded->address == somewhere, "a value that is read as it is written");
}

inline void require_sane(const Settings& settings) {
  using namespace std::chrono_literals;
  const auto threads = settings.process.threads.value_or(1);
  require(threads >= 1 && threads <= 256, "threads");
  require(settings.process.drain >= 0ms && settings.process.drain <= 24h, "at most a day");
  require(!settings.services.empty() || !settings.registrations.empty(), "something to do");
  for (const auto& etcd : settings.etcds) {
    require(!etcd.options.urls.empty(), "an etcd that is somewhere");
    const auto& prefix = etcd.options.prefix;
    require(prefix.empty() || prefix.starts_with('/'), "a prefix");
  }
  for (const auto& service : settings.services) require_sane(service, settings);
  for (const auto& registration : settings.registrations) require_sane(registration, settings);
}

}  // namespace ambbpf::fuzz
