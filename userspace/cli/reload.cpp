// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <sstream>

#include "userspace/admin/admin_paths.h"
#include "userspace/admin/socket_file.h"
#include "userspace/admin/status_report.h"
#include "userspace/cli/admin_client.h"
#include "userspace/cli/verbs.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

bool has_file(const fs::path& socket) {
  const auto answer = ask_process(socket, "/status");
  if (!answer || answer->code != 200) return false;
  const auto report = status_report_from_json(answer->body);
  return report && !report->configuration.file.empty();
}

// Of the only process that has a configuration file.
Result<fs::path> find_socket() {
  std::vector<fs::path> found;
  for (const auto& socket : known_admin_sockets())
    if (who_answers(socket) == Answer::kSomebody && has_file(socket)) found.push_back(socket);
  if (found.empty()) return fail("no process is running that has a configuration file");
  if (found.size() == 1) return found[0];
  std::string names;
  for (const auto& socket : found) names += (names.empty() ? "" : ", ") + socket.string();
  return fail("several processes have a configuration file; --admin names one of them: " + names);
}

Result<AdminAnswer> reload_at(const fs::path& socket) {
  auto answer = ask_process(socket, "/reload", Method::kPost);
  if (!answer)
    return fail(fmt::format("admin socket {}: {}", socket.string(), answer.error().message()));
  return answer;
}

}  // namespace

int run_reload(const ReloadOptions& options) {
  const auto socket = options.admin ? Result<fs::path>(*options.admin) : find_socket();
  const auto answer = socket.and_then(reload_at);
  if (!answer) {
    complain(answer.error().message());
    return 1;
  }
  const bool in_force = answer->code == 200;
  std::istringstream lines(answer->body);
  for (std::string line; std::getline(lines, line);)
    if (in_force)
      fmt::print("{}\n", printable(line));
    else
      complain(printable(line));
  return in_force ? 0 : 1;
}

}  // namespace ambbpf
