// SPDX-License-Identifier: Apache-2.0
// The way to etcd's members for all who read and write there.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/etcd/types.h"
#include "userspace/etcd/v3_token.h"
#include "userspace/http/http_client.h"

namespace ambbpf {

// Requests to etcd as one user: by HTTP Basic in API v2; in v3 by a token, which is fetched when it
// is first needed, and once more for a request that is refused because of it. `url` is always a
// member's, as parse_etcd_urls gives it. `timeout` is for each exchange. For one thread.
class EtcdClient {
 public:
  explicit EtcdClient(asio::any_io_executor executor, HttpAccess access = {},
                      std::optional<EtcdUser> user = std::nullopt);

  const asio::any_io_executor& executor() const { return http_.executor(); }

  // What a member tells everybody: "/version".
  awaitable<Result<HttpResponse>> get(std::string url, std::string path,
                                      std::chrono::milliseconds timeout);

  // The keys API v2. `target` follows "/v2/keys": an encoded path and a query.
  awaitable<Result<HttpResponse>> request_v2(std::string method, std::string url,
                                             std::string target, std::chrono::milliseconds timeout);
  awaitable<Result<HttpStream>> open_v2(std::string url, std::string target,
                                        std::chrono::milliseconds timeout);

  // The JSON gateway of API v3, under the name that it has at this member. `call` follows that
  // name: "/kv/range". Status 404 without JSON: the member has no such gateway. etcd tells of a
  // watch that it refuses in the watch's first line, and not here.
  awaitable<Result<HttpResponse>> request_v3(std::string url, std::string call, std::string body,
                                             std::chrono::milliseconds timeout);
  awaitable<Result<HttpStream>> open_v3(std::string url, std::string call, std::string body,
                                        std::chrono::milliseconds timeout);

 private:
  HttpRequest v2(std::string method, std::string_view url, std::string_view target,
                 std::chrono::milliseconds timeout) const;
  // For HttpResponse and HttpStream.
  template <class Answer>
  using Send = awaitable<Result<Answer>> (HttpClient::*)(HttpRequest request);
  template <class Answer>
  awaitable<Result<Answer>> send_v3(Send<Answer> send, std::string url, std::string call,
                                    HttpRequest post);
  template <class Answer>
  awaitable<Result<Answer>> send_to_gateway(Send<Answer> send, std::string url, std::string call,
                                            HttpRequest post);
  awaitable<Result<std::string>> authenticate(std::string url, std::chrono::milliseconds timeout);

  HttpClient http_;
  std::optional<EtcdUser> user_;
  std::map<std::string, std::size_t> gateways_;  // by URL: under which name it answers
  std::map<std::string, EtcdV3Token> tokens_;    // by URL
};

}  // namespace ambbpf
