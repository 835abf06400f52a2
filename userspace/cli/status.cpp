// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/status.h"

#include <fmt/format.h>

#include <iostream>
#include <string>
#include <utility>

#include "userspace/admin/status_report.h"
#include "userspace/cli/admin_client.h"
#include "userspace/cli/watch.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

using Form = StatusOptions::Form;

Result<Told> ask_for_report(const fs::path& socket, Form form) {
  auto answer = ask_process(socket, "/status");
  if (!answer) return tl::unexpected(answer.error());
  if (answer->code != 200) return tl::unexpected(answer->as_error());
  const auto report = status_report_from_json(answer->body);
  if (!report) return tl::unexpected(report.error());
  // The JSON as the process sent it: with fields that we may not know.
  return Told{.text = form == Form::kJson ? std::move(answer->body) : to_text(*report),
              .is_well = !is_degraded(*report)};
}

Result<Told> ask_whether_ready(const fs::path& socket) {
  const auto answer = ask_process(socket, "/readyz");
  if (!answer) return tl::unexpected(answer.error());
  if (answer->code == 200)
    return Told{.text = fmt::format("ready: {}\n", printable(socket.native())), .is_well = true};
  if (answer->code != 503) return tl::unexpected(answer->as_error());
  return Told{.text = fmt::format("not ready: {}: {}\n", printable(socket.native()),
                                  printable(answer->first_line())),
              .is_well = false};
}

Question question_for(Form form) {
  const auto ask = [form](const fs::path& socket) { return ask_for_report(socket, form); };
  switch (form) {
    case Form::kText:
      return {.ask = ask, .before = "", .between = "\n", .after = ""};
    case Form::kJson:
      return {.ask = ask, .before = "{\"processes\":[", .between = ",", .after = "]}\n"};
    case Form::kReady:
      return {.ask = &ask_whether_ready, .before = "", .between = "", .after = ""};
  }
  return {};
}

}  // namespace

int run_status(const StatusOptions& options, const AdminPlaces& places, std::ostream& out,
               std::ostream& err) {
  return ask_processes(options.admin, places, question_for(options.form), out, err);
}

int run_status(const StatusOptions& options) {
  if (options.watch) return watch_status(options.admin, AdminPlaces::usual(), *options.watch);
  return run_status(options, AdminPlaces::usual(), std::cout, std::cerr);
}

}  // namespace ambbpf
