// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/etcd_v3.h"

#include <fmt/format.h>

#include <array>

#include "userspace/discovery/etcd_v3_decode.h"
#include "userspace/discovery/quote.h"

namespace ambbpf {
namespace {

// 3.4 on; 3.3; 3.0 to 3.2.
constexpr std::array<const char*, 3> kGateways{"/v3", "/v3beta", "/v3alpha"};

EtcdNews list_again(std::string why) { return EtcdNews{{}, 0, std::move(why)}; }

Result<EtcdListing> listing_of(const HttpResponse& response) {
  if (response.head.status == 404) return EtcdListing{false, {}, {}};
  if (response.head.status != 200)
    return fail(fmt::format("HTTP {}: {}", response.head.status, decode_v3_error(response.body)));
  return decode_v3_listing(response.body);
}

Result<EtcdNews> news_of(EtcdV3Watched watched, const EtcdPosition& known) {
  if (!watched.canceled.empty()) return list_again(std::move(watched.canceled));
  if (watched.position.breaks_with(known))
    return list_again("the server is at another place in its history");
  return EtcdNews{std::move(watched.changes), watched.index, {}};
}

}  // namespace

EtcdV3::EtcdV3(HttpClient& http, const std::string& directory, const EtcdOptions& options)
    : http_(http), directory_(directory), timeout_(options.request_timeout) {}

HttpRequest EtcdV3::request(const std::string& url, const char* call, std::string body) const {
  HttpRequest request;
  request.url = url + kGateways[gateway_] + call;
  request.method = "POST";
  request.body = std::move(body);
  request.fields = {"Content-Type: application/json"};
  request.timeout = timeout_;
  return request;
}

awaitable<Result<EtcdListing>> EtcdV3::list(std::string url) {
  Result<EtcdListing> listing;
  for (std::size_t tried = 0; tried < kGateways.size(); ++tried) {
    auto range = request(url, "/kv/range", encode_v3_range(directory_));
    const auto response = co_await http_.request(std::move(range));
    if (!response) co_return tl::unexpected(response.error());
    listing = listing_of(*response);
    if (!listing)
      co_return fail(
          fmt::format("list {} at {}: {}", printable(directory_), url, listing.error().message()));
    if (listing->served) break;
    gateway_ = (gateway_ + 1) % kGateways.size();
  }
  co_return listing;
}

awaitable<Result<EtcdNews>> EtcdV3::next(std::string url, EtcdPosition known,
                                         Clock::time_point deadline) {
  if (!watch_) co_return co_await begin_watch(std::move(url), std::move(known));
  const auto line = co_await watch_.read_line(deadline);
  if (!line) co_return tl::unexpected(line.error());
  if (line->kind == StreamPiece::Kind::kQuiet) co_return list_again("no news for a while");
  if (line->kind == StreamPiece::Kind::kEnd) co_return list_again("the server ended the watch");
  if (line->text.find_first_not_of(" \t\r") == std::string::npos) co_return EtcdNews{};
  auto watched = decode_v3_watched(line->text);
  if (!watched) co_return fail("watch: " + watched.error().message());
  co_return news_of(std::move(*watched), known);
}

// hasleader: a member that has lost its leader ends the watch, where it would else fall silent.
awaitable<Result<EtcdNews>> EtcdV3::begin_watch(std::string url, EtcdPosition known) {
  auto post = request(url, "/watch", encode_v3_watch(directory_, known.index + 1));
  post.fields.emplace_back("Grpc-Metadata-hasleader: true");
  auto watch = co_await http_.open(std::move(post));
  if (!watch) co_return tl::unexpected(watch.error());
  if (watch->head().status == 200) {
    watch_ = std::move(*watch);
    co_return EtcdNews{};
  }
  const auto body = co_await watch->read_rest(Clock::now() + timeout_);
  const auto words = body ? decode_v3_error(body->text) : body.error().message();
  co_return fail(fmt::format("watch: HTTP {}: {}", watch->head().status, words));
}

void EtcdV3::interrupt() {
  if (watch_) watch_.interrupt();
}

}  // namespace ambbpf
