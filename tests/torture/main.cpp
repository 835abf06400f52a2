// SPDX-License-Identifier: Apache-2.0
// Thousands of connections through the proxy, whose peers do everything that peers may do: every
// size in both directions at once, in pieces and with pauses of every length, requests and answers,
// half-closes in either order, resets in mid-stream, peers that vanish. Each byte is checked
// against what was sent, each end of stream against what was promised.
//
//   torture --engine sockmap --at-once --connections 100000      a run, with a seed of its own
//   torture --engine sockmap --at-once --seed 7                  the same run again
//   torture --engine sockmap --at-once --only 1234               one connection of a run, alone
//   torture --buffers tiny --namespace                           the proxy's buffers tiny as well
//   torture --as-shipped --long --concurrent 6 --by-kernel 50    few long connections, by the
//   program torture --no-aborts --through 127.0.0.1:8080 --serve 127.0.0.1:8081      another proxy
//
// A failure prints the command line that replays its connection. A race may need the company of
// others: `--only SEED --connections 1000` plays the same script a thousand times. Exit codes: 0
// all is well; 1 something is not; 2 wrong usage; 77 the kernel refuses the engine or the
// namespace.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/own_network.h"
#include "tests/torture/run.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/support/log.h"

namespace ambbpf::torture {
namespace {

constexpr int kSkipped = 77;  // CTest: SKIP_RETURN_CODE

// As the user gives them.
struct Arguments {
  Settings settings;
  bool own_network = false;
  bool no_aborts = false;
  std::string through;
  std::string serve;
};

const std::map<std::string, Engine> kEngines{
    {"sockmap", Engine::kSockmap}, {"splice", Engine::kSplice}, {"copy", Engine::kCopy}};
const std::map<std::string, Buffers> kBuffers{
    {"default", Buffers::kDefault}, {"tiny", Buffers::kTiny}, {"mixed", Buffers::kMixed}};

void describe(CLI::App& app, Arguments& arguments) {
  auto& settings = arguments.settings;
  app.add_option("--engine", settings.engine, "of the proxy")
      ->transform(CLI::CheckedTransformer(kEngines));
  app.add_flag("--at-once", settings.at_once, "sockmap: connections enter the map at once");
  app.add_flag("--as-shipped", settings.as_shipped,
               "the proxy is the program, which decides by itself what enters the map")
      ->excludes("--at-once");
  app.add_flag("--long", settings.allowed.long_lived, "connections that live for seconds");
  app.add_option("--by-kernel", settings.by_kernel_percent,
                 "how many of a hundred bytes the kernel must move, at least");
  app.add_option("--threads", settings.threads, "of the proxy")->check(CLI::Range(1, 64));
  app.add_option("--connections", settings.connections, "1000 if not given; with --only 1");
  app.add_option("--concurrent", settings.concurrent, "200 if not given")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", settings.seed, "of the run; random if not given");
  app.add_option("--only", settings.only, "the seed of one connection, to be played alone");
  app.add_option("--buffers", settings.allowed.buffers, "of the peers' sockets")
      ->transform(CLI::CheckedTransformer(kBuffers));
  app.add_flag("--namespace", arguments.own_network,
               "in a network namespace of its own, where --buffers holds for the proxy as well");
  app.add_flag("--proxy-headers", settings.allowed.proxy_headers,
               "each connection begins with a PROXY header, to the proxy and from it");
  app.add_flag("--no-aborts", arguments.no_aborts, "connections that end in order only");
  auto* through =
      app.add_option("--through", arguments.through, "ADDRESS:PORT of a proxy that runs already");
  auto* serve =
      app.add_option("--serve", arguments.serve, "ADDRESS:PORT where it finds its backend");
  through->needs(serve);
  serve->needs(through);
}

std::optional<tcp::endpoint> address_in(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto colon = text.rfind(':');
  boost::system::error_code error;
  const auto address = asio::ip::make_address(text.substr(0, colon), error);
  const auto port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
  if (error || port <= 0 || port > 65535) throw CLI::ValidationError(text + " is not ADDRESS:PORT");
  return tcp::endpoint(address, static_cast<unsigned short>(port));
}

template <class Value>
std::string spelled(const std::map<std::string, Value>& names, Value value) {
  for (const auto& [name, named] : names)
    if (named == value) return name;
  return {};
}

std::string replay_command(const std::string& program, const Arguments& arguments) {
  const auto& settings = arguments.settings;
  auto command = fmt::format("{} --engine {} --buffers {} --threads {}", program,
                             spelled(kEngines, settings.engine),
                             spelled(kBuffers, settings.allowed.buffers), settings.threads);
  if (settings.at_once) command += " --at-once";
  if (settings.as_shipped) command += " --as-shipped";
  if (settings.allowed.long_lived) command += " --long";
  if (settings.allowed.proxy_headers) command += " --proxy-headers";
  if (arguments.own_network) command += " --namespace";
  if (arguments.no_aborts) command += " --no-aborts";
  if (settings.through)
    command += fmt::format(" --through {} --serve {}", arguments.through, arguments.serve);
  return command;
}

// There the proxy's socket buffers, too, are as `buffers` says.
void enter_network_with(Buffers buffers) {
  std::vector<std::pair<std::string, std::string>> settings{{"ip_local_port_range", "1024 65535"}};
  const auto set_buffers = [&](const char* write, const char* read) {
    settings.emplace_back("tcp_wmem", write);  // least, at the start, at most
    settings.emplace_back("tcp_rmem", read);
  };
  if (buffers == Buffers::kTiny) set_buffers("4096 8192 8192", "4096 8192 8192");
  if (buffers == Buffers::kMixed) set_buffers("4096 4096 4194304", "4096 8192 6291456");
  test::enter_own_network(settings);
}

int run_as_told(int argc, char** argv) {
  CLI::App app("Tortures a TCP proxy with connections that do everything, and checks every byte.");
  Arguments arguments;
  describe(app, arguments);
  try {
    app.parse(argc, argv);
    arguments.settings.through = address_in(arguments.through);
    arguments.settings.serve = address_in(arguments.serve);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  auto& settings = arguments.settings;
  settings.allowed.aborts = !arguments.no_aborts;
  settings.replay = replay_command(argv[0], arguments);
  if (settings.only) {  // the same script several times: one after the other
    if (app.count("--connections") == 0) settings.connections = 1;
  } else {
    if (app.count("--seed") == 0) settings.seed = std::random_device{}();
    fmt::print("{} --connections {} --concurrent {} --by-kernel {} --seed {}\n", settings.replay,
               settings.connections, settings.concurrent, settings.by_kernel_percent,
               settings.seed);
  }
  std::fflush(stdout);

  if (arguments.own_network) {
    try {
      enter_network_with(settings.allowed.buffers);
    } catch (const std::system_error& refused) {
      fmt::print("skipped: {}\n", refused.what());
      return kSkipped;
    }
  }
  const auto outcome = run(settings);
  return outcome == Outcome::kPassed ? 0 : outcome == Outcome::kFailed ? 1 : kSkipped;
}

}  // namespace
}  // namespace ambbpf::torture

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // the relay asks for it
  ambbpf::log::set_up("error");
  try {
    return ambbpf::torture::run_as_told(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "torture: {}\n", error.what());
    return 1;
  }
}
