// SPDX-License-Identifier: Apache-2.0
// What bench_load can do; each client measures once and returns its figures, or throws.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <optional>

#include "tests/bench/report.h"
#include "tests/bench/sockets.h"
#include "tests/bench/spinners.h"

namespace ambbpf::bench {

// How long to measure, after a warm-up that does not count.
struct Span {
  Seconds warm_up{0.3};
  Seconds measured{2};
};

void serve(const sockaddr_in& address);  // until it is killed

// One frame there and back at a time on one connection, begun at once or `every` so often, as keys
// are typed. Microseconds.
Report pingpong(const sockaddr_in& to, std::uint32_t size, Seconds every, Span span);

// Keep-alive, one outstanding request on each connection.
struct HttpWork {
  int connections = 50;
  std::optional<double> rate;  // requests per second; without, as many as go
  SpinRate* spins = nullptr;   // also tells what the spinners do meanwhile
};
Report http(const sockaddr_in& to, HttpWork work, Span span);

// A new connection for each request, closed by the server.
Report connect_anew(const sockaddr_in& to, int concurrent, Span span);

// A new connection for each request, begun on time whatever becomes of those before; tells how many
// failed, of what, and how long the others took.
struct SteadyWork {
  double rate = 100;    // requests per second
  Seconds patience{3};  // with one request
};
Report steady(const sockaddr_in& to, SteadyWork work, Span span);

// Bytes per second as received at the far end.
struct BulkWork {
  int streams = 1;
  bool upload = true;
  std::optional<double> rate;  // bytes per second, uploads only; without, as many as go
  SpinRate* spins = nullptr;   // also tells what the spinners do meanwhile
  sockaddr_in server{};        // past the proxy: asked what its sinks have read; uploads only
};
Report bulk(const sockaddr_in& to, BulkWork work, Span span);

// Opens connections, exchanges a byte on each, says so on stdout and holds them until stdin ends.
void hold_idle(const sockaddr_in& to, int connections);

}  // namespace ambbpf::bench
