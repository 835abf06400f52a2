// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/status.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "userspace/admin/plain_text.h"
#include "userspace/admin/socket_file.h"
#include "userspace/admin/status_report.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

constexpr long kPatience = 3'000;                         // milliseconds, for the whole answer
constexpr std::size_t kLongestAnswer = 64 * 1024 * 1024;  // bytes

struct EndCurl {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct Told {
  std::string json;  // as the process sent it, with fields that we may not know
  StatusReport report;
};

std::size_t append(char* data, std::size_t, std::size_t size, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size > kLongestAnswer) return 0;  // fails the transfer
  body.append(data, size);
  return size;
}

Result<std::string> get_status(const fs::path& socket) {
  const std::unique_ptr<CURL, EndCurl> easy(curl_easy_init());
  if (!easy) return fail("libcurl cannot be set up");
  std::string body;
  std::array<char, CURL_ERROR_SIZE> why{};
  curl_easy_setopt(easy.get(), CURLOPT_URL, "http://localhost/status");
  curl_easy_setopt(easy.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, kPatience);
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &body);
  if (const auto result = curl_easy_perform(easy.get()); result != CURLE_OK)
    return fail(why[0] ? why.data() : curl_easy_strerror(result));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    const auto reason = body.substr(0, std::min<std::size_t>(body.find('\n'), 200));
    return fail(fmt::format("answered {}: {}", status, reason));
  }
  return body;
}

Result<Told> ask(const fs::path& socket) {
  auto json = get_status(socket);
  if (!json) return tl::unexpected(json.error());
  auto report = status_report_from_json(*json);
  if (!report) return tl::unexpected(report.error());
  return Told{std::move(*json), std::move(*report)};
}

// One call of run_status().
class Round {
 public:
  Round(bool json, std::ostream& out, std::ostream& err) : json_(json), out_(out), err_(err) {}

  // Of a process's socket.
  void take(const fs::path& socket, bool tell_if_gone) {
    const auto answer = who_answers(socket);
    if (!answer) return failed(answer.error().message());
    if (*answer == Answer::kSomebody) {
      if (auto told = ask(socket))
        told_.push_back(std::move(*told));
      else
        failed(fmt::format("admin socket {}: {}", socket.native(), told.error().message()));
    } else if (*answer == Answer::kNoSocket && tell_if_gone) {
      failed(fmt::format("admin socket {}: is no socket", socket.native()));
    } else if (tell_if_gone) {
      say(fmt::format("admin socket {}: {}", socket.native(),
                      *answer == Answer::kNothing ? "no such file; no ambassador is running there"
                                                  : "nobody answers; its process is gone"));
    }
  }

  bool nothing_found() const { return told_.empty() && !failed_; }

  int finish() const {
    if (json_)
      print_json();
    else
      print_text();
    out_.flush();
    if (failed_) return kNoAnswer;
    if (told_.empty()) return kNothingRuns;
    for (const auto& told : told_)
      if (is_degraded(told.report)) return kDegraded;
    return kAllWell;
  }

 private:
  void say(std::string_view what) { err_ << "ambbpf: " << plain(what) << '\n'; }

  void failed(std::string_view why) {
    say(why);
    failed_ = true;
  }

  void print_json() const {
    std::string_view between;
    out_ << "{\"processes\":[";
    for (const auto& told : told_) out_ << std::exchange(between, ",") << told.json;
    out_ << "]}\n";
  }

  void print_text() const {
    std::string_view between;
    for (const auto& told : told_) out_ << std::exchange(between, "\n") << to_text(told.report);
  }

  bool json_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<Told> told_;
  bool failed_ = false;
};

}  // namespace

int run_status(const StatusOptions& options, const AdminPlaces& places, std::ostream& out,
               std::ostream& err) {
  Round round(options.json, out, err);
  if (options.admin) {
    round.take(*options.admin, true);
    return round.finish();
  }
  for (const auto& socket : known_admin_sockets(places)) round.take(socket, false);
  if (round.nothing_found()) {
    std::string looked_in;
    for (const auto& place : places.all())
      looked_in += (looked_in.empty() ? "" : ", ") + place.native();
    err << "ambbpf: no ambassador is running (looked in " << plain(looked_in) << ")\n";
  }
  return round.finish();
}

int run_status(const StatusOptions& options) {
  return run_status(options, AdminPlaces::usual(), std::cout, std::cerr);
}

}  // namespace ambbpf
