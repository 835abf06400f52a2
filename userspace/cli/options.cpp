// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options.h"

#include <fmt/format.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "userspace/cli/options_common.h"
#include "userspace/cli/options_docker.h"
#include "userspace/cli/options_errors.h"
#include "userspace/cli/options_etcd.h"
#include "userspace/cli/options_help.h"
#include "userspace/cli/options_register.h"
#include "userspace/proxy/listen.h"
#include "userspace/support/quote.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr unsigned kMostThreads = 256;

// As given, before it is checked.
struct Given {
  std::string engine = "auto";
  unsigned threads = 0;
  std::uint64_t connect_timeout_ms = 1000;
  std::uint64_t hold_ms = 3000;
  std::uint64_t drain_ms = 5000;
  std::uint64_t peer_timeout_ms = 30'000;
  unsigned retries = 3;
  unsigned max_connections = 0;
  std::string admin;
  std::string log_level = "info";
  std::string listen;
  GivenEtcd etcd;
  GivenDocker docker;
  std::string sources = "etcd";
  std::vector<std::string> services_and_ports;
  std::string target;
  bool json = false;
  bool ready = false;
};

// The CPUs this process may use.
unsigned usable_cpus() {
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::clamp(static_cast<unsigned>(CPU_COUNT(&cpus)), 1U, kMostThreads);
}

void add_forwarding(CLI::App& app, Given& given) {
  add_choice(app, "--engine", "AMBBPF_ENGINE", given.engine, {"auto", "sockmap", "splice", "copy"},
             "How bytes are moved; auto takes the best that works");
  add_number(app, "--threads", "AMBBPF_THREADS", given.threads, 1, kMostThreads,
             "Threads that serve connections (default: one a CPU)");
  add_duration(app, "--connect-timeout", "AMBBPF_CONNECT_TIMEOUT", given.connect_timeout_ms,
               "For one attempt to reach an endpoint");
  add_number(app, "--retries", "AMBBPF_RETRIES", given.retries, 0, 100,
             "Attempts after a failed one, at the next endpoint (default: 3)");
  add_number(app, "--max-connections", "AMBBPF_MAX_CONNECTIONS", given.max_connections, 1,
             1U << 30U,
             "Open connections of one service; others are reset (default: as many as the "
             "descriptor limit allows, or half of them for one of several services)");
  add_duration(app, "--hold", "AMBBPF_HOLD", given.hold_ms,
               "How long a connection waits for a service without endpoints");
  add_duration(app, "--drain", "AMBBPF_DRAIN", given.drain_ms,
               "How long open connections may go on after SIGTERM");
  add_duration(app, "--peer-timeout", "AMBBPF_PEER_TIMEOUT", given.peer_timeout_ms,
               "After this long without a sign of life a client or backend is taken for vanished");
  add_admin(app, given.admin,
            "The admin socket (default: in /run/ambbpf, or where the user may write)");
  add_log_level(app, given.log_level);
}

Result<ForwardingOptions> forwarding_options(const Given& given) {
  using std::chrono::milliseconds;
  ForwardingOptions options;
  options.engine = engine_named(given.engine);  // none for "auto"
  options.threads = given.threads != 0 ? given.threads : usable_cpus();
  if (given.connect_timeout_ms == 0) return fail("--connect-timeout: must be more than 0");
  options.dial = {.connect_timeout = milliseconds(given.connect_timeout_ms),
                  .retries = given.retries,
                  .hold = milliseconds(given.hold_ms)};
  if (given.max_connections != 0) options.max_connections = given.max_connections;
  options.drain = milliseconds(given.drain_ms);
  options.keepalive = {.longest = milliseconds(given.peer_timeout_ms)};
  // Keepalives come in whole seconds; after five minutes the kernel gives up by itself.
  if (options.keepalive.longest < 5s || options.keepalive.longest > 5min)
    return fail("--peer-timeout: must be from 5s to 5m");
  if (!given.admin.empty()) options.admin = given.admin;
  options.log_level = given.log_level;
  return options;
}

Result<asio::ip::address> listen_address(const std::string& given) {
  if (given.empty()) return any_address();
  boost::system::error_code error;
  const auto address = asio::ip::make_address(given, error);
  if (error)
    return fail(
        fmt::format("--listen: '{}' is not an IPv4 or IPv6 address, as in --listen "
                    "127.0.0.1; the ports stand behind the services",
                    given));
  return address;
}

