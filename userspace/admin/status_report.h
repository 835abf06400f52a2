// SPDX-License-Identifier: Apache-2.0
// What a running ambassador says of itself: made by the process, shown by `ambbpf status`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/support/histogram.h"
#include "userspace/support/result.h"

namespace ambbpf {

// All ages and spans are in milliseconds before the report was made.
struct StatusReport {
  using Histogram = ambbpf::Histogram::Counts;  // how long something took, as often as it happened
  struct Endpoint {
    bool is_ejected() const { return ejected_ms > 0 || on_trial; }
    bool is_in_use() const { return !is_ejected() && !drained && check != "down"; }

    std::string address;           // "10.0.0.1:80", "[fd00::1]:80"
    std::string found_as;          // etcd key, container, or the name that was resolved
    std::uint64_t ejected_ms = 0;  // for how much longer it is ejected; 0: it is not
    bool on_trial = false;         // that is over, and one connection is to show whether it is well
    std::uint64_t connections_now = 0;
    std::uint64_t connections_total = 0;
    std::uint64_t failed_connects = 0;
    std::uint64_t early_resets = 0;      // of connections, before it had said anything
    std::uint64_t bytes_to_backend = 0;  // of proxied connections that have ended
    std::uint64_t bytes_to_client = 0;   // …
    // Connections that consumers have straight to it; bytes are those of closed ones.
    std::uint64_t direct_now = 0;
    std::uint64_t direct_total = 0;
    std::uint64_t direct_failed = 0;
    std::uint64_t direct_bytes_to_backend = 0;
    std::uint64_t direct_bytes_to_client = 0;
    std::uint64_t direct_connect_us = 0;  // on average
    std::uint64_t direct_rtt_us = 0;      // of the last one
    // As its attributes say (endpoints/standing.h); the weight also by hand.
    std::uint64_t weight = 1;
    std::uint64_t priority = 0;
    bool backup = false;
    std::string zone{};
    // Percent of its weight, while it has come of late (endpoints/slow_start.h).
    std::optional<std::uint64_t> slow_start{};
    // By hand (endpoints/overrides.h).
    bool drained = false;
    std::optional<std::uint64_t> weight_by_hand{};
    std::string by{};                      // who has said so; empty: nobody has
    std::optional<std::uint64_t> by_ms{};  // when
    // By its active checks: "up", "down"; empty: there was none.
    std::string check{};
    std::optional<std::uint64_t> checked_ms{};  // age of the last one
    std::string check_error{};                  // of the last one that failed; empty: none has
  };
  struct RejectedValue {
    std::string key;
    std::string reason;
  };
  struct Source {
    std::string name;   // "etcd.main", "docker.local"; of others where they look
    std::string kind;   // "etcd v2", "etcd v3", "docker", "name", "static"
    std::string from;   // server and key, the engine, or the name
    std::string state;  // "starting", "following", "failing", "not served"
    std::uint64_t endpoints = 0;
    std::optional<std::uint64_t> heard_ms;   // age of the last good answer
    std::optional<std::uint64_t> failed_ms;  // age of last_error
    std::string last_error;
    std::string note;
    std::uint64_t lists = 0;
    std::uint64_t events = 0;
    std::uint64_t failures = 0;
    std::uint64_t rejected_total = 0;
    std::vector<RejectedValue> rejected;
    bool replaced = false;  // counts until those in its place have answered
    bool kept = false;      // what it knew counts, and not what it says now, if anything
    Histogram propagation;  // of changes: from when one was heard until it was in force
  };
  struct Service {
    std::string name;
    std::vector<std::string> listen;  // "[::]:8080"
    std::string policy;               // "round_robin"; empty: nobody comes any more
    bool removed = false;             // from the configuration: only open connections go on
    std::uint64_t connections_now = 0;
    std::uint64_t connections_total = 0;
    std::uint64_t max_connections = 0;  // at once; 0: not known
    std::uint64_t refused = 0;          // by one of these:
    std::uint64_t too_many = 0;
    std::uint64_t out_of_descriptors = 0;
    std::uint64_t no_proxy_header = 0;
    std::uint64_t malformed_proxy_headers = 0;
    std::uint64_t denied = 0;
    std::uint64_t too_many_of_a_client = 0;
    std::uint64_t too_fast_for_a_client = 0;
    std::uint64_t too_fast = 0;
    std::uint64_t endpoints_full = 0;
    std::uint64_t queue_full = 0;
    std::uint64_t queue_timeouts = 0;
    std::uint64_t queued = 0;
    std::uint64_t queued_now = 0;
    std::uint64_t timed_out = 0;  // by one of these:
    std::uint64_t idle_timeouts = 0;
    std::uint64_t half_closed_timeouts = 0;
    std::uint64_t lifetimes_over = 0;
    std::uint64_t first_byte_timeouts = 0;
    std::uint64_t retries = 0;
    std::uint64_t connect_failures = 0;
    std::uint64_t ejections = 0;
    std::uint64_t reset_ejections = 0;  // of these, for early resets
    std::uint64_t early_resets = 0;
    std::uint64_t used_all_the_same = 0;  // endpoints, although ejected: max_ejected
    std::uint64_t checks_passed = 0;      // active ones, of all endpoints
    std::uint64_t checks_failed = 0;      // …
    std::uint64_t held = 0;
    std::uint64_t held_now = 0;
    std::uint64_t failed = 0;
    std::uint64_t gave_up = 0;  // … of these, after the last attempt; others were held in vain
    std::uint64_t bytes_to_backend = 0;  // of proxied connections that have ended
    std::uint64_t bytes_to_client = 0;   // …
    Histogram connect_times;             // of backends that answered
    Histogram first_bytes;               // of backends; see Service::first_bytes
    Histogram lives;                     // of proxied connections that have ended
    // "on"; "off": it was to be where it can be, and it cannot; "failing": it was asked for, and
    // cannot be; empty: not asked for.
    std::string direct;
    std::string direct_reason;          // why it is not "on"
    std::uint64_t direct_connects = 0;  // sent straight to an endpoint
    std::uint64_t direct_left = 0;      // left to the listener
    std::vector<Endpoint> endpoints;
    std::vector<RejectedValue> rejected;  // whatever source has them: see Source::rejected as well
    std::vector<Source> sources;
  };
  struct Traffic {  // one way
    std::uint64_t kernel_bytes = 0;
    std::uint64_t user_bytes = 0;
  };
  struct Connections {
    std::uint64_t now = 0;
    std::uint64_t total = 0;
    std::uint64_t in_map_now = 0;
    std::uint64_t directions_in_kernel_now = 0;
    std::uint64_t directions_in_user_now = 0;
    Traffic to_backend;
    Traffic to_client;
    std::uint64_t promoted = 0;
    std::uint64_t demoted = 0;
    std::uint64_t handed_over = 0;
    std::uint64_t taken_back = 0;
    std::uint64_t refused_by_kernel = 0;
    std::string last_refusal;
    std::uint64_t resets = 0;
    std::uint64_t vanished = 0;
    std::uint64_t mismatches = 0;
    std::uint64_t lost_events = 0;
  };
  struct Registration {
    std::string container;
    std::string key;
    std::string endpoint;  // "10.0.0.1:49153"; empty: there is nothing to register now
    std::string
        state;         // "registered", "pending", "waiting", "unreachable", "overtaken", "removing"
    std::string note;  // why it is not registered
  };
  struct Docker {
    std::string from;     // "unix:///var/run/docker.sock"
    std::string version;  // of the API
    std::string state;    // "starting", "following", "failing"
    std::uint64_t containers = 0;
    std::optional<std::uint64_t> heard_ms;
    std::optional<std::uint64_t> failed_ms;  // age of last_error
    std::string last_error;
    std::uint64_t lists = 0;
    std::uint64_t events = 0;
    std::uint64_t failures = 0;
  };
  struct KeyStore {
    std::string from;   // the etcd member in use
    std::string api;    // "v2", "v3"
    std::string state;  // "starting", "keeping", "failing"
    std::optional<std::uint64_t> heard_ms;
    std::optional<std::uint64_t> failed_ms;  // age of last_error
    std::string last_error;
    std::uint64_t writes = 0;
    std::uint64_t keepalives = 0;
    std::uint64_t lost = 0;
    std::uint64_t deletes = 0;
    std::uint64_t failures = 0;
  };
  struct Registrar {
    std::string name;        // in the configuration
    std::string advertised;  // the address; empty: not known yet
    std::uint64_t ttl_ms = 0;
    std::vector<Registration> registrations;
    std::vector<RejectedValue> rejected;  // labels; the key is the container
    Docker docker;
    KeyStore etcd;
  };
  struct Configuration {
    std::string file;                         // empty: the command line is all there is
    std::uint64_t generation = 0;             // how many have been put in force since the start
    std::optional<std::uint64_t> applied_ms;  // age of the one in force
    std::optional<std::uint64_t> failed_ms;   // age of last_error
    std::string last_error;  // of the last attempt to load another; empty: it was put in force
  };
  struct AccessLog {
    std::string target;  // a path, "syslog" or "journald"; empty: there is none
    std::uint64_t sample = 0;
    std::uint64_t lines = 0;               // since the start of the process
    std::uint64_t lost = 0;                // …
    std::optional<std::uint64_t> lost_ms;  // age of the last loss
    std::string last_error;                // why nothing is written now; empty: it is
  };
  struct Process {
    std::uint64_t started_unix_ms = 0;
    std::uint64_t cpu_us = 0;
    std::uint64_t resident_bytes = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t most_descriptors = 0;
  };
  struct Finding {  // of the start-up self-test
    std::string what;
    bool ok = false;
    std::string detail;
  };

