// SPDX-License-Identifier: Apache-2.0
// The load generator behind tools/bench. Each client prints one line of JSON; on any error it
// prints {"error": "..."} and ends with 1.
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <functional>

#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

struct Options {
  std::string listen = "127.0.0.1:9000";
  std::string to = "127.0.0.1:9000";
  std::string server = "127.0.0.1:9000";
  double seconds = 2;
  double warm_up = 0.3;
  std::uint32_t size = 1;
  int connections = 50;
  int concurrent = 16;
  std::optional<double> rate;
  int streams = 1;
  std::string direction = "up";

  sockaddr_in target() const { return parse_address(to); }
  Span span() const { return {Seconds(warm_up), Seconds(seconds)}; }
};

void print(const Report& report) { std::fputs(report.line().c_str(), stdout); }

// Bounded whatever the proxy does: past this, SIGALRM ends it.
void limit_time(const Options& options) {
  ::alarm(static_cast<unsigned>(options.warm_up + options.seconds) + 20);
}

CLI::App* client(CLI::App& app, const char* name, const char* help, Options& options) {
  CLI::App* command = app.add_subcommand(name, help);
  command->add_option("--to", options.to, "the proxy's address, or the server's")
      ->capture_default_str();
  command->add_option("--seconds", options.seconds, "measured")->capture_default_str();
  command->add_option("--warm-up", options.warm_up, "seconds before, not measured")
      ->capture_default_str();
  return command;
}

void add_commands(CLI::App& app, Options& o, std::function<void()>& chosen) {
  auto* server = app.add_subcommand("serve", "serve all kinds of work on one port");
  server->add_option("--listen", o.listen)->capture_default_str();
  server->callback([&] { chosen = [&] { serve(parse_address(o.listen)); }; });

  auto* latency = client(app, "pingpong", "round trips on one connection", o);
  latency->add_option("--size", o.size, "bytes of a frame")->check(CLI::Range(1, 1 << 24));
  latency->callback([&] { chosen = [&] { print(pingpong(o.target(), o.size, o.span())); }; });

  auto* requests = client(app, "http", "keep-alive requests", o);
  requests->add_option("--connections", o.connections)->check(CLI::Range(1, 15000));
  requests->add_option("--rate", o.rate, "requests per second; also measures CPU");
  requests->callback([&] {
    chosen = [&] { print(http(o.target(), {o.connections, o.rate}, o.span())); };
  });

  auto* anew = client(app, "connect", "a new connection for each request", o);
  anew->add_option("--concurrent", o.concurrent)->check(CLI::Range(1, 1000));
  anew->callback(
      [&] { chosen = [&] { print(connect_anew(o.target(), o.concurrent, o.span())); }; });

  auto* streams = client(app, "bulk", "as many bytes as go through", o);
  streams->add_option("--streams", o.streams)->check(CLI::Range(1, 1000));
  streams->add_option("--direction", o.direction)->check(CLI::IsMember({"up", "down"}));
  streams->add_option("--rate", o.rate, "bits per second, uploads only; also measures CPU");
  streams->add_option("--server", o.server, "the server itself, to ask it what arrived")
      ->capture_default_str();
  streams->callback([&] {
    if (o.rate && o.direction != "up") throw CLI::ValidationError("--rate is for uploads");
    chosen = [&] {
      if (o.rate) *o.rate /= 8;
      print(bulk(o.target(), {o.streams, o.direction == "up", o.rate, parse_address(o.server)},
                 o.span()));
    };
  });

  auto* idle = client(app, "idle", "open connections and hold them until stdin ends", o);
  idle->add_option("--connections", o.connections)->check(CLI::Range(1, 19000));
  idle->callback([&] { chosen = [&] { hold_idle(o.target(), o.connections); }; });

  auto* spare = client(app, "soak", "the work of an otherwise idle machine", o);
  spare->callback([&] { chosen = [&] { print(soak(Seconds(o.seconds))); }; });
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace ambbpf::bench

int main(int argc, char** argv) {
  using namespace ambbpf::bench;
  CLI::App app("Load for tools/bench");
  app.require_subcommand(1);
  Options options;
  std::function<void()> chosen;
  add_commands(app, options, chosen);
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  try {
    if (!app.got_subcommand("serve") && !app.got_subcommand("idle")) limit_time(options);
    chosen();
  } catch (const std::exception& error) {
    fmt::print("{{\"error\": \"{}\"}}\n", error.what());
    return 1;
  }
}
