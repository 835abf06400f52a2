// SPDX-License-Identifier: Apache-2.0
// One question to every process that runs, or to one of them.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/admin/admin_paths.h"
#include "userspace/cli/admin_client.h"
#include "userspace/support/result.h"

namespace ambbpf {

// What a verb that asks returns, and the process exits with. The highest that applies of kAllWell,
// kDegraded and kNoAnswer; kNothingRuns applies alone.
enum StatusExit : int {
  kAllWell = 0,
  kDegraded = 1,     // of what a process told, not all was well
  kNothingRuns = 3,  // no process was found, or none behind the socket that was named
  kNoAnswer = 4,     // a process did not answer in time or not sensibly, or we may not ask it
};

// What is printed of a process.
struct Told {
  std::string text;
  bool is_well = false;
};

struct Question {
  std::function<Result<Told>(const std::filesystem::path& socket)> ask;
  std::string_view before;
  std::string_view between;  // what two processes told
  std::string_view after;
};

// Texts go to `out`, one line for each process that could not be asked to `err`. Without `admin`,
// the places are searched, and sockets that crashed processes left there are passed over in
// silence.
int ask_processes(const std::optional<std::filesystem::path>& admin, const AdminPlaces& places,
                  const Question& question, std::ostream& out, std::ostream& err);

// The same of a service. Each answers `path`; one that has no such service says so with 404, or
// 422 for an endpoint, which is told, and is kDegraded, where none has it. As JSON: what they
// answered, in one document.
struct ServiceQuestion {
  std::string path;
  std::function<Result<std::string>(std::string_view body)> to_text;
  bool json = false;
  Method method = Method::kGet;
};
int ask_about_service(const std::optional<std::filesystem::path>& admin, const AdminPlaces& places,
                      const ServiceQuestion& asked, std::ostream& out, std::ostream& err);

// The admin socket that was named, or those behind which somebody answers.
std::vector<std::filesystem::path> sockets_to_ask(const std::optional<std::filesystem::path>& named,
                                                  const AdminPlaces& places);

// "no ambassador or registrar is running (looked in /run/ambbpf, …)"
std::string nothing_found(const AdminPlaces& places);

}  // namespace ambbpf
