// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v3.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/etcd/failure.h"
#include "userspace/etcd/v3_decode.h"
#include "userspace/etcd/v3_encode.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr std::uint64_t kPage = 5000;  // keys; a megabyte or so, where values are as usual

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

awaitable<Result<EtcdListing>> EtcdV3::page(std::string url, EtcdV3Range range) {
  const auto response =
      co_await client_.request_v3(url, "/kv/range", encode_v3_range(range), timeout_);
  if (!response) co_return tl::unexpected(response.error());
  auto page = v3_listing_of(*response);
  if (!page) co_return failed("list " + printable(range.directory), url, page.error().message());
  if (page->more && page->keys.empty())
    co_return failed("list " + printable(range.directory), url, "an empty page before others");
  co_return page;
}

// Whatever is too long for one answer comes in smaller pages: one key alone is never too long.
awaitable<Result<EtcdListing>> EtcdV3::list(std::string url, std::string directory,
                                            EtcdWanted wanted) {
  EtcdListing listing;
  EtcdV3Range range{std::move(directory), {}, kPage, 0};
  for (;;) {
    auto next = co_await page(url, range);
    if (!next && is_too_long(next.error()) && range.limit > 1) {
      range.limit = std::max<std::uint64_t>(1, range.limit / 16);
      continue;
    }
    if (!next || !next->served) co_return next;
    if (range.revision == 0) listing.position = next->position;
    if (next->position.cluster != listing.position.cluster)
      co_return failed("list " + printable(range.directory), url, "another cluster answers");
    if (next->more) range.from = next->keys.back().key + '\0';
    for (auto& key : next->keys)
      if (wanted(key.key)) listing.keys.push_back(std::move(key));
    if (!next->more) co_return listing;
    range.revision = listing.position.index;
  }
}

awaitable<std::vector<std::string>> EtcdV3::misplaced(std::string url, std::string directory,
                                                      EtcdWanted wanted) {
  std::vector<std::string> found;
  if (directory.empty()) co_return found;
  EtcdV3Range range{directory.substr(1), {}, kPage, 0};
  const auto listing = co_await page(std::move(url), std::move(range));
  if (!listing) co_return found;
  for (const auto& key : listing->keys)
    if (wanted('/' + key.key)) found.push_back(key.key);
  co_return found;
}

awaitable<Result<EtcdNews>> EtcdV3::next(std::string url, EtcdPosition known,
                                         Clock::time_point deadline) {
  if (!watch_) co_return co_await begin_watch(std::move(url), std::move(known));
  const auto line = co_await watch_.read_line(deadline);
  if (!line) co_return tl::unexpected(line.error());
  if (line->kind == StreamPiece::Kind::kQuiet) co_return quiet(deadline);
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
