// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v2.h"

#include <fmt/format.h>

#include <charconv>

#include "userspace/etcd/failure.h"
#include "userspace/etcd/v2_decode.h"
#include "userspace/http/url.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// From the head, which also tells it of a key that does not exist and of a poll still waiting.
std::optional<EtcdPosition> position_of(const HttpHead& head) {
  const auto text = head.field("X-Etcd-Index");
  if (!text) return std::nullopt;
  EtcdPosition position{std::string(head.field("X-Etcd-Cluster-Id").value_or("")), 0};
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, position.index);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return position;
}

std::string words_of(int status, std::string_view body) {
  const auto error = decode_v2_error(body);
  return error ? error->text : fmt::format("HTTP {} {}", status, quoted(body));
}

Result<EtcdListing> v2_listing_of(const HttpResponse& response) {
  const auto& [head, body] = response;
  const auto error = decode_v2_error(body);
  if (head.status == 404 && !error) return EtcdListing{false, {}, {}};
  const bool no_such_key = error && error->code == EtcdV2Error::kKeyNotFound;
  if (head.status != 200 && !no_such_key) return fail(words_of(head.status, body));
  auto position = position_of(head);
  if (!position) return fail("answer without X-Etcd-Index: not an etcd");
  EtcdListing listing{true, std::move(*position), {}};
  if (no_such_key) return listing;
  auto keys = decode_v2_listing(body);
  if (!keys) return tl::unexpected(keys.error());
  listing.keys = std::move(*keys);
  return listing;
}

}  // namespace

EtcdV2::EtcdV2(EtcdClient& client, const std::string& directory, const EtcdOptions& options)
    : client_(client), path_(url_encode(directory)), timeout_(options.request_timeout) {}

awaitable<Result<EtcdListing>> EtcdV2::list(std::string url, std::string directory,
                                            EtcdWanted wanted) {
  auto target = url_encode(directory) + "?recursive=true";
  const auto response = co_await client_.request_v2("GET", url, std::move(target), timeout_);
  if (!response) co_return tl::unexpected(response.error());
  auto listing = v2_listing_of(*response);
  if (!listing) co_return failed("list " + printable(directory), url, listing.error().message());
  std::erase_if(listing->keys, [&](const auto& key) { return !wanted(key.key); });
  co_return listing;
}

awaitable<std::vector<std::string>> EtcdV2::misplaced(std::string, std::string, EtcdWanted) {
  co_return std::vector<std::string>();
}

awaitable<Result<EtcdNews>> EtcdV2::next(std::string url, EtcdPosition known,
                                         Clock::time_point deadline) {
  if (!poll_) co_return co_await begin_poll(std::move(url), std::move(known));
  co_return co_await end_poll(std::move(known), deadline);
}

// etcd sends the head at once. It shows a cluster that was wiped, whose history would reach our
// index only much later.
awaitable<Result<EtcdNews>> EtcdV2::begin_poll(std::string url, EtcdPosition known) {
  auto target = fmt::format("{}?wait=true&recursive=true&waitIndex={}", path_, known.index + 1);
  auto poll = co_await client_.open_v2(std::move(url), std::move(target), timeout_);
  if (!poll) co_return tl::unexpected(poll.error());
  poll_ = std::move(*poll);
  const auto position = position_of(poll_.head());
  if (poll_.head().status == 200 && (!position || position->breaks_with(known)))
    co_return list_again("the server is at another place in its history");
  co_return EtcdNews{};
}

awaitable<Result<EtcdNews>> EtcdV2::end_poll(EtcdPosition known, Clock::time_point deadline) {
  const auto answer = co_await poll_.read_rest(deadline);
  const auto poll = std::exchange(poll_, HttpStream());
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->kind == StreamPiece::Kind::kQuiet) co_return quiet(deadline);
  const auto& body = answer->text;
  if (poll.head().status != 200) {
    const auto error = decode_v2_error(body);
    if (error && error->code == EtcdV2Error::kEventIndexCleared) co_return list_again(error->text);
    co_return fail("watch: " + words_of(poll.head().status, body));
  }
  if (body.empty()) co_return list_again("the server ended the poll");
  auto event = decode_v2_event(body);
  if (!event) co_return fail("watch: " + event.error().message());
  if (event->index <= known.index)
    co_return fail("watch: an event from before the index asked for");
  EtcdNews news{{}, event->index, {}};
  news.changes.push_back(std::move(event->change));
  co_return news;
}

void EtcdV2::interrupt() {
  if (poll_) poll_.interrupt();
}

}  // namespace ambbpf
