// SPDX-License-Identifier: Apache-2.0
// The command line: what was asked for, checked as far as it can be without doing anything.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "userspace/config/order_words.h"
#include "userspace/config/settings.h"
#include "userspace/support/result.h"

namespace ambbpf {

// The verbs that serve or register for as long as they run. Their etcd and Docker have the names of
// their kinds, "etcd" and "docker".
struct ProxyOptions {
  Settings settings;
};
struct ForwardOptions {
  Settings settings;
};
struct RegisterOptions {
  Settings settings;
};

// A configuration file, to be put in force or only looked at.
struct RunOptions {
  std::filesystem::path file;
};
struct CheckOptions {
  std::filesystem::path file;
};

// Makes a process read its file again.
struct ReloadOptions {
  std::optional<std::filesystem::path> admin;  // absent: the only one that is found
};

struct StatusOptions {
  std::optional<std::filesystem::path> admin;  // absent: every process that is found
  enum class Form {
    kText,
    kJson,   // one document, {"processes":[…]}
    kReady,  // no reports: a line for each process, "ready: SOCKET" or "not ready: SOCKET: why"
  } form = Form::kText;
  std::optional<std::chrono::milliseconds> watch{};  // between looks, until it is ended
};

struct ConnectionsOptions {
  std::optional<std::filesystem::path> admin;  // absent: every process that is found
  std::string service;                         // empty: of all
  std::string sort = "bytes";                  // "age", "rate"
  std::uint64_t limit = 100;                   // of each process
  bool json = false;                           // one document, {"processes":[…]}
};

// What processes have decided.
struct EventsOptions {
  std::optional<std::filesystem::path> admin;  // absent: every process that is found
  std::string service;                         // empty: of all
  bool follow = false;                         // of one process; until it is told to stop
  bool json = false;                           // an object a line
};

// Why the next connection of a service goes where it goes.
struct WhyOptions {
  std::optional<std::filesystem::path> admin;  // absent: every process that is found
  std::string service;
  bool json = false;
};

struct DoctorOptions {
  std::string log_level = "warn";
};

// What the programs of zero hop were pinned for, of processes that are gone.
struct CleanupOptions {};

struct VersionOptions {
  bool json = false;
};

// The path is relative.
struct Document {
  std::filesystem::path path;
  std::string text;
};

// Manual pages and completions, to be written below a directory.
struct ReferenceOptions {
  std::filesystem::path directory;
  std::vector<Document> documents;
};

// `--help`, `--version` or `reference`: to be printed, and that is all.
struct Printed {
  std::string text;
};

using Command = std::variant<ProxyOptions, ForwardOptions, RegisterOptions, RunOptions,
                             CheckOptions, ReloadOptions, StatusOptions, ConnectionsOptions,
                             EventsOptions, WhyOptions, OrderOptions, DoctorOptions, CleanupOptions,
                             VersionOptions, ReferenceOptions, Printed>;

// Every option has a twin in the environment (AMBBPF_ENGINE for --engine), for containers; the
// command line wins. The error is one line that names the option and the value.
Result<Command> parse_command_line(int argc, const char* const* argv);

}  // namespace ambbpf
