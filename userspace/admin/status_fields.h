// SPDX-License-Identifier: Apache-2.0
// The fields of the report and their names in JSON: one list, for the writer and for the reader.
#pragma once

#include "userspace/admin/json_fields.h"
#include "userspace/admin/status_report.h"

namespace ambbpf {

// visit(name, member) for each field of the object.
void each_field(Either<StatusReport::Histogram> auto& histogram, auto&& visit) {
  visit("bounds_us", histogram.bounds_us);
  visit("in_buckets", histogram.in_buckets);
  visit("sum_us", histogram.sum_us);
}

void each_field(Either<StatusReport::Endpoint> auto& endpoint, auto&& visit) {
  visit("address", endpoint.address);
  visit("found_as", endpoint.found_as);
  visit("ejected_ms", endpoint.ejected_ms);
  visit("on_trial", endpoint.on_trial);
  visit("connections_now", endpoint.connections_now);
  visit("connections_total", endpoint.connections_total);
  visit("failed_connects", endpoint.failed_connects);
  visit("early_resets", endpoint.early_resets);
  visit("bytes_to_backend", endpoint.bytes_to_backend);
  visit("bytes_to_client", endpoint.bytes_to_client);
  visit("direct_now", endpoint.direct_now);
  visit("direct_total", endpoint.direct_total);
  visit("direct_failed", endpoint.direct_failed);
  visit("direct_bytes_to_backend", endpoint.direct_bytes_to_backend);
  visit("direct_bytes_to_client", endpoint.direct_bytes_to_client);
  visit("direct_connect_us", endpoint.direct_connect_us);
  visit("direct_rtt_us", endpoint.direct_rtt_us);
  visit("weight", endpoint.weight);
  visit("priority", endpoint.priority);
  visit("backup", endpoint.backup);
  visit("zone", endpoint.zone);
  visit("slow_start", endpoint.slow_start);
  visit("drained", endpoint.drained);
  visit("weight_by_hand", endpoint.weight_by_hand);
  visit("by", endpoint.by);
  visit("by_ms", endpoint.by_ms);
  visit("check", endpoint.check);
  visit("checked_ms", endpoint.checked_ms);
  visit("check_error", endpoint.check_error);
}

void each_field(Either<StatusReport::RejectedValue> auto& value, auto&& visit) {
  visit("key", value.key);
  visit("reason", value.reason);
}

void each_field(Either<StatusReport::Source> auto& source, auto&& visit) {
  visit("name", source.name);
  visit("kind", source.kind);
  visit("from", source.from);
  visit("state", source.state);
  visit("endpoints", source.endpoints);
  visit("heard_ms", source.heard_ms);
  visit("failed_ms", source.failed_ms);
  visit("last_error", source.last_error);
  visit("note", source.note);
  visit("lists", source.lists);
  visit("events", source.events);
  visit("failures", source.failures);
  visit("rejected_total", source.rejected_total);
  visit("rejected", source.rejected);
  visit("replaced", source.replaced);
  visit("kept", source.kept);
  visit("propagation", source.propagation);
}

void each_field(Either<StatusReport::Service> auto& service, auto&& visit) {
  visit("name", service.name);
  visit("listen", service.listen);
  visit("policy", service.policy);
  visit("removed", service.removed);
  visit("connections_now", service.connections_now);
  visit("connections_total", service.connections_total);
  visit("max_connections", service.max_connections);
  visit("refused", service.refused);
  visit("too_many", service.too_many);
  visit("out_of_descriptors", service.out_of_descriptors);
  visit("no_proxy_header", service.no_proxy_header);
  visit("malformed_proxy_headers", service.malformed_proxy_headers);
  visit("denied", service.denied);
  visit("too_many_of_a_client", service.too_many_of_a_client);
  visit("too_fast_for_a_client", service.too_fast_for_a_client);
  visit("too_fast", service.too_fast);
  visit("endpoints_full", service.endpoints_full);
  visit("queue_full", service.queue_full);
  visit("queue_timeouts", service.queue_timeouts);
  visit("queued", service.queued);
  visit("queued_now", service.queued_now);
  visit("timed_out", service.timed_out);
  visit("idle_timeouts", service.idle_timeouts);
  visit("half_closed_timeouts", service.half_closed_timeouts);
  visit("lifetimes_over", service.lifetimes_over);
  visit("first_byte_timeouts", service.first_byte_timeouts);
  visit("retries", service.retries);
  visit("connect_failures", service.connect_failures);
  visit("ejections", service.ejections);
  visit("reset_ejections", service.reset_ejections);
  visit("early_resets", service.early_resets);
  visit("used_all_the_same", service.used_all_the_same);
  visit("checks_passed", service.checks_passed);
  visit("checks_failed", service.checks_failed);
  visit("held", service.held);
  visit("held_now", service.held_now);
  visit("failed", service.failed);
  visit("gave_up", service.gave_up);
  visit("bytes_to_backend", service.bytes_to_backend);
  visit("bytes_to_client", service.bytes_to_client);
  visit("connect_times", service.connect_times);
  visit("first_bytes", service.first_bytes);
  visit("lives", service.lives);
  visit("direct", service.direct);
  visit("direct_reason", service.direct_reason);
  visit("direct_connects", service.direct_connects);
  visit("direct_left", service.direct_left);
  visit("endpoints", service.endpoints);
  visit("rejected", service.rejected);
  visit("sources", service.sources);
}

void each_field(Either<StatusReport::Traffic> auto& traffic, auto&& visit) {
  visit("kernel_bytes", traffic.kernel_bytes);
  visit("user_bytes", traffic.user_bytes);
}

void each_field(Either<StatusReport::Connections> auto& connections, auto&& visit) {
  visit("now", connections.now);
  visit("total", connections.total);
  visit("in_map_now", connections.in_map_now);
  visit("directions_in_kernel_now", connections.directions_in_kernel_now);
  visit("directions_in_user_now", connections.directions_in_user_now);
  visit("to_backend", connections.to_backend);
  visit("to_client", connections.to_client);
  visit("promoted", connections.promoted);
  visit("demoted", connections.demoted);
  visit("handed_over", connections.handed_over);
  visit("taken_back", connections.taken_back);
  visit("refused_by_kernel", connections.refused_by_kernel);
  visit("last_refusal", connections.last_refusal);
  visit("resets", connections.resets);
  visit("vanished", connections.vanished);
  visit("mismatches", connections.mismatches);
  visit("lost_events", connections.lost_events);
}

void each_field(Either<StatusReport::Registration> auto& registration, auto&& visit) {
  visit("container", registration.container);
  visit("key", registration.key);
  visit("endpoint", registration.endpoint);
  visit("state", registration.state);
  visit("note", registration.note);
}

void each_field(Either<StatusReport::Docker> auto& docker, auto&& visit) {
  visit("from", docker.from);
  visit("version", docker.version);
  visit("state", docker.state);
  visit("containers", docker.containers);
  visit("heard_ms", docker.heard_ms);
  visit("failed_ms", docker.failed_ms);
  visit("last_error", docker.last_error);
  visit("lists", docker.lists);
  visit("events", docker.events);
  visit("failures", docker.failures);
}

void each_field(Either<StatusReport::KeyStore> auto& etcd, auto&& visit) {
  visit("from", etcd.from);
  visit("api", etcd.api);
  visit("state", etcd.state);
  visit("heard_ms", etcd.heard_ms);
  visit("failed_ms", etcd.failed_ms);
  visit("last_error", etcd.last_error);
  visit("writes", etcd.writes);
  visit("keepalives", etcd.keepalives);
  visit("lost", etcd.lost);
  visit("deletes", etcd.deletes);
  visit("failures", etcd.failures);
}

void each_field(Either<StatusReport::Registrar> auto& registrar, auto&& visit) {
  visit("name", registrar.name);
  visit("advertised", registrar.advertised);
  visit("ttl_ms", registrar.ttl_ms);
  visit("registrations", registrar.registrations);
  visit("rejected", registrar.rejected);
  visit("docker", registrar.docker);
  visit("etcd", registrar.etcd);
}

void each_field(Either<StatusReport::Configuration> auto& configuration, auto&& visit) {
  visit("file", configuration.file);
  visit("generation", configuration.generation);
  visit("applied_ms", configuration.applied_ms);
  visit("failed_ms", configuration.failed_ms);
  visit("last_error", configuration.last_error);
}

void each_field(Either<StatusReport::AccessLog> auto& log, auto&& visit) {
  visit("target", log.target);
  visit("sample", log.sample);
  visit("lines", log.lines);
  visit("lost", log.lost);
  visit("lost_ms", log.lost_ms);
  visit("last_error", log.last_error);
}

void each_field(Either<StatusReport::Process> auto& process, auto&& visit) {
  visit("started_unix_ms", process.started_unix_ms);
  visit("cpu_us", process.cpu_us);
  visit("resident_bytes", process.resident_bytes);
  visit("descriptors", process.descriptors);
  visit("most_descriptors", process.most_descriptors);
}

void each_field(Either<StatusReport::Finding> auto& finding, auto&& visit) {
  visit("what", finding.what);
  visit("ok", finding.ok);
  visit("detail", finding.detail);
}

void each_field(Either<StatusReport> auto& report, auto&& visit) {
  visit("version", report.version);
  visit("commit", report.commit);
  visit("pid", report.pid);
  visit("verb", report.verb);
  visit("uptime_ms", report.uptime_ms);
  visit("draining", report.draining);
  visit("threads", report.threads);
  visit("engine", report.engine);
  visit("engine_reason", report.engine_reason);
  visit("kernel", report.kernel);
  visit("findings", report.findings);
  visit("services", report.services);
  visit("connections", report.connections);
  visit("registrars", report.registrars);
  visit("configuration", report.configuration);
  visit("access_log", report.access_log);
  visit("process", report.process);
}

}  // namespace ambbpf
