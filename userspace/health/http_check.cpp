// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "userspace/endpoints/endpoint.h"
#include "userspace/health/check.h"
#include "userspace/http/url.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// The name is that of the certificate as well; whatever it is, the endpoint is asked.
HttpRequest request_of(const Check& check, const tcp::endpoint& address) {
  const auto& settings = check.settings;
  const auto authority = parse_authority(settings.host);
  const auto host =
      authority ? fmt::format("{}:{}", authority->host, address.port()) : to_string(address);
  HttpRequest request;
  request.url = fmt::format("{}://{}{}", settings.kind == CheckKind::kHttp ? "http" : "https", host,
                            settings.is_http() ? settings.path : "/");
  if (!settings.host.empty()) request.fields = {"Host: " + settings.host};
  request.redirects = false;
  request.connect_timeout = settings.timeout;
  request.timeout = settings.timeout;
  request.connect_to = to_string(address);
  request.is_own_connection = true;
  request.only_connect = settings.kind == CheckKind::kTls;
  request.says_proxy = check.header != ProxyVersion::kNone;
  return request;
}

awaitable<Result<void>> look_for(const HttpStream& answer, const CheckSettings& settings,
                                 Clock::time_point deadline) {
  std::string body;
  while (body.find(settings.body) == std::string::npos) {
    if (body.size() >= kMostLookedAt)
      co_return fail(fmt::format("the first {} bytes of the body are without {}", body.size(),
                                 ambbpf::quoted(settings.body)));
    const auto piece = co_await answer.read_some(deadline);
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->kind == StreamPiece::Kind::kQuiet) co_return check_timed_out(settings);
    if (piece->kind == StreamPiece::Kind::kEnd)
      co_return fail(fmt::format("the body is without {}", ambbpf::quoted(settings.body)));
    body += piece->text;
  }
  co_return Result<void>();
}

}  // namespace

awaitable<Result<void>> check_by_http(std::shared_ptr<const Check> check, tcp::endpoint address) {
  const auto& settings = check->settings;
  const auto deadline = Clock::now() + settings.timeout;
  auto request = request_of(*check, address);
  const auto answer = co_await check->http->open(std::move(request));
  if (!answer && Clock::now() >= deadline) co_return check_timed_out(settings);
  if (!answer) co_return tl::unexpected(answer.error());
  if (settings.kind == CheckKind::kTls) co_return Result<void>();
  const auto status = static_cast<unsigned>(answer->head().status);
  if (status < settings.least_status || status > settings.most_status)
    co_return fail(fmt::format("HTTP {}", status));
  co_return co_await look_for(*answer, settings, deadline);
}

}  // namespace ambbpf
