// SPDX-License-Identifier: Apache-2.0
// One active health check of one endpoint: what is asked, and whether the answer is a good one.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "userspace/http/http_client.h"
#include "userspace/proxy/proxy_header.h"
#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

enum class CheckKind {
  kNone,
  kTcp,     // it accepts a connection
  kTls,     // and shakes hands
  kHttp,    // it answers a GET
  kHttps,   // the same through TLS
  kExpect,  // it answers a text with another
};

struct CheckSettings {
  CheckKind kind = CheckKind::kNone;
  std::chrono::milliseconds interval{2000};  // from the end of one to the next, within 10 %
  std::chrono::milliseconds timeout{1000};   // for all of one
  unsigned rise = 2;                         // good ones in a row that bring an endpoint back
  unsigned fall = 3;                         // failed ones in a row that take it out
  unsigned short port = 0;                   // 0: the endpoint's own
  std::string path = "/";                    // of kHttp and kHttps, with its query
  std::string host{};                        // of them and of kTls; empty: the address
  unsigned least_status = 200;
  unsigned most_status = 399;
  std::string body{};    // has to be in the answer's first kMostLookedAt bytes; empty: any
  std::string send{};    // of kExpect; empty: the endpoint speaks first
  std::string expect{};  // as `body`
  bool verify = true;    // the certificate
  std::string ca{};      // file of the only authorities to trust; empty: the system's

  bool is_http() const { return kind == CheckKind::kHttp || kind == CheckKind::kHttps; }
  bool is_by_libcurl() const { return is_http() || kind == CheckKind::kTls; }
  bool operator==(const CheckSettings&) const = default;
};

inline constexpr std::size_t kMostLookedAt = 64 * 1024;  // bytes of an answer

// What is asked, ready to be asked again and again.
struct Check {
  CheckSettings settings;
  ProxyVersion header;               // that every connection to the endpoint's own port begins with
  std::shared_ptr<HttpClient> http;  // null: nothing is asked by libcurl
};

// `header`: what connections of clients to the endpoints begin with. Endpoints are told by it that
// the check speaks for itself, unless it has a port of its own.
Check make_check(const asio::any_io_executor& executor, const CheckSettings& settings,
                 ProxyVersion header);

// An error says why the endpoint has failed: "HTTP 503", "timed out after 1000 ms".
awaitable<Result<void>> run_check(std::shared_ptr<const Check> check, tcp::endpoint endpoint);

// Those of one kind, for run_check(). `address`: with the port that is to be asked.
awaitable<Result<void>> check_by_connect(std::shared_ptr<const Check> check, tcp::endpoint address);
awaitable<Result<void>> check_by_http(std::shared_ptr<const Check> check, tcp::endpoint address);

tl::unexpected<Error> check_timed_out(const CheckSettings& settings);

}  // namespace ambbpf