  std::string version;
  std::string commit;  // empty: not known
  std::uint64_t pid = 0;
  std::string verb;  // "proxy", "forward", "register", "run"
  std::uint64_t uptime_ms = 0;
  bool draining = false;  // SIGTERM was received: no new connections
  std::uint64_t threads = 0;
  std::string engine;         // "sockmap", "splice", "copy"; empty: forwards nothing
  std::string engine_reason;  // why not a better one; empty: it is the best, or was asked for
  std::string kernel;         // release
  std::vector<Finding> findings;
  std::vector<Service> services;
  Connections connections;
  std::vector<Registrar> registrars;
  Configuration configuration;
  AccessLog access_log;
  Process process;
};

// What an operator should look into, one line each: a service without an endpoint in use, a source
// that fails, values or labels that are rejected, bytes that do not add up, a container that cannot
// be registered as it is.
std::vector<std::string> troubles(const StatusReport& report);

// Whether a script should worry: there is any trouble.
bool is_degraded(const StatusReport& report);

// One object in ASCII; the fields are the members above under their names, an absent age is left
// out, and "degraded" and "troubles" are as above. Bytes that are no UTF-8 become U+FFFD.
std::string to_json(const StatusReport& report);

// Fields that are unknown are skipped, and missing ones (or null) keep their defaults, so that an
// older `ambbpf status` reads a newer process and the reverse. Fails for what is no JSON object and
// for a field of another type, which it names.
Result<StatusReport> status_report_from_json(std::string_view json);

// For people: lines of at most 80 columns. Nothing in it can steer a terminal: all but printable
// ASCII in the report's texts is shown as \xNN. Ends with a line break.
std::string to_text(const StatusReport& report);

}  // namespace ambbpf
