// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v3.h"

#include <fmt/format.h>

#include "userspace/etcd/failure.h"
#include "userspace/etcd/v3_decode.h"
#include "userspace/etcd/v3_encode.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

Result<EtcdListing> v3_listing_of(const HttpResponse& response) {
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

EtcdV3::EtcdV3(EtcdClient& client, const std::string& directory, const EtcdOptions& options)
    : client_(client), directory_(directory), timeout_(options.request_timeout) {}

awaitable<Result<EtcdListing>> EtcdV3::list(std::string url) {
  const auto response =
      co_await client_.request_v3(url, "/kv/range", encode_v3_range(directory_), timeout_);
  if (!response) co_return tl::unexpected(response.error());
  auto listing = v3_listing_of(*response);
  if (!listing) co_return failed("list " + printable(directory_), url, listing.error().message());
  if (listing->served && listing->keys.empty())
    listing->misplaced = co_await key_without_slash(std::move(url));
  co_return listing;
}

// API v2 puts a slash before every path, this one takes keys as they are. Only a hint: a failure is
// none of the listing's.
awaitable<std::string> EtcdV3::key_without_slash(std::string url) {
  auto body = encode_v3_range(directory_.substr(1));
  const auto response =
      co_await client_.request_v3(std::move(url), "/kv/range", std::move(body), timeout_);
  if (!response) co_return "";
  const auto listing = v3_listing_of(*response);
  co_return listing && !listing->keys.empty() ? listing->keys.front().key : "";
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

awaitable<Result<EtcdNews>> EtcdV3::begin_watch(std::string url, EtcdPosition known) {
  auto watch = co_await client_.open_v3(std::move(url), "/watch",
                                        encode_v3_watch(directory_, known.index + 1), timeout_);
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
