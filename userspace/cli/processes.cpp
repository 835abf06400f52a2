// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/processes.h"

#include <fmt/format.h>

#include "userspace/admin/admin_paths.h"
#include "userspace/admin/socket_file.h"
#include "userspace/cli/status.h"
#include "userspace/cli/verbs.h"

namespace ambbpf {

namespace fs = std::filesystem;

std::vector<fs::path> sockets_to_ask(const std::optional<fs::path>& named) {
  if (named) return {*named};
  std::vector<fs::path> found;
  for (const auto& socket : known_admin_sockets())
    if (who_answers(socket) == Answer::kSomebody) found.push_back(socket);
  return found;
}

Result<AdminAnswer> ask_named(const fs::path& socket, const std::string& path,
                              std::chrono::seconds wait) {
  auto answer = ask_process(socket, path, Method::kGet, wait);
  if (!answer)
    return fail(fmt::format("admin socket {}: {}", socket.native(), answer.error().message()));
  return answer;
}

int nothing_runs() {
  complain("no ambassador or registrar is running");
  return kNothingRuns;
}

}  // namespace ambbpf
