// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/metric_rows.h"

#include <algorithm>

namespace ambbpf {
namespace {

using Value = std::optional<double>;
using Report = StatusReport;

constexpr auto kCounter = prometheus::MetricType::Counter;
constexpr auto kGauge = prometheus::MetricType::Gauge;

template <auto kMember, class Part>
Value number(const Part& part) {
  return static_cast<double>(part.*kMember);
}

// Of a member that is a part itself.
template <auto kOuter, auto kMember, class Part>
Value inner(const Part& part) {
  return static_cast<double>(part.*kOuter.*kMember);
}

Value seconds(const std::optional<std::uint64_t>& ms) {
  if (!ms) return std::nullopt;
  return static_cast<double>(*ms) / 1e3;
}

Value count_of(const auto& all, auto is_meant) {
  return static_cast<double>(std::ranges::count_if(all, is_meant));
}

template <auto kMember>
Value of_access_log(const Report& all) {
  if (all.access_log.target.empty()) return std::nullopt;
  return static_cast<double>(all.access_log.*kMember);
}

template <auto kMember>
Value of_direct_service(const Report::Service& service) {
  if (service.direct.empty()) return std::nullopt;
  return static_cast<double>(service.*kMember);
}

template <auto kMember>
Value of_proxied(const MetricEndpoint& part) {
  return static_cast<double>(part.endpoint.*kMember);
}

template <auto kMember>
Value of_direct(const MetricEndpoint& part) {
  if (!part.has_direct) return std::nullopt;
  return static_cast<double>(part.endpoint.*kMember);
}

template <auto kWay, auto kMember>
Value moved(const Report& all) {
  return static_cast<double>(all.connections.*kWay.*kMember);
}

MetricLabels only(const char* name, const char* value) { return {{name, value}}; }

MetricLabels way(const char* path, const char* direction) {
  return {{"path", path}, {"direction", direction}};
}

const char* const to_backend = "to_backend";
const char* const to_client = "to_client";

// clang-format off
const MetricRow<Report> of_process[] = {
  {kGauge, "process_start_time_seconds", "Start time of the process since the Unix epoch in seconds.",
   [](const Report& all) { return seconds(all.process.started_unix_ms); }},
  {kCounter, "process_cpu_seconds_total", "Processor time of the process, user and system, in seconds.",
   [](const Report& all) -> Value { return static_cast<double>(all.process.cpu_us) / 1e6; }},
  {kGauge, "process_resident_memory_bytes", "Resident memory of the process in bytes.",
   inner<&Report::process, &Report::Process::resident_bytes>},
  {kGauge, "process_open_fds", "Open file descriptors.",
   inner<&Report::process, &Report::Process::descriptors>},
  {kGauge, "process_max_fds", "The limit of open file descriptors.",
   inner<&Report::process, &Report::Process::most_descriptors>},

  {kGauge, "ambbpf_draining", "1 since the process was told to stop: it takes no more connections.",
   number<&Report::draining>},
  {kGauge, "ambbpf_threads", "Threads that serve connections.", number<&Report::threads>},
  {kGauge, "ambbpf_troubles", "What `ambbpf status` calls degraded, counted.",
   [](const Report& all) -> Value { return static_cast<double>(troubles(all).size()); }},
  {kGauge, "ambbpf_config_generation", "Configurations that have been put in force since the start.",
   inner<&Report::configuration, &Report::Configuration::generation>},
  {kGauge, "ambbpf_config_age_seconds", "Since when the present configuration is in force.",
   [](const Report& all) { return seconds(all.configuration.applied_ms); }},
  {kGauge, "ambbpf_config_last_reload_successful", "0: the last attempt to reload the configuration has failed.",
   [](const Report& all) -> Value { return all.configuration.last_error.empty() ? 1.0 : 0.0; }},

  {kCounter, "ambbpf_access_log_lines_total", "Lines of the access log that were written.",
   of_access_log<&Report::AccessLog::lines>},
  {kCounter, "ambbpf_access_log_lost_total", "Lines of the access log that were not taken in time.",
   of_access_log<&Report::AccessLog::lost>},

  {kGauge, "ambbpf_relay_connections", "Proxied connections that are open, of removed services as well.",
   inner<&Report::connections, &Report::Connections::now>},
  {kCounter, "ambbpf_relay_connections_total", "Proxied connections.",
   inner<&Report::connections, &Report::Connections::total>},
  {kGauge, "ambbpf_relay_sockmap_connections", "Those of them that the kernel program knows.",
   inner<&Report::connections, &Report::Connections::in_map_now>},
  {kGauge, "ambbpf_relay_directions", "Directions of proxied connections, by who moves their bytes.",
   inner<&Report::connections, &Report::Connections::directions_in_kernel_now>, only("path", "kernel")},
  {kGauge, "ambbpf_relay_directions", "",
   inner<&Report::connections, &Report::Connections::directions_in_user_now>, only("path", "user")},
  {kCounter, "ambbpf_relay_bytes_total", "Bytes of proxied connections, by who moved them.",
   moved<&Report::Connections::to_backend, &Report::Traffic::kernel_bytes>, way("kernel", to_backend)},
  {kCounter, "ambbpf_relay_bytes_total", "",
   moved<&Report::Connections::to_client, &Report::Traffic::kernel_bytes>, way("kernel", to_client)},
  {kCounter, "ambbpf_relay_bytes_total", "",
   moved<&Report::Connections::to_backend, &Report::Traffic::user_bytes>, way("user", to_backend)},
  {kCounter, "ambbpf_relay_bytes_total", "",
   moved<&Report::Connections::to_client, &Report::Traffic::user_bytes>, way("user", to_client)},
  {kCounter, "ambbpf_relay_promotions_total", "Connections put into the sockmap.",
   inner<&Report::connections, &Report::Connections::promoted>},
  {kCounter, "ambbpf_relay_demotions_total",
   "Connections of the sockmap that user space serves again: many are busy at once, or it was tried and is faster.",
   inner<&Report::connections, &Report::Connections::demoted>},
  {kCounter, "ambbpf_relay_handovers_total", "Directions given to the kernel program.",
   inner<&Report::connections, &Report::Connections::handed_over>},
  {kCounter, "ambbpf_relay_takebacks_total", "Directions taken back from the kernel program.",
   inner<&Report::connections, &Report::Connections::taken_back>},
  {kCounter, "ambbpf_relay_kernel_refusals_total", "Connections that the kernel would not take into the sockmap.",
   inner<&Report::connections, &Report::Connections::refused_by_kernel>},
  {kCounter, "ambbpf_relay_resets_total", "Proxied connections that ended with a reset, for whatever reason.",
   inner<&Report::connections, &Report::Connections::resets>},
  {kCounter, "ambbpf_relay_vanished_peers_total", "Those of them whose peer was heard no more.",
   inner<&Report::connections, &Report::Connections::vanished>},
  {kCounter, "ambbpf_relay_mismatches_total", "Connections whose bytes received and bytes sent on did not agree.",
   inner<&Report::connections, &Report::Connections::mismatches>},
  {kCounter, "ambbpf_relay_lost_events_total", "Events of the kernel program that found no room.",
   inner<&Report::connections, &Report::Connections::lost_events>},
};

const MetricRow<Report::Service> of_services[] = {
  {kGauge, "ambbpf_service_connections", "Open proxied connections.", number<&Report::Service::connections_now>},
  {kCounter, "ambbpf_service_connections_total", "Proxied connections that were let in.",
   number<&Report::Service::connections_total>},
  {kGauge, "ambbpf_service_max_connections", "Connections that may be open at once.",
   number<&Report::Service::max_connections>},
  {kGauge, "ambbpf_service_held_connections", "Connections that wait for an endpoint.", number<&Report::Service::held_now>},
  {kCounter, "ambbpf_service_held_connections_total", "Connections that had to wait for an endpoint.",
   number<&Report::Service::held>},
  {kCounter, "ambbpf_service_refused_connections_total", "Connections that were reset without an endpoint, by limit.",
   number<&Report::Service::too_many>, only("reason", "max_connections")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::out_of_descriptors>, only("reason", "descriptors")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::no_proxy_header>, only("reason", "no_proxy_header")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::malformed_proxy_headers>, only("reason", "malformed_proxy_header")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::denied>, only("reason", "denied")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::too_many_of_a_client>, only("reason", "max_connections_per_client")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::too_fast_for_a_client>, only("reason", "connection_rate_per_client")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::too_fast>, only("reason", "connection_rate")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::endpoints_full>, only("reason", "max_connections_per_endpoint")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::queue_full>, only("reason", "queue")},
  {kCounter, "ambbpf_service_refused_connections_total", "",
   number<&Report::Service::queue_timeouts>, only("reason", "queue_timeout")},
  {kGauge, "ambbpf_service_queued_connections", "Connections that wait for room within the limits.",
   number<&Report::Service::queued_now>},
  {kCounter, "ambbpf_service_queued_connections_total", "Connections that had to wait for room within the limits.",
   number<&Report::Service::queued>},
  {kCounter, "ambbpf_service_timed_out_connections_total", "Connections that were reset when their time was over, by the setting.",
   number<&Report::Service::idle_timeouts>, only("reason", "idle_timeout")},
  {kCounter, "ambbpf_service_timed_out_connections_total", "",
   number<&Report::Service::half_closed_timeouts>, only("reason", "half_closed_timeout")},
  {kCounter, "ambbpf_service_timed_out_connections_total", "",
   number<&Report::Service::lifetimes_over>, only("reason", "max_lifetime")},
  {kCounter, "ambbpf_service_timed_out_connections_total", "",
   number<&Report::Service::first_byte_timeouts>, only("reason", "first_byte_timeout")},
  {kCounter, "ambbpf_service_failed_connections_total", "Connections that got no endpoint and were reset, by reason.",
   [](const Report::Service& service) -> Value { return static_cast<double>(service.failed - service.gave_up); },
   only("reason", "no_endpoint")},
  {kCounter, "ambbpf_service_failed_connections_total", "",
   number<&Report::Service::gave_up>, only("reason", "gave_up")},
  {kCounter, "ambbpf_service_connect_failures_total", "Connects to endpoints that have failed.",
   number<&Report::Service::connect_failures>},
  {kCounter, "ambbpf_service_connect_retries_total", "Connects after a failed one, for the same client.",
   number<&Report::Service::retries>},
  {kCounter, "ambbpf_service_ejections_total", "Endpoints that were ejected, each until it was well again, by reason.",
   [](const Report::Service& service) -> Value { return static_cast<double>(service.ejections - service.reset_ejections); },
   only("reason", "connect")},
  {kCounter, "ambbpf_service_ejections_total", "",
   number<&Report::Service::reset_ejections>, only("reason", "resets")},
  {kCounter, "ambbpf_service_early_resets_total", "Connections that their endpoint has reset, or closed at once, before it had said anything.",
   number<&Report::Service::early_resets>},
  {kGauge, "ambbpf_service_used_all_the_same", "Endpoints that are used although ejected, as max_ejected wants it.",
   number<&Report::Service::used_all_the_same>},
  {kCounter, "ambbpf_service_checks_total", "Active checks of endpoints, by result.",
   number<&Report::Service::checks_passed>, only("result", "passed")},
  {kCounter, "ambbpf_service_checks_total", "", number<&Report::Service::checks_failed>, only("result", "failed")},
  {kCounter, "ambbpf_service_bytes_total", "Bytes of proxied connections, counted when they end.",
   number<&Report::Service::bytes_to_backend>, only("direction", to_backend)},
  {kCounter, "ambbpf_service_bytes_total", "", number<&Report::Service::bytes_to_client>, only("direction", to_client)},
  {kCounter, "ambbpf_service_direct_connects_total", "Connects sent straight to an endpoint.",
   of_direct_service<&Report::Service::direct_connects>},
  {kCounter, "ambbpf_service_direct_left_total", "Connects of consumers that were left to the proxy.",
   of_direct_service<&Report::Service::direct_left>},
  {kGauge, "ambbpf_service_endpoints", "Endpoints by state.",
   [](const Report::Service& service) { return count_of(service.endpoints, &Report::Endpoint::is_in_use); },
   only("state", "in_use")},
  {kGauge, "ambbpf_service_endpoints", "",
   [](const Report::Service& service) { return count_of(service.endpoints, [](const Report::Endpoint& one) { return one.is_ejected(); }); },
   only("state", "ejected")},
  {kGauge, "ambbpf_service_endpoints", "",
   [](const Report::Service& service) { return count_of(service.endpoints, &Report::Endpoint::drained); },
   only("state", "drained")},
  {kGauge, "ambbpf_service_endpoints", "",
   [](const Report::Service& service) { return count_of(service.endpoints, [](const Report::Endpoint& one) { return one.check == "down"; }); },
   only("state", "down")},
  {kGauge, "ambbpf_service_rejected_values", "Values that are no endpoint, or that this process cannot use.",
   [](const Report::Service& service) -> Value { return static_cast<double>(service.rejected.size()); }},
};

const MetricRow<MetricEndpoint> of_endpoints[] = {
  {kGauge, "ambbpf_endpoint_ejected", "1: the endpoint is passed over, after failed connects or early resets.",
   [](const MetricEndpoint& part) -> Value { return part.endpoint.is_ejected() ? 1.0 : 0.0; }},
  {kGauge, "ambbpf_endpoint_check_up", "By its active checks 1: up, 0: down; none: it has had no check.",
   [](const MetricEndpoint& part) -> Value {
     if (part.endpoint.check.empty()) return std::nullopt;
     return part.endpoint.check == "up" ? 1.0 : 0.0;
   }},
  {kGauge, "ambbpf_endpoint_connections", "Open connections.",
   of_proxied<&Report::Endpoint::connections_now>, only("path", "proxy")},
  {kGauge, "ambbpf_endpoint_connections", "", of_direct<&Report::Endpoint::direct_now>, only("path", "direct")},
  {kCounter, "ambbpf_endpoint_connections_total", "Connections.",
   of_proxied<&Report::Endpoint::connections_total>, only("path", "proxy")},
  {kCounter, "ambbpf_endpoint_connections_total", "", of_direct<&Report::Endpoint::direct_total>, only("path", "direct")},
  {kCounter, "ambbpf_endpoint_connect_failures_total", "Connects that have failed.",
   of_proxied<&Report::Endpoint::failed_connects>, only("path", "proxy")},
  {kCounter, "ambbpf_endpoint_connect_failures_total", "", of_direct<&Report::Endpoint::direct_failed>, only("path", "direct")},
  {kCounter, "ambbpf_endpoint_bytes_total", "Bytes of connections, counted when they end.",
   of_proxied<&Report::Endpoint::bytes_to_backend>, way("proxy", to_backend)},
  {kCounter, "ambbpf_endpoint_bytes_total", "",
   of_proxied<&Report::Endpoint::bytes_to_client>, way("proxy", to_client)},
  {kCounter, "ambbpf_endpoint_bytes_total", "",
   of_direct<&Report::Endpoint::direct_bytes_to_backend>, way("direct", to_backend)},
  {kCounter, "ambbpf_endpoint_bytes_total", "",
   of_direct<&Report::Endpoint::direct_bytes_to_client>, way("direct", to_client)},
};

template <const auto& kState>
Value in_state(const Report::Source& source) { return source.state == kState ? 1.0 : 0.0; }
constexpr std::string_view kStarting = "starting";
constexpr std::string_view kFollowing = "following";
constexpr std::string_view kFailing = "failing";
constexpr std::string_view kNotServed = "not served";

const MetricRow<Report::Source> of_sources[] = {
  {kGauge, "ambbpf_source_state", "1 for the state that the source is in.", in_state<kStarting>, only("state", "starting")},
  {kGauge, "ambbpf_source_state", "", in_state<kFollowing>, only("state", "following")},
  {kGauge, "ambbpf_source_state", "", in_state<kFailing>, only("state", "failing")},
  {kGauge, "ambbpf_source_state", "", in_state<kNotServed>, only("state", "not_served")},
  {kGauge, "ambbpf_source_age_seconds", "Since the last word of a source that has more to say: an answer, an event or a sign of life.",
   [](const Report::Source& source) { return source.kind == "static" ? std::nullopt : seconds(source.heard_ms); }},
  {kGauge, "ambbpf_source_kept", "1: what it knew counts, as it cannot be followed, or is another cluster that lists none.",
   [](const Report::Source& source) -> Value { return source.kept ? 1.0 : 0.0; }},
  {kGauge, "ambbpf_source_endpoints", "Endpoints in the set that it last published.", number<&Report::Source::endpoints>},
  {kCounter, "ambbpf_source_lists_total", "Full listings taken.", number<&Report::Source::lists>},
  {kCounter, "ambbpf_source_events_total", "Changes seen by watching.", number<&Report::Source::events>},
  {kCounter, "ambbpf_source_failures_total", "Requests that have failed.", number<&Report::Source::failures>},
  {kCounter, "ambbpf_source_rejected_values_total", "Bad values seen.", number<&Report::Source::rejected_total>},
  {kGauge, "ambbpf_source_rejected_values", "Bad values that stand there now.",
   [](const Report::Source& source) -> Value { return static_cast<double>(source.rejected.size()); }},
};

const MetricRow<Report::Registrar> of_registrars[] = {
  {kGauge, "ambbpf_registrar_registrations", "Containers that are registered, or are to be.",
   [](const Report::Registrar& registrar) -> Value { return static_cast<double>(registrar.registrations.size()); }},
  {kGauge, "ambbpf_registrar_registered", "Those of them whose keys are in etcd as they should be.",
   [](const Report::Registrar& registrar) {
     return count_of(registrar.registrations, [](const auto& one) { return one.state == "registered"; });
   }},
  {kGauge, "ambbpf_registrar_rejected_values", "Labels of containers that cannot be understood.",
   [](const Report::Registrar& registrar) -> Value { return static_cast<double>(registrar.rejected.size()); }},
  {kGauge, "ambbpf_registrar_docker_age_seconds", "Since the last word of Docker.",
   [](const Report::Registrar& registrar) { return seconds(registrar.docker.heard_ms); }},
  {kCounter, "ambbpf_registrar_docker_lists_total", "Full listings of containers taken.",
   inner<&Report::Registrar::docker, &Report::Docker::lists>},
  {kCounter, "ambbpf_registrar_docker_events_total", "Events of Docker.", inner<&Report::Registrar::docker, &Report::Docker::events>},
  {kCounter, "ambbpf_registrar_docker_failures_total", "Requests to Docker that have failed.",
   inner<&Report::Registrar::docker, &Report::Docker::failures>},
  {kGauge, "ambbpf_registrar_etcd_age_seconds", "Since the last word of etcd.",
   [](const Report::Registrar& registrar) { return seconds(registrar.etcd.heard_ms); }},
  {kCounter, "ambbpf_registrar_etcd_writes_total", "Keys written.", inner<&Report::Registrar::etcd, &Report::KeyStore::writes>},
  {kCounter, "ambbpf_registrar_etcd_keepalives_total", "Signs of life for keys.",
   inner<&Report::Registrar::etcd, &Report::KeyStore::keepalives>},
  {kCounter, "ambbpf_registrar_etcd_lost_keys_total", "Keys that were gone, and were written again.",
   inner<&Report::Registrar::etcd, &Report::KeyStore::lost>},
  {kCounter, "ambbpf_registrar_etcd_deletes_total", "Keys removed.", inner<&Report::Registrar::etcd, &Report::KeyStore::deletes>},
  {kCounter, "ambbpf_registrar_etcd_failures_total", "Requests to etcd that have failed.",
   inner<&Report::Registrar::etcd, &Report::KeyStore::failures>},
};
// clang-format on

}  // namespace

std::span<const MetricRow<Report>> rows_of_process() { return of_process; }
std::span<const MetricRow<Report::Service>> rows_of_services() { return of_services; }
std::span<const MetricRow<MetricEndpoint>> rows_of_endpoints() { return of_endpoints; }
std::span<const MetricRow<Report::Source>> rows_of_sources() { return of_sources; }
std::span<const MetricRow<Report::Registrar>> rows_of_registrars() { return of_registrars; }

}  // namespace ambbpf
