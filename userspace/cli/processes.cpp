// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <utility>
#include <vector>

#include "userspace/admin/socket_file.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

// One call of ask_processes().
class Round {
 public:
  Round(const Question& question, std::ostream& out, std::ostream& err)
      : question_(question), out_(out), err_(err) {}

  // Of a process's socket.
  void take(const fs::path& socket, bool tell_if_gone) {
    const auto answer = who_answers(socket);
    if (!answer) return failed(answer.error().message());
    if (*answer == Answer::kSomebody) {
      if (auto told = question_.ask(socket))
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

  bool found_nothing() const { return told_.empty() && !failed_; }
  void say(std::string_view what) { err_ << "ambbpf: " << printable(what) << '\n'; }

  int finish() const {
    out_ << question_.before;
    std::string_view between;
    for (const auto& told : told_) {
      if (told.text.empty()) continue;
      out_ << std::exchange(between, question_.between) << told.text;
    }
    out_ << question_.after;
    out_.flush();
    if (failed_) return kNoAnswer;
    if (told_.empty()) return kNothingRuns;
    return std::ranges::all_of(told_, &Told::is_well) ? kAllWell : kDegraded;
  }

 private:
  void failed(std::string_view why) {
    say(why);
    failed_ = true;
  }

  const Question& question_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<Told> told_;
  bool failed_ = false;
};

}  // namespace

std::string nothing_found(const AdminPlaces& places) {
  std::string looked_in;
  for (const auto& place : places.all())
    looked_in += (looked_in.empty() ? "" : ", ") + place.native();
  return fmt::format("no ambassador or registrar is running (looked in {})", looked_in);
}

int ask_processes(const std::optional<fs::path>& admin, const AdminPlaces& places,
                  const Question& question, std::ostream& out, std::ostream& err) {
  Round round(question, out, err);
  if (admin) {
    round.take(*admin, true);
    return round.finish();
  }
  for (const auto& socket : known_admin_sockets(places)) round.take(socket, false);
  if (round.found_nothing()) round.say(nothing_found(places));
  return round.finish();
}

int ask_about_service(const std::optional<fs::path>& admin, const AdminPlaces& places,
                      const ServiceQuestion& asked, std::ostream& out, std::ostream& err) {
  bool found = false;
  std::string not_there;  // what processes say that do not have what is meant, a line each
  const auto ask = [&](const fs::path& socket) -> Result<Told> {
    auto answer = ask_process(socket, asked.path, asked.method);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->code == 404 || answer->code == 422) {
      not_there += fmt::format("ambbpf: {}\n", printable(answer->first_line()));
      return Told{.text = "", .is_well = true};
    }
    if (answer->code != 200) return tl::unexpected(answer->as_error());
    auto text = asked.to_text(answer->body);
    if (!text) return tl::unexpected(text.error());
    found = true;
    // The JSON as the process sent it: with fields that we may not know.
    return Told{.text = asked.json ? std::move(answer->body) : std::move(*text), .is_well = true};
  };
  const auto question =
      asked.json ? Question{ask, "{\"processes\":[", ",", "]}\n"} : Question{ask, "", "\n", ""};
  const int exit = ask_processes(admin, places, question, out, err);
  if (exit != kAllWell || found) return exit;
  err << not_there;
  return kDegraded;
}

std::vector<fs::path> sockets_to_ask(const std::optional<fs::path>& named,
                                     const AdminPlaces& places) {
  if (named) return {*named};
  auto found = known_admin_sockets(places);
  std::erase_if(found, [](const auto& socket) {
    const auto answer = who_answers(socket);
    return !answer || *answer != Answer::kSomebody;
  });
  return found;
}

}  // namespace ambbpf
