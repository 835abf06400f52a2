// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

#include "userspace/config/command_line_errors.h"
#include "userspace/config/command_line_help.h"
#include "userspace/config/documents.h"
#include "userspace/config/verb_settings.h"
#include "userspace/config/verbs.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

template <class Number>
std::optional<Number> number_of(const std::string& text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

// All verbs, and the words that are theirs alone.
class CommandLine {
 public:
  CommandLine();

  // Of a command line that `app` has taken.
  Result<Command> command() const;

  CLI::App app{
      "A TCP ambassador: connections to a local port go, through the kernel, to where the "
      "service is now.",
      "ambbpf"};

 private:
  CLI::App& add_verb(const char* name, const char* meaning) {
    return *app.add_subcommand(name, meaning)->group("Commands");
  }
  void describe_proxy();
  void describe_forward();
  void describe_register();
  void describe_files();
  void describe_status();
  void describe_connections();
  void describe_events_and_why();
  void describe_others();
  Result<Command> status_command() const;
  Result<Command> connections_command() const;
  std::optional<std::filesystem::path> admin() const;
  Result<Command> doctor_command() const;
  Result<Command> reference_command() const;

  CLI::App& proxy_ = add_verb("proxy", "Serve services that etcd knows on local ports");
  CLI::App& forward_ = add_verb("forward", "Serve one fixed HOST:PORT on a local port");
  CLI::App& register_ = add_verb("register", "Keep containers of this host in etcd while they run");
  CLI::App& run_ = add_verb("run", "Do all that a configuration file asks for");
  CLI::App& check_ = add_verb("check", "Name every mistake in a configuration file");
  CLI::App& reload_ = add_verb("reload", "Make a running process read its file again");
  CLI::App& status_ = add_verb("status", "Show what the running ambassadors and registrars do");
  CLI::App& connections_ =
      add_verb("connections", "Show what open connections do; of direct ones, how many");
  CLI::App& events_ = add_verb("events", "Show what was decided, when, and because of what");
  CLI::App& why_ = add_verb("why", "Show why a service's next connection goes where it goes");
  OrderWords order_{app};
  CLI::App& doctor_ = add_verb("doctor", "Try the engines, and say what one needs that fails");
  CLI::App& cleanup_ = add_verb("cleanup", "Take out of the kernel what a killed process left");
  CLI::App& reference_ = add_verb("reference", "Print all settings, or write the manual");
  CLI::App& version_ = add_verb("version", "Show the version, and what it was built from");

  VerbSettings for_proxy_{proxy_, kProxy};
  VerbSettings for_forward_{forward_, kForward};
  VerbSettings for_register_{register_, kRegister};
  std::vector<std::string> services_and_ports_;
  std::string target_;
  bool all_ = false;
  std::vector<std::string> container_;
  std::string file_ = "/etc/ambbpf/ambbpf.toml";
  std::string file_to_check_;
  std::string admin_;
  bool json_ = false;
  bool ready_ = false;
  std::string watch_;  // empty: not asked for
  std::string sort_ = ConnectionsOptions().sort;
  std::string limit_ = std::to_string(ConnectionsOptions().limit);
  bool follow_ = false;
  std::string service_;
  CLI::Option* log_level_ = nullptr;  // of doctor
  std::string into_;
};

CommandLine::CommandLine() {
  app.footer(
      "ambbpf COMMAND --help shows what a command takes. An option can also be given in\n"
      "the environment, under the name in brackets there.");
  app.set_version_flag("--version", "ambbpf " AMBBPF_VERSION);
  describe_proxy();
  describe_forward();
  describe_register();
  describe_files();
  describe_status();
  describe_connections();
  describe_events_and_why();
  describe_others();
  const auto formatter = make_help_formatter();
  app.formatter(formatter);
  for (auto* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    verb->formatter(formatter);
}

void CommandLine::describe_proxy() {
  proxy_
      .add_option("SERVICE", services_and_ports_,
                  "Each SERVICE of etcd is served on its local PORT")
      ->type_name("SERVICE PORT [SERVICE PORT...]")
      ->expected(0, CLI::detail::expected_max_vector_size);
  add_examples(proxy_, {"proxy web 8080 --etcd http://10.0.0.1:2379",
                        "proxy web 8080 db 5432 --source docker --listen 127.0.0.1"});
}

void CommandLine::describe_forward() {
  const auto& setting = *find_setting(Scope::kService, "forward");
  // Its name is seen by nobody: from 2.4 on CLI11 takes none with a colon.
  forward_.add_option("TARGET", target_, std::string(setting.meaning))
      ->envname(std::string(setting.twin))
      ->type_name(std::string(setting.type));
  add_examples(forward_, {"forward db.example:5432 --listen 127.0.0.1:5432"});
}

void CommandLine::describe_register() {
  register_
      .add_option("CONTAINER", container_,
                  "PORT of CONTAINER provides SERVICE; further fields of its value in etcd follow. "
                  "Or --all")
      ->type_name("CONTAINER PORT SERVICE [KEY=VALUE...]")
      ->expected(0, 1000);
  register_.add_flag("--all", all_,
                     "Every container of this host whose labels name a service (ambbpf.service, "
                     "SERVICE_NAME)");
  add_examples(register_, {"register --all --etcd http://10.0.0.1:2379",
                           "register web-1 80 web zone=a --advertise 10.0.0.7"});
}

void CommandLine::describe_files() {
  run_.add_option("--config", file_, "The configuration file, as in ambbpf.toml(5)")
      ->envname("AMBBPF_CONFIG")
      ->type_name("FILE")
      ->capture_default_str();
  add_examples(run_, {"run --config /etc/ambbpf/ambbpf.toml"});
  check_.add_option("FILE", file_to_check_, "The configuration file, as in ambbpf.toml(5)")
      ->type_name("FILE")
      ->default_str(file_);
  add_examples(check_, {"check /etc/ambbpf/ambbpf.toml"});
  reload_
      .add_option("--admin", admin_, "Of the process (default: that of the only one with a file)")
      ->envname("AMBBPF_ADMIN")
      ->type_name("PATH");
  add_examples(reload_, {"reload"});
}

void CommandLine::describe_status() {
  status_
      .add_option("--admin", admin_,
                  "The process with this admin socket only (default: every one found)")
      ->envname("AMBBPF_ADMIN")
      ->type_name("PATH");
  auto& json = *status_.add_flag("--json", json_, "One JSON document, for programs");
  auto& ready = *status_
                     .add_flag("--ready", ready_,
                               "Only whether they are ready to serve; exits with 0 if all are")
                     ->excludes(&json);
  status_
      .add_option("--watch", watch_,
                  "Live, with rates in place of totals: looks again after so many seconds, until "
                  "it is ended (Ctrl-C)")
      ->expected(0, 1)
      ->type_name("SECONDS")
      ->default_str("2")
      ->excludes(&json)
      ->excludes(&ready);
  add_examples(status_,
               {"status", "status --watch", "status --ready --admin /run/ambbpf/web/ambbpf.sock"});
}

void CommandLine::describe_connections() {
  connections_
      .add_option("--admin", admin_,
                  "The process with this admin socket only (default: every one found)")
      ->envname("AMBBPF_ADMIN")
      ->type_name("PATH");
  connections_.add_option("--service", service_, "Those of this service only")
      ->type_name("SERVICE");
  connections_
      .add_option("--sort", sort_,
                  "Which come first, and are shown: those that have moved most bytes, the oldest, "
                  "or those that moved most in the last second")
      ->type_name("bytes|age|rate")
      ->capture_default_str();
  connections_.add_option("--limit", limit_, "Of each process so many at most, up to 10000")
      ->type_name("N")
      ->capture_default_str();
  connections_.add_flag("--json", json_, "One JSON document, for programs");
  add_examples(connections_, {"connections", "connections --service web --sort rate --limit 10"});
}

void CommandLine::describe_events_and_why() {
  for (auto* verb : {&events_, &why_}) {
    verb->add_option("--admin", admin_,
                     "The process with this admin socket only (default: every one found)")
        ->envname("AMBBPF_ADMIN")
        ->type_name("PATH");
    verb->add_flag("--json", json_,
                   verb == &events_ ? "An object for each, a line each, for programs"
                                    : "One JSON document, for programs");
  }
  events_.add_flag("--follow", follow_, "Go on with those that come, until interrupted");
  events_
      .add_option("--service", service_,
                  "Those of this service, and those of none: of the process and of sources")
      ->type_name("SERVICE");
  add_examples(events_, {"events", "events --follow --service web"});
  why_.add_option("SERVICE", service_, "As the configuration names it")
      ->type_name("SERVICE")
      ->required();
  add_examples(why_, {"why web"});
}

void CommandLine::describe_others() {
  log_level_ = &add_setting(doctor_, *find_setting(Scope::kProcess, "log_level"));
  log_level_->default_str(DoctorOptions().log_level);
  add_examples(doctor_, {"doctor"});
  add_examples(cleanup_, {"cleanup"});
  reference_
      .add_option("--into", into_,
                  "Write manual pages, and completions for shells, below this directory instead")
      ->type_name("DIRECTORY");
  add_examples(reference_, {"reference", "reference --into /tmp/ambbpf"});
  version_.add_flag("--json", json_, "One JSON document, for programs");
  add_examples(version_, {"version --json"});
}

std::optional<std::filesystem::path> CommandLine::admin() const {
  return admin_.empty() ? std::nullopt : std::optional<std::filesystem::path>(admin_);
}

Result<Command> CommandLine::status_command() const {
  StatusOptions options;
  if (json_) options.form = StatusOptions::Form::kJson;
  if (ready_) options.form = StatusOptions::Form::kReady;
  options.admin = admin();
  if (!watch_.empty()) {
    constexpr double kLeast = 0.1;
    constexpr double kMost = 3600;
    const auto seconds = number_of<double>(watch_);
    if (!seconds || !(*seconds >= kLeast && *seconds <= kMost))
      return fail(fmt::format("--watch: '{}' is no number of seconds from {} to {}", watch_, kLeast,
                              kMost));
    options.watch = std::chrono::milliseconds(std::lround(*seconds * 1000));
  }
  return options;
}

Result<Command> CommandLine::connections_command() const {
  constexpr std::uint64_t kMost = 10'000;
  constexpr std::array<std::string_view, 3> kSorts{"bytes", "age", "rate"};
  if (std::ranges::find(kSorts, sort_) == kSorts.end())
    return fail(fmt::format("--sort: there are bytes, age and rate, not '{}'", sort_));
  const auto limit = number_of<std::uint64_t>(limit_);
  if (!limit || *limit > kMost)
    return fail(fmt::format("--limit: '{}' is no number up to {}", limit_, kMost));
  return ConnectionsOptions{
      .admin = admin(), .service = service_, .sort = sort_, .limit = *limit, .json = json_};
}

Result<Command> CommandLine::doctor_command() const {
  if (log_level_->count() == 0) return DoctorOptions();
  Draft draft;
  if (auto read = read_option(*find_setting(Scope::kProcess, "log_level"), *log_level_, draft);
      !read)
    return tl::unexpected(read.error());
  return DoctorOptions{draft.process.log_level};
}

Result<Command> CommandLine::reference_command() const {
  if (into_.empty()) return Printed{settings_reference()};
  auto documents = manual_of_commands(app);
  documents.push_back(manual_of_file());
  std::ranges::move(completions(app), std::back_inserter(documents));
  return ReferenceOptions{into_, std::move(documents)};
}

Result<Command> CommandLine::command() const {
  if (proxy_.parsed())
    return for_proxy_.read().and_then(
        [&](const Draft& draft) { return proxy_command(draft, services_and_ports_); });
  if (forward_.parsed())
    return for_forward_.read().and_then(
        [&](Draft draft) { return forward_command(std::move(draft), target_); });
  if (register_.parsed())
    return for_register_.read().and_then(
        [&](Draft draft) { return register_command(std::move(draft), all_, container_); });
  if (run_.parsed()) return RunOptions{file_};
  if (check_.parsed()) return CheckOptions{file_to_check_.empty() ? file_ : file_to_check_};
  if (reload_.parsed()) return ReloadOptions{admin()};
  if (status_.parsed()) return status_command();
  if (connections_.parsed()) return connections_command();
  if (events_.parsed()) return EventsOptions{admin(), service_, follow_, json_};
  if (why_.parsed()) return WhyOptions{admin(), service_, json_};
  if (order_.parsed()) return order_.options();
  if (doctor_.parsed()) return doctor_command();
  if (cleanup_.parsed()) return CleanupOptions();
  if (reference_.parsed()) return reference_command();
  if (version_.parsed()) return VersionOptions{json_};
  return fail(
      "which one: proxy, forward, register, run, check, reload, status, connections, events, why, "
      "drain, enable, reset, set, doctor, cleanup, reference or version? (--help explains)");
}

// CLI11 ends some of its messages with a line of advice.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

Result<Command> command_of(int argc, const char* const* argv) {
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    std::ostringstream out;
    line.app.exit(wanted, out, out);
    return Printed{out.str()};
  } catch (const CLI::ParseError& error) {
    return fail(named_as_given(line.app, argc, argv, parse_failure(line.app, error)));
  }
  auto command = line.command();
  if (!command) return fail(named_as_given(line.app, argc, argv, command.error().message()));
  return command;
}

}  // namespace

Result<Command> parse_command_line(int argc, const char* const* argv) {
  auto command = command_of(argc, argv);
  if (!command) return fail(printable(one_line(command.error().message())));
  return command;
}

}  // namespace ambbpf
