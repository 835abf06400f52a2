// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/client.h"

#include <fmt/format.h>

#include "userspace/etcd/v3_decode.h"
#include "userspace/etcd/v3_encode.h"
#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// 3.4 on; 3.3; 3.0 to 3.2.
constexpr std::array<const char*, 3> kGateways{"/v3", "/v3beta", "/v3alpha"};

HttpRequest v3_post(std::string body, std::chrono::milliseconds timeout) {
  HttpRequest request;
  request.method = "POST";
  request.body = std::move(body);
  // hasleader: a member that has lost its leader refuses at once, where it would else fall silent.
  request.fields = {"Content-Type: application/json", "Grpc-Metadata-hasleader: true"};
  request.timeout = timeout;
  return request;
}

// etcd's own 404 is JSON: a lease that it does not know.
bool lacks_gateway(const HttpResponse& answer) {
  return answer.head.status == 404 && !answer.body.starts_with('{');
}
bool lacks_gateway(const HttpStream& answer) { return answer.head().status == 404; }

bool refuses_token(const HttpResponse& answer) {
  return answer.head.status != 200 && v3_refuses_token(answer.body);
}

// Its body, which may say something else, is for the caller to read.
bool refuses_token(const HttpStream& answer) {
  const int status = answer.head().status;
  return status == 401 || status == 400;
}

}  // namespace

EtcdClient::EtcdClient(asio::any_io_executor executor, HttpAccess access,
                       std::optional<EtcdUser> user)
    : http_(std::move(executor), std::move(access)), user_(std::move(user)) {}

HttpRequest EtcdClient::v2(std::string method, std::string_view url, std::string_view target,
                           std::chrono::milliseconds timeout) const {
  HttpRequest request;
  request.url = fmt::format("{}/v2/keys{}", url, target);
  request.method = std::move(method);
  request.timeout = timeout;
  if (user_) request.user = HttpUser{user_->name, user_->password};
  return request;
}

awaitable<Result<HttpResponse>> EtcdClient::get(std::string url, std::string path,
                                                std::chrono::milliseconds timeout) {
  HttpRequest request;
  request.url = url + path;
  request.timeout = timeout;
  co_return co_await http_.request(std::move(request));
}

awaitable<Result<HttpResponse>> EtcdClient::request_v2(std::string method, std::string url,
                                                       std::string target,
                                                       std::chrono::milliseconds timeout) {
  auto request = v2(std::move(method), url, target, timeout);
  co_return co_await http_.request(std::move(request));
}

awaitable<Result<HttpStream>> EtcdClient::open_v2(std::string url, std::string target,
                                                  std::chrono::milliseconds timeout) {
  auto request = v2("GET", url, target, timeout);
  co_return co_await http_.open(std::move(request));
}

awaitable<Result<HttpResponse>> EtcdClient::request_v3(std::string url, std::string call,
                                                       std::string body,
                                                       std::chrono::milliseconds timeout) {
  auto post = v3_post(std::move(body), timeout);
  return send_v3(&HttpClient::request, std::move(url), std::move(call), std::move(post));
}

awaitable<Result<HttpStream>> EtcdClient::open_v3(std::string url, std::string call,
                                                  std::string body,
                                                  std::chrono::milliseconds timeout) {
  auto post = v3_post(std::move(body), timeout);
  return send_v3(&HttpClient::open, std::move(url), std::move(call), std::move(post));
}

template <class Answer>
awaitable<Result<Answer>> EtcdClient::send_v3(Send<Answer> send, std::string url, std::string call,
                                              HttpRequest post) {
  if (!user_) co_return co_await send_to_gateway(send, url, call, std::move(post));
  auto& token = tokens_.try_emplace(url, executor()).first->second;
  for (bool again = false;; again = true) {
    EtcdV3Token::Fetch fetch = [this, url, timeout = post.timeout] {
      return authenticate(url, timeout);
    };
    const auto shown = co_await token.get(std::move(fetch));
    if (!shown) co_return tl::unexpected(shown.error());
    auto attempt = post;
    if (!shown->empty()) attempt.fields.push_back("Authorization: " + *shown);
    auto answer = co_await send_to_gateway(send, url, call, std::move(attempt));
    if (again || !answer || !refuses_token(*answer)) co_return answer;
    token.drop(*shown);
  }
}

template <class Answer>
awaitable<Result<Answer>> EtcdClient::send_to_gateway(Send<Answer> send, std::string url,
                                                      std::string call, HttpRequest post) {
  Result<Answer> answer;
  auto gateway = gateways_[url];
  for (std::size_t tried = 0; tried < kGateways.size(); ++tried) {
    auto attempt = post;
    attempt.url = fmt::format("{}{}{}", url, kGateways[gateway], call);
    answer = co_await (http_.*send)(std::move(attempt));
    if (!answer || !lacks_gateway(*answer)) break;
    gateway = (gateway + 1) % kGateways.size();
  }
  gateways_[url] = gateway;
  co_return answer;
}

awaitable<Result<std::string>> EtcdClient::authenticate(std::string url,
                                                        std::chrono::milliseconds timeout) {
  auto post = v3_post(encode_v3_authenticate(*user_), timeout);
  post.redirects = false;  // with the password to who knows whom
  const auto answer =
      co_await send_to_gateway(&HttpClient::request, url, "/auth/authenticate", std::move(post));
  if (!answer) co_return tl::unexpected(answer.error());
  const auto status = answer->head.status;
  if (status == 404) co_return "";  // the request itself will find the same
  auto token = decode_v3_token(answer->body);
  if (!token)
    co_return fail(fmt::format("authenticate as {} at {}: HTTP {}: {}", ambbpf::quoted(user_->name),
                               url, status, token.error().message()));
  log::debug("etcd v3 {}: {}", url,
             token->empty() ? "authentication is switched off there" : "a new token");
  co_return token;
}

}  // namespace ambbpf
