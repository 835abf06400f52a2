// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/routes.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "page.h"
#include "userspace/admin/host_names.h"

namespace ambbpf {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

AdminResponse response(http::status status, std::string body,
                       std::string_view type = "text/plain") {
  AdminResponse made(status, 11, std::move(body));
  made.set(http::field::server, "ambbpf/" AMBBPF_VERSION);
  made.set(http::field::content_type, beast::string_view(type.data(), type.size()));
  made.set(http::field::cache_control, "no-store");
  made.set("X-Content-Type-Options", "nosniff");
  made.keep_alive(false);
  made.prepare_payload();
  return made;
}

// It runs its own script and asks this process only, and stands in nobody's frame.
AdminResponse page() {
  static const std::string policy = fmt::format(
      "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; "
      "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
      "require-trusted-types-for 'script'",
      kPageScriptHash, kPageStyleHash);
  auto made = response(http::status::ok, std::string(kPage), "text/html; charset=utf-8");
  made.set("Content-Security-Policy", policy);
  made.set("Referrer-Policy", "no-referrer");
  return made;
}

// What stands behind the ? of a request's target.
using Query = std::map<std::string, std::string, std::less<>>;

struct FreeCurlText {
  void operator()(char* text) const { curl_free(text); }
};

std::string decoded(std::string_view part) {
  int size = 0;
  const std::unique_ptr<char, FreeCurlText> text(
      curl_easy_unescape(nullptr, part.data(), static_cast<int>(part.size()), &size));
  return text ? std::string(text.get(), static_cast<std::size_t>(size)) : std::string();
}

std::string_view target_of(const AdminRequest& request) {
  const auto target = request.target();
  return {target.data(), target.size()};
}

Query query_of(const AdminRequest& request) {
  Query query;
  const auto target = target_of(request);
  auto rest = target.substr(std::min(target.find('?'), target.size()));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto field = rest.substr(0, rest.find('&'));
    rest.remove_prefix(field.size());
    const auto name = field.substr(0, field.find('='));
    const auto value = field.substr(std::min(name.size() + 1, field.size()));
    if (!name.empty()) query.insert_or_assign(decoded(name), decoded(value));
  }
  return query;
}

