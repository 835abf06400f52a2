// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>

#include "userspace/admin/why_report.h"
#include "userspace/cli/processes.h"
#include "userspace/cli/verbs.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

struct FreeText {
  void operator()(char* text) const { curl_free(text); }
};

std::string path_for(const std::string& service) {
  const std::unique_ptr<char, FreeText> encoded(
      curl_easy_escape(nullptr, service.data(), static_cast<int>(service.size())));
  return fmt::format("/why?service={}", encoded ? encoded.get() : "");
}

Result<std::string> text_of(const AdminAnswer& answer, bool json) {
  if (answer.code != 200) return tl::unexpected(answer.as_error());
  if (json) return answer.body + "\n";  // as the process sent it: with fields that we may not know
  return why_report_from_json(answer.body).map([](const auto& report) { return to_text(report); });
}

}  // namespace

int run_why(const WhyOptions& options) {
  const auto sockets = sockets_to_ask(options.admin);
  if (sockets.empty()) return nothing_runs();
  std::vector<std::string> without;  // what those say that have no such service
  bool explained = false;
  bool failed = false;
  for (const auto& socket : sockets) {
    const auto answer = ask_named(socket, path_for(options.service));
    if (answer && answer->code == 404) {
      without.push_back(answer->first_line());
      continue;
    }
    const auto text =
        answer.and_then([&](const AdminAnswer& given) { return text_of(given, options.json); });
    if (text) {
      fmt::print("{}{}", explained && !options.json ? "\n" : "", *text);
      explained = true;
    } else {
      complain(printable(text.error().message()));
      failed = true;
    }
  }
  if (failed) return kNoAnswer;
  if (explained) return kAllWell;
  for (const auto& line : without) complain(printable(line));
  return 1;
}

}  // namespace ambbpf