Result<std::vector<ProxyOptions::Route>> routes(const Given& given) {
  const auto& words = given.services_and_ports;
  if (words.empty()) return fail("SERVICE and PORT are missing, as in: ambbpf proxy web 8080");
  if (words.size() % 2 != 0)
    return fail(
        fmt::format("SERVICE '{0}' has no PORT: they come in pairs, as in {0} 8080", words.back()));
  const auto address = listen_address(given.listen);
  if (!address) return tl::unexpected(address.error());
  std::vector<ProxyOptions::Route> found;
  std::set<unsigned short> ports;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const auto service = checked_service(words[i]);
    if (!service) return tl::unexpected(service.error());
    const auto port = parse_port(words[i + 1]);
    if (!port) return fail(fmt::format("PORT of {}: {}", words[i], port.error().what));
    if (!ports.insert(*port).second) return fail(fmt::format("PORT {} is given twice", *port));
    found.push_back({*service, tcp::endpoint(*address, *port)});
  }
  return found;
}

Result<SourceChoice> source_choice(const std::string& given) {
  SourceChoice choice{.etcd = false, .docker = false};
  std::istringstream words(given);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == "etcd")
      choice.etcd = true;
    else if (word == "docker")
      choice.docker = true;
    else
      return fail(fmt::format("--source: '{}' is neither etcd nor docker", word));
  }
  if (!choice.etcd && !choice.docker) return fail("--source: names no source");
  return choice;
}

Result<Command> proxy_options(const Given& given) {
  ProxyOptions options;
  auto forwarding = forwarding_options(given);
  if (!forwarding) return tl::unexpected(forwarding.error());
  options.forwarding = std::move(*forwarding);
  auto found = routes(given);
  if (!found) return tl::unexpected(found.error());
  options.routes = std::move(*found);
  auto etcd = etcd_choice(given.etcd);
  if (!etcd) return tl::unexpected(etcd.error());
  options.etcd = std::move(*etcd);
  const auto sources = source_choice(given.sources);
  if (!sources) return tl::unexpected(sources.error());
  options.sources = *sources;
  options.ignore_health = given.docker.ignore_health;
  if (!sources->docker) return options;
  auto docker = docker_choice(given.docker);
  if (!docker) return tl::unexpected(docker.error());
  options.docker = std::move(*docker);
  return options;
}

Result<Command> forward_options(const Given& given) {
  constexpr unsigned short kSimpleAmbPort = 10000;
  ForwardOptions options;
  auto forwarding = forwarding_options(given);
  if (!forwarding) return tl::unexpected(forwarding.error());
  options.forwarding = std::move(*forwarding);
  if (given.target.empty())
    return fail(
        "HOST:PORT is missing, as in: ambbpf forward db.example:5432 (or FORWARD_ADDR in "
        "the environment)");
  auto target = parse_host_and_port(given.target);
  if (!target) return fail("HOST:PORT: " + target.error().message());
  options.target = std::move(*target);
  if (given.listen.empty()) {
    options.listen = tcp::endpoint(any_address(), kSimpleAmbPort);
    return options;
  }
  const auto listen = parse_address(given.listen);
  if (!listen)
    return fail(
        fmt::format("--listen: {}; it takes ADDRESS:PORT, as in 127.0.0.1:8080, or "
                    "0.0.0.0:8080 for every address",
                    listen.error().message()));
  options.listen = *listen;
  return options;
}

void describe_proxy(CLI::App& app, Given& given) {
  app.add_option("SERVICE", given.services_and_ports,
                 "Each SERVICE of etcd is served on its local PORT")
      ->type_name("SERVICE PORT [SERVICE PORT...]")
      ->expected(0, CLI::detail::expected_max_vector_size);
  app.add_option("--source", given.sources,
                 "Where endpoints are found: etcd, docker (labelled containers of this host), or "
                 "both, etcd,docker")
      ->envname("AMBBPF_SOURCE")
      ->type_name("SOURCE[,SOURCE]")
      ->capture_default_str();
  add_etcd(app, given.etcd);
  add_docker(app, given.docker);
  app.add_option("--listen", given.listen, "The local address (default: every one)")
      ->envname("AMBBPF_LISTEN")
      ->type_name("ADDRESS");
  add_forwarding(app, given);
  add_examples(app, {"proxy web 8080 --etcd http://10.0.0.1:2379",
                     "proxy web 8080 db 5432 --source docker --listen 127.0.0.1"});
}