// 0 where it is missing; nothing for what is no number.
std::optional<std::uint64_t> number_in(const Query& query, std::string_view name) {
  const auto field = query.find(name);
  if (field == query.end()) return 0;
  const auto& text = field->second;
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

AdminResponse events(const AdminAnswers& answers, const Query& query) {
  const auto after = number_in(query, "after");
  if (!after || !number_in(query, "wait"))
    return response(http::status::bad_request, "after and wait are whole numbers from 0\n");
  return response(http::status::ok, answers.events(*after), "application/json");
}

AdminResponse why(const AdminAnswers& answers, const Query& query) {
  const auto service = query.find("service");
  if (service == query.end() || service->second.empty())
    return response(http::status::bad_request, "of which service? /why?service=NAME\n");
  auto answer = answers.why(service->second);
  if (!answer.known) return response(http::status::not_found, std::move(answer.text));
  return response(http::status::ok, std::move(answer.text), "application/json");
}

// Where a path is served, and by which method; HEAD is as good as GET.
struct Route {
  std::string_view path;
  http::verb method;
  bool to_network;
  AdminResponse (*answer)(const AdminAnswers& answers, const Query& query);
};

const Route routes[] = {
    {"/", http::verb::get, true, [](const AdminAnswers&, const Query&) { return page(); }},
    {"/status", http::verb::get, true,
     [](const AdminAnswers& answers, const Query&) {
       return response(http::status::ok, answers.status(), "application/json");
     }},
    {"/history", http::verb::get, true,
     [](const AdminAnswers& answers, const Query&) {
       return response(http::status::ok, answers.history(), "application/json");
     }},
    {"/events", http::verb::get, true, events},
    {"/why", http::verb::get, true, why},
    {"/metrics", http::verb::get, true,
     [](const AdminAnswers& answers, const Query&) {
       return response(http::status::ok, answers.metrics(),
                       "text/plain; version=0.0.4; charset=utf-8");
     }},
    {"/healthz", http::verb::get, false,
     [](const AdminAnswers&, const Query&) { return response(http::status::ok, "ok\n"); }},
    {"/readyz", http::verb::get, false,
     [](const AdminAnswers& answers, const Query&) {
       const auto why_not = answers.not_ready();
       return why_not.empty() ? response(http::status::ok, "ready\n")
                              : response(http::status::service_unavailable, why_not + "\n");
     }},
    {"/reload", http::verb::post, false,
     [](const AdminAnswers& answers, const Query&) {
       if (!answers.reload)
         return response(http::status::conflict, "this process has no configuration file\n");
       auto answer = answers.reload();
       return response(answer.in_force ? http::status::ok : http::status::unprocessable_entity,
                       std::move(answer.lines));
     }},
};

const Route* find_route(const AdminRequest& request) {
  const auto path = target_of(request);
  const auto* route = std::ranges::find(routes, path.substr(0, path.find('?')), &Route::path);
  return route == std::end(routes) ? nullptr : route;
}

AdminResponse follow(const Route& route, const AdminAnswers& answers, const AdminRequest& request) {
  const bool reads = route.method == http::verb::get;
  const auto method = request.method();
  if (method == route.method || (reads && method == http::verb::head))
    return route.answer(answers, query_of(request));
  const std::string only = reads ? "GET, HEAD" : "POST";
  auto refusal = response(http::status::method_not_allowed, "only " + only + "\n");
  refusal.set(http::field::allow, only);
  return refusal;
}

bool is_for(const std::vector<std::string>& names, const AdminRequest& request) {
  const auto host = request[http::field::host];
  return request.count(http::field::host) == 1 && is_ours({host.data(), host.size()}, names);
}

}  // namespace

std::optional<WaitForEvents> wants_to_wait(const AdminRequest& request,
                                           const std::optional<std::vector<std::string>>& names) {
  const auto* route = find_route(request);
  if (!route || route->answer != &events || request.method() != http::verb::get)
    return std::nullopt;
  if (names && !is_for(*names, request)) return std::nullopt;
  const auto query = query_of(request);
  const auto after = number_in(query, "after");
  const auto wait = number_in(query, "wait");
  if (!after || !wait || *wait == 0) return std::nullopt;
  const auto longest = static_cast<std::uint64_t>(kLongestWait.count());
  return WaitForEvents{*after, std::chrono::seconds(std::min(*wait, longest))};
}

AdminResponse respond(const AdminAnswers& answers, const AdminRequest& request) {
  if (const auto* route = find_route(request)) return follow(*route, answers, request);
  return response(http::status::not_found,
                  "try /, /status, /events, /why, /history, /metrics, /healthz or /readyz\n");
}

AdminResponse respond_to_network(const AdminAnswers& answers, const AdminRequest& request,
                                 const std::vector<std::string>& names) {
  if (!is_for(names, request))
    return response(http::status::misdirected_request,
                    "ask for an address, localhost, or a name of admin_names\n");
  const auto* route = find_route(request);
  if (route && route->to_network) return follow(*route, answers, request);
  return response(http::status::not_found, "try /, /status, /events, /why, /history or /metrics\n");
}

std::optional<AdminResponse> response_to_bad_request(const beast::error_code& error) {
  if (error == http::error::header_limit)
    return response(http::status::request_header_fields_too_large, "request too long\n");
  const bool is_fault_of_text = error.category() == make_error_code(http::error{}).category();
  if (!is_fault_of_text || error == http::error::end_of_stream) return std::nullopt;
  return response(http::status::bad_request, error.message() + "\n");
}

}  // namespace ambbpf
