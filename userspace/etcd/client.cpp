// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/client.h"

#include <fmt/format.h>

#include <cctype>

namespace ambbpf {
namespace {

// 3.4 on; 3.3; 3.0 to 3.2.
constexpr std::array<const char*, 3> kGateways{"/v3", "/v3beta", "/v3alpha"};

// etcd's own 404 is JSON: a lease that it does not know.
bool lacks_gateway(const HttpResponse& response) {
  return response.head.status == 404 && !response.body.starts_with('{');
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

HttpRequest EtcdClient::v3(const std::string& url, std::string_view call, std::string body,
                           std::chrono::milliseconds timeout) {
  HttpRequest request;
  request.url = fmt::format("{}{}{}", url, kGateways[gateways_[url]], call);
  request.method = "POST";
  request.body = std::move(body);
  // hasleader: a member that has lost its leader refuses at once, where it would else fall silent.
  request.fields = {"Content-Type: application/json", "Grpc-Metadata-hasleader: true"};
  request.timeout = timeout;
  return request;
}

void EtcdClient::try_next_gateway(const std::string& url) {
  auto& gateway = gateways_[url];
  gateway = (gateway + 1) % kGateways.size();
}

awaitable<Result<HttpResponse>> EtcdClient::request_v3(std::string url, std::string call,
                                                       std::string body,
                                                       std::chrono::milliseconds timeout) {
  Result<HttpResponse> response;
  for (std::size_t tried = 0; tried < kGateways.size(); ++tried) {
    auto post = v3(url, call, body, timeout);
    response = co_await http_.request(std::move(post));
    if (!response || !lacks_gateway(*response)) break;
    try_next_gateway(url);
  }
  co_return response;
}

awaitable<Result<HttpStream>> EtcdClient::open_v3(std::string url, std::string call,
                                                  std::string body,
                                                  std::chrono::milliseconds timeout) {
  Result<HttpStream> stream;
  for (std::size_t tried = 0; tried < kGateways.size(); ++tried) {
    auto post = v3(url, call, body, timeout);
    stream = co_await http_.open(std::move(post));
    if (!stream || stream->head().status != 404) break;
    try_next_gateway(url);
  }
  co_return stream;
}

std::string url_encode(std::string_view path) {
  std::string encoded;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || std::string_view("/-._~").find(c) != std::string_view::npos)
      encoded += c;
    else
      encoded += fmt::format("%{:02X}", byte);
  }
  return encoded;
}

}  // namespace ambbpf
