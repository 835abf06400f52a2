// SPDX-License-Identifier: Apache-2.0
// The load generator behind tools/bench. Each client prints one line of JSON; on any error it
// prints {"error": "..."} and ends with 1.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>

#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

struct Options {
  std::string listen = "127.0.0.1:9000";
  std::string to = "127.0.0.1:9000";
  std::string server = "127.0.0.1:9000";
  std::string spinners;  // the file they count in
  double seconds = 2;
  double warm_up = 0.3;
  std::uint32_t size = 1;
  double every = 0;
  int connections = 50;
  int concurrent = 16;
  std::optional<double> rate;
  SteadyWork steady;
  int streams = 1;
  std::string direction = "up";

  sockaddr_in target() const { return parse_address(to); }
  Span span() const { return {Seconds(warm_up), Seconds(seconds)}; }
  std::unique_ptr<SpinRate> spins() const {
    return spinners.empty() ? nullptr : std::make_unique<SpinRate>(spinners);
  }
};

void print(const Report& report) { std::fputs(report.line().c_str(), stdout); }

void run_http(const Options& o) {
  const auto spins = o.spins();
  print(http(o.target(), {o.connections, o.rate, spins.get()}, o.span()));
}

void run_bulk(const Options& o) {
  const auto spins = o.spins();
  BulkWork work;
  work.streams = o.streams;
  work.upload = o.direction == "up";
  if (o.rate) work.rate = *o.rate / 8;
  if (work.upload) work.server = parse_address(o.server);
  work.spins = spins.get();
  print(bulk(o.target(), work, o.span()));
}

// What the spinners do per second while nothing of ours runs.
void run_soak(const Options& o) {
  const auto spins = o.spins();
  std::this_thread::sleep_for(Seconds(o.seconds));
  print(Report().add("spins_per_second", spins->since_last()));
}

class CommandLine {
 public:
  CommandLine() {
    app_.require_subcommand(1);
    add_servers();
    add_clients();
  }

  CLI::App& app() { return app_; }
  void run() const { chosen_(options_); }

 private:
  using Run = std::function<void(const Options&)>;

  CLI::App* command(const char* name, const char* help, Run run) {
    CLI::App* command = app_.add_subcommand(name, help);
    command->callback([this, run] { chosen_ = run; });
    return command;
  }

  CLI::App* client(const char* name, const char* help, Run run) {
    CLI::App* client = command(name, help, std::move(run));
    client->add_option("--to", options_.to, "the proxy's address, or the server's")
        ->capture_default_str();
    client->add_option("--seconds", options_.seconds, "measured")->capture_default_str();
    client->add_option("--warm-up", options_.warm_up, "seconds before, not measured")
        ->capture_default_str();
    return client;
  }

  CLI::Option* add_spinners(CLI::App* command, const char* help) {
    return command->add_option("--spinners", options_.spinners, help);
  }

  void add_servers() {
    auto* server = command("serve", "serve all kinds of work on one port",
                           [](const Options& o) { serve(parse_address(o.listen)); });
    server->add_option("--listen", options_.listen)->capture_default_str();

    auto* spinning = command("spin", "spend the CPU that nobody else wants, and count",
                             [](const Options& o) { spin(o.spinners); });
    add_spinners(spinning, "the file to count in")->required();

    auto* spare = command("soak", "what the spinners do on an otherwise idle machine", run_soak);
    spare->add_option("--seconds", options_.seconds)->capture_default_str();
    add_spinners(spare, "the file that `spin` counts in")->required();
  }

  void add_clients() {
    Options& o = options_;
    auto* latency = client("pingpong", "round trips on one connection", [](const Options& given) {
      print(pingpong(given.target(), given.size, Seconds(given.every), given.span()));
    });
    latency->add_option("--size", o.size, "bytes of a frame")->check(CLI::Range(1, 1 << 24));
    latency->add_option("--every", o.every, "seconds from one to the next; default: at once");

    auto* requests = client("http", "keep-alive requests", run_http);
    requests->add_option("--connections", o.connections)->check(CLI::Range(1, 15000));
    requests->add_option("--rate", o.rate, "requests per second; default: as many as go");
    add_spinners(requests, "also tell what `spin`, counting in this file, does meanwhile");

    auto* anew = client("connect", "a new connection for each request", [](const Options& given) {
      print(connect_anew(given.target(), given.concurrent, given.span()));
    });
    anew->add_option("--concurrent", o.concurrent)->check(CLI::Range(1, 1000));

    auto* punctual = client(
        "steady", "new connections at a fixed rate; counts failures",
        [](const Options& given) { print(steady(given.target(), given.steady, given.span())); });
    punctual->add_option("--rate", o.steady.rate, "requests per second")->capture_default_str();
    punctual
        ->add_option_function<double>(
            "--patience", [&o](double seconds) { o.steady.patience = Seconds(seconds); },
            "seconds that one request may take")
        ->default_str("3");

    auto* streams = client("bulk", "as many bytes as go through", run_bulk);
    streams->add_option("--streams", o.streams)->check(CLI::Range(1, 1000));
    streams->add_option("--direction", o.direction)->check(CLI::IsMember({"up", "down"}));
    streams->add_option("--rate", o.rate, "bits per second, uploads only; default: all that goes");
    streams->add_option("--server", o.server, "the server itself, to ask it what arrived")
        ->capture_default_str();
    add_spinners(streams, "also tell what `spin`, counting in this file, does meanwhile");

    auto* idle = client("idle", "open connections and hold them until stdin ends",
                        [](const Options& given) { hold_idle(given.target(), given.connections); });
    idle->add_option("--connections", o.connections)->check(CLI::Range(1, 19000));
  }

  CLI::App app_{"Load for tools/bench"};
  Options options_;
  Run chosen_;
};

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace ambbpf::bench

int main(int argc, char** argv) {
  ambbpf::bench::CommandLine command_line;
  CLI11_PARSE(command_line.app(), argc, argv);
  ambbpf::bench::raise_descriptor_limit();
  try {
    command_line.run();
  } catch (const std::exception& error) {
    fmt::print("{{\"error\": \"{}\"}}\n", error.what());
    return 1;
  }
}
