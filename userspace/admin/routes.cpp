// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "page.h"
#include "userspace/admin/host_names.h"
#include "userspace/admin/query.h"

namespace ambbpf {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

struct Asked {
  Query query;
  std::string by;  // the user; empty: one by network
};

std::string text_in(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

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

std::string_view target_of(const AdminRequest& request) {
  const auto target = request.target();
  return {target.data(), target.size()};
}

AdminResponse bad_request(const Error& error) {
  return response(http::status::bad_request, error.message() + "\n");
}

// Waits for the threads that serve.
awaitable<AdminResponse> answer_connections(const AdminAnswers& answers, Asked asked) {
  auto question = connections_question(asked.query);
  if (!question) co_return bad_request(question.error());
  const auto answer = co_await answers.connections(std::move(*question));
  if (!answer) co_return response(http::status::not_found, answer.error().message() + "\n");
  co_return response(http::status::ok, *answer, "application/json");
}

// Waits for an event, where it is asked to.
awaitable<AdminResponse> answer_events(const AdminAnswers& answers, Asked asked) {
  constexpr std::chrono::seconds kLongest{30};
  const auto after = number_in(asked.query, "after");
  if (!after) co_return bad_request(after.error());
  const auto wait = number_in(asked.query, "wait");
  if (!wait) co_return bad_request(wait.error());
  const std::chrono::seconds longest(std::min(*wait, static_cast<std::uint64_t>(kLongest.count())));
  if (longest.count() > 0) co_await answers.later_events(*after, Clock::now() + longest);
  co_return response(http::status::ok, answers.events(*after), "application/json");
}

AdminResponse why(const AdminAnswers& answers, const Asked& asked) {
  const auto service = text_in(asked.query, "service");
  if (service.empty())
    return response(http::status::bad_request, "of which service? /why?service=NAME\n");
  auto answer = answers.why(service);
  if (!answer.known) return response(http::status::not_found, std::move(answer.text));
  return response(http::status::ok, std::move(answer.text), "application/json");
}

template <Order::What what>
AdminResponse carry_out(const AdminAnswers& answers, const Asked& asked) {
  Order order{.what = what,
              .service = text_in(asked.query, "service"),
              .endpoint = text_in(asked.query, "endpoint"),
              .by = asked.by};
  if (order.service.empty())
    return response(http::status::bad_request, "of which service? service=NAME\n");
  if (what == Order::What::kWeight) {
    const auto weight = number_in(asked.query, "weight");
    if (!weight) return bad_request(weight.error());
    if (!asked.query.contains("weight")) return bad_request({"which weight? weight=N", {}});
    order.weight = *weight;
  }
  const auto [outcome, line] = answers.carry_out(order);
  switch (outcome) {
    case OrderAnswer::Outcome::kDone:
      return response(http::status::ok, line + "\n");
    case OrderAnswer::Outcome::kNoService:
      return response(http::status::not_found, line + "\n");
    case OrderAnswer::Outcome::kRefused:
      return response(http::status::unprocessable_entity, line + "\n");
  }
  return response(http::status::internal_server_error, "\n");
}

// Where a path is served, and by which method; HEAD is as good as GET. It has one of the answers.
struct Route {
  std::string_view path;
  http::verb method;
  bool to_network;
  AdminResponse (*answer)(const AdminAnswers& answers, const Asked& asked);
  awaitable<AdminResponse> (*slow_answer)(const AdminAnswers& answers, Asked asked);
};

const Route routes[] = {
    {"/", http::verb::get, true, [](const AdminAnswers&, const Asked&) { return page(); }, nullptr},
    {"/status", http::verb::get, true,
     [](const AdminAnswers& answers, const Asked&) {
       return response(http::status::ok, answers.status(), "application/json");
     },
     nullptr},
    {"/history", http::verb::get, true,
     [](const AdminAnswers& answers, const Asked&) {
       return response(http::status::ok, answers.history(), "application/json");
     },
     nullptr},
    {"/events", http::verb::get, true, nullptr, &answer_events},
    {"/why", http::verb::get, true, &why, nullptr},
    {"/metrics", http::verb::get, true,
     [](const AdminAnswers& answers, const Asked&) {
       return response(http::status::ok, answers.metrics(),
                       "text/plain; version=0.0.4; charset=utf-8");
     },
     nullptr},
    {"/connections", http::verb::get, false, nullptr, &answer_connections},
    {"/healthz", http::verb::get, false,
     [](const AdminAnswers&, const Asked&) { return response(http::status::ok, "ok\n"); }, nullptr},
    {"/readyz", http::verb::get, false,
     [](const AdminAnswers& answers, const Asked&) {
       const auto why_not = answers.not_ready();
       return why_not.empty() ? response(http::status::ok, "ready\n")
                              : response(http::status::service_unavailable, why_not + "\n");
     },
     nullptr},
    {"/reload", http::verb::post, false,
     [](const AdminAnswers& answers, const Asked&) {
       if (!answers.reload)
         return response(http::status::conflict, "this process has no configuration file\n");
       auto answer = answers.reload();
       return response(answer.in_force ? http::status::ok : http::status::unprocessable_entity,
                       std::move(answer.lines));
     },
     nullptr},
    {"/drain", http::verb::post, false, &carry_out<Order::What::kDrain>, nullptr},
    {"/enable", http::verb::post, false, &carry_out<Order::What::kEnable>, nullptr},
    {"/reset", http::verb::post, false, &carry_out<Order::What::kReset>, nullptr},
    {"/weight", http::verb::post, false, &carry_out<Order::What::kWeight>, nullptr},
};

const Route* find_route(const AdminRequest& request) {
  const auto path = target_of(request);
  const auto* route = std::ranges::find(routes, path.substr(0, path.find('?')), &Route::path);
  return route == std::end(routes) ? nullptr : route;
}

awaitable<AdminResponse> follow(const Route& route, const AdminAnswers& answers,
                                AdminRequest request, std::string by) {
  const bool reads = route.method == http::verb::get;
  const auto method = request.method();
  if (method == route.method || (reads && method == http::verb::head)) {
    auto query = query_of(target_of(request));
    if (!query) co_return bad_request(query.error());
    Asked asked{std::move(*query), std::move(by)};
    if (route.answer) co_return route.answer(answers, asked);
    co_return co_await route.slow_answer(answers, std::move(asked));
  }
  const std::string only = reads ? "GET, HEAD" : "POST";
  auto refusal = response(http::status::method_not_allowed, "only " + only + "\n");
  refusal.set(http::field::allow, only);
  co_return refusal;
}

}  // namespace

awaitable<AdminResponse> respond(const AdminAnswers& answers, AdminRequest request,
                                 std::string by) {
  if (const auto* route = find_route(request))
    co_return co_await follow(*route, answers, std::move(request), std::move(by));
  co_return response(http::status::not_found,
                     "try /, /status, /connections, /events, /why, /history, /metrics, /healthz or "
                     "/readyz\n");
}

awaitable<AdminResponse> respond_to_network(const AdminAnswers& answers, AdminRequest request,
                                            const std::vector<std::string>& names) {
  const auto host = request[http::field::host];
  if (request.count(http::field::host) != 1 || !is_ours({host.data(), host.size()}, names))
    co_return response(http::status::misdirected_request,
                       "ask for an address, localhost, or a name of admin_names\n");
  const auto* route = find_route(request);
  if (route && route->to_network)
    co_return co_await follow(*route, answers, std::move(request), {});
  co_return response(http::status::not_found,
                     "try /, /status, /events, /why, /history or /metrics\n");
}

std::optional<AdminResponse> response_to_bad_request(const beast::error_code& error) {
  if (error == http::error::header_limit)
    return response(http::status::request_header_fields_too_large, "request too long\n");
  const bool is_fault_of_text = error.category() == make_error_code(http::error{}).category();
  if (!is_fault_of_text || error == http::error::end_of_stream) return std::nullopt;
  return response(http::status::bad_request, error.message() + "\n");
}

}  // namespace ambbpf