void describe_forward(CLI::App& app, Given& given) {
  app.add_option("HOST:PORT", given.target, "Where connections go")
      ->envname("FORWARD_ADDR")
      ->type_name("HOST:PORT");
  app.add_option("--listen", given.listen, "The local address (default: port 10000 of every one)")
      ->envname("AMBBPF_LISTEN")
      ->type_name("ADDRESS:PORT");
  add_forwarding(app, given);
  add_examples(app, {"forward db.example:5432 --listen 127.0.0.1:5432"});
}

void describe_status(CLI::App& app, Given& given) {
  add_admin(app, given.admin, "The process with this admin socket only (default: every one found)");
  auto& json = *app.add_flag("--json", given.json, "One JSON document, for programs");
  app.add_flag("--ready", given.ready,
               "Only whether they are ready to serve; exits with 0 if all are")
      ->excludes(&json);
  add_examples(app, {"status", "status --ready --admin /run/ambbpf/web/ambbpf.sock"});
}

Command status_options(const Given& given) {
  StatusOptions options;
  if (given.json) options.form = StatusOptions::Form::kJson;
  if (given.ready) options.form = StatusOptions::Form::kReady;
  if (!given.admin.empty()) options.admin = given.admin;
  return options;
}

// CLI11 ends some of its messages with a line of advice.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

Result<Command> command_of(int argc, const char* const* argv) {
  // One for each verb: the environment is read for all of them.
  Given for_proxy;
  Given for_forward;
  GivenRegister for_register;
  Given for_status;
  Given for_doctor;
  CLI::App app(
      "A TCP ambassador: connections to a local port go, through the kernel, to where the "
      "service is now.",
      "ambbpf");
  app.formatter(make_help_formatter());  // the verbs take it over
  app.footer(
      "ambbpf COMMAND --help shows what a command takes. An option can also be given in\n"
      "the environment, under the name in brackets there.");
  app.set_version_flag("--version", "ambbpf " AMBBPF_VERSION);
  const auto add_verb = [&app](const char* name, const char* meaning) -> CLI::App& {
    return *app.add_subcommand(name, meaning)->group("Commands");
  };
  auto& proxy = add_verb("proxy", "Serve services that etcd knows on local ports");
  auto& forward = add_verb("forward", "Serve one fixed HOST:PORT on a local port");
  auto& registrar = add_verb("register", "Keep containers of this host in etcd while they run");
  auto& status = add_verb("status", "Show what the running ambassadors and registrars do");
  auto& doctor = add_verb("doctor", "Try the engines, and say what one needs that fails");
  describe_proxy(proxy, for_proxy);
  describe_forward(forward, for_forward);
  add_register(registrar, for_register);
  describe_status(status, for_status);
  add_log_level(doctor, for_doctor.log_level);
  add_examples(doctor, {"doctor"});

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    std::ostringstream out;
    app.exit(wanted, out, out);
    return Command(Printed{out.str()});
  } catch (const CLI::ParseError& error) {
    return fail(named_as_given(app, argc, argv, parse_failure(app, error)));
  }
  auto command = [&]() -> Result<Command> {
    if (proxy.parsed()) return proxy_options(for_proxy);
    if (forward.parsed()) return forward_options(for_forward);
    if (registrar.parsed()) return register_options(for_register);
    if (doctor.parsed()) return Command(DoctorOptions{for_doctor.log_level});
    if (status.parsed()) return status_options(for_status);
    return fail("which one: proxy, forward, register, status or doctor? (--help explains)");
  }();
  if (!command) return fail(named_as_given(app, argc, argv, command.error().message()));
  return command;
}

}  // namespace

Result<Command> parse_command_line(int argc, const char* const* argv) {
  auto command = command_of(argc, argv);
  if (!command) return fail(printable(one_line(command.error().message())));
  return command;
}

}  // namespace ambbpf
