// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "userspace/admin/socket_file.h"
#include "userspace/admin/status_report.h"
#include "userspace/cli/admin_client.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

using Form = StatusOptions::Form;

// What is printed of a process.
struct Told {
  std::string text;
  bool is_well = false;
};

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

// One call of run_status().
class Round {
 public:
  Round(Form form, std::ostream& out, std::ostream& err) : form_(form), out_(out), err_(err) {}

  // Of a process's socket.
  void take(const fs::path& socket, bool tell_if_gone) {
    const auto answer = who_answers(socket);
    if (!answer) return failed(answer.error().message());
    if (*answer == Answer::kSomebody) {
      if (auto told =
              form_ == Form::kReady ? ask_whether_ready(socket) : ask_for_report(socket, form_))
        told_.push_back(std::move(*told));
      else
        failed(fmt::format("admin socket {}: {}", socket.native(), told.error().message()));
    } else if (*answer == Answer::kNoSocket && tell_if_gone) {
      failed(fmt::format("admin socket {}: is no socket", socket.native()));
    } else if (tell_if_gone) {
      say(fmt::format("admin socket {}: {}", socket.native(),
                      *answer == Answer::kNothing ? "no such file; nothing runs there"
                                                  : "nobody answers; its process is gone"));
    }
  }

  bool nothing_found() const { return told_.empty() && !failed_; }

  int finish() const {
    print();
    out_.flush();
    if (failed_) return kNoAnswer;
    if (told_.empty()) return kNothingRuns;
    return std::ranges::all_of(told_, &Told::is_well) ? kAllWell : kDegraded;
  }

 private:
  void say(std::string_view what) { err_ << "ambbpf: " << printable(what) << '\n'; }

  void failed(std::string_view why) {
    say(why);
    failed_ = true;
  }

  void print() const {
    if (form_ == Form::kJson) out_ << "{\"processes\":[";
    std::string_view between;
    for (const auto& told : told_) {
      out_ << between << told.text;
      between = form_ == Form::kJson ? "," : form_ == Form::kText ? "\n" : "";
    }
    if (form_ == Form::kJson) out_ << "]}\n";
  }

  Form form_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<Told> told_;
  bool failed_ = false;
};

}  // namespace

int run_status(const StatusOptions& options, const AdminPlaces& places, std::ostream& out,
               std::ostream& err) {
  Round round(options.form, out, err);
  if (options.admin) {
    round.take(*options.admin, true);
    return round.finish();
  }
  for (const auto& socket : known_admin_sockets(places)) round.take(socket, false);
  if (round.nothing_found()) {
    std::string looked_in;
    for (const auto& place : places.all())
      looked_in += (looked_in.empty() ? "" : ", ") + place.native();
    err << "ambbpf: no ambassador or registrar is running (looked in " << printable(looked_in)
        << ")\n";
  }
  return round.finish();
}

int run_status(const StatusOptions& options) {
  return run_status(options, AdminPlaces::usual(), std::cout, std::cerr);
}

}  // namespace ambbpf
