// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/admin/status_report.h"

namespace ambbpf {

// Every field has a value of its own. Degraded only by values that are rejected.
inline StatusReport sample_report() {
  StatusReport report;
  report.version = "0.1.0";
  report.commit = "c0ffee";
  report.pid = 4711;
  report.verb = "proxy";
  report.uptime_ms = 11'525'000;
  report.draining = true;
  report.threads = 2;
  report.engine = "splice";
  report.engine_reason = "load stream_relay: Operation not permitted";
  report.kernel = "6.1.0-18-amd64";
  report.findings = {{"early bytes", true, ""},
                     {"FIN after data", false, "3 of 100 bytes were missing"}};

  StatusReport::Source source;
  source.name = "etcd.main";
  source.kind = "etcd v3";
  source.from = "http://127.0.0.1:2379 /services/web/";
  source.state = "following";
  source.endpoints = 2;
  source.heard_ms = 2'100;
  source.failed_ms = 302'000;
  source.last_error = "connect to 127.0.0.1:2379: Connection refused";
  source.note = "the server's clock is off";
  source.lists = 3;
  source.events = 17;
  source.failures = 1;
  source.rejected_total = 4;
  source.rejected = {{"/services/web/bad", "no port in '10.0.0.3'"}};
  source.propagation = {{100, 1'000}, {5, 6, 6}, 41'000};

  StatusReport::Service service;
  service.name = "web";
  service.listen = {"[::]:8080", "127.0.0.1:81"};
  service.policy = "source";
  service.connections_now = 12;
  service.connections_total = 3456;
  service.max_connections = 480;
  service.refused = 8;
  service.too_many = 5;
  service.out_of_descriptors = 3;
  service.queued = 21;
  service.queued_now = 9;
  service.timed_out = 10;
  service.idle_timeouts = 4;
  service.half_closed_timeouts = 3;
  service.lifetimes_over = 2;
  service.first_byte_timeouts = 1;
  service.retries = 5;
  service.connect_failures = 18;
  service.ejections = 14;
  service.reset_ejections = 3;
  service.early_resets = 9;
  service.checks_passed = 1'001;
  service.checks_failed = 15;
  service.held = 6;
  service.held_now = 2;
  service.failed = 7;
  service.gave_up = 4;
  service.bytes_to_backend = 70'007;
  service.bytes_to_client = 80'008;
  service.connect_times = {{250, 2'500}, {40, 7, 1}, 60'500};
  service.first_bytes = {{100, 1'000}, {3, 20, 5}, 90'500};
  service.lives = {{10'000, 60'000'000}, {30, 4, 2}, 345'000'000};
  service.endpoints = {
      {"10.0.0.1:80", "/services/web/web-1", 0, false, 12, 3400, 0, 0, 60'006, 50'005},
      {"[fd00::1]:80", "/services/web/web-2", 3'000, false, 0, 56, 8, 0, 1, 3}};
  service.endpoints[0].check = "up";
  service.endpoints[0].checked_ms = 1'900;
  service.endpoints[0].check_error = "HTTP 503";
  service.endpoints[1].backup = true;
  service.endpoints[1].slow_start = 35;
  service.sources = {source};
  report.services = {service};

  report.process = {1'790'000'000'500, 2'500'000, 12'582'912, 48, 1024};
  report.configuration = {"/etc/ambbpf/ambbpf.toml", 3, 62'000, 61'000, ""};

  auto& all = report.connections;
  all.now = 12;
  all.total = 3456;
  all.in_map_now = 10;
  all.directions_in_kernel_now = 19;
  all.directions_in_user_now = 5;
  all.to_backend = {1'288'490'189, 3'565'158};
  all.to_client = {13'421'772'800, 122'880};
  all.promoted = 100;
  all.demoted = 20;
  all.handed_over = 190;
  all.taken_back = 11;
  all.refused_by_kernel = 1;
  all.last_refusal = "update peer_of: Argument list too long";
  all.resets = 9;
  all.vanished = 4;
  all.lost_events = 2;

  auto& registrar = report.registrars.emplace_back();
  registrar.name = "containers";
  registrar.advertised = "10.0.0.9";
  registrar.ttl_ms = 5'000;
  registrar.registrations = {{"web-1", "/services/web/web-1", "10.0.0.9:49155", "registered", ""},
                             {"web-2", "/services/web/web-2", "", "waiting", "it is paused"}};
  registrar.rejected = {{"db-1", "label ambbpf.port: 'x' is not a port"}};
  registrar.docker = {"unix:///var/run/docker.sock",
                      "1.41",
                      "following",
                      5,
                      1'500,
                      62'000,
                      "GET http://docker/events: Connection reset by peer",
                      21,
                      22,
                      23};
  registrar.etcd = {"http://127.0.0.1:2379",
                    "v2",
                    "keeping",
                    700,
                    61'000,
                    "PUT http://127.0.0.1:2379: Connection refused",
                    31,
                    32,
                    33,
                    34,
                    35};
  return report;
}

inline StatusReport healthy_report() {
  auto report = sample_report();
  for (auto& source : report.services[0].sources) source.rejected.clear();
  for (auto& registrar : report.registrars) registrar.rejected.clear();
  return report;
}

}  // namespace ambbpf
