// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v2_write.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "userspace/etcd/failure.h"
#include "userspace/etcd/v2_decode.h"
#include "userspace/http/url.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using Kind = EtcdFound::Kind;

constexpr std::size_t kAtOnce = 8;  // refreshes under way

// A member's own trouble: 300 raft's, 301 no leader, 4xx history and the like.
bool is_of_the_member(const EtcdV2Error& error) { return error.code >= 300; }

// What an answer says of the key when it is no success; an error where it is the member's.
Result<EtcdFound> refusal_of(const HttpResponse& response, std::string_view what,
                             const std::string& url) {
  const auto error = decode_v2_error(response.body);
  if (!error) {
    const auto words =
        fmt::format("HTTP {} {}", response.head.status, ambbpf::quoted(response.body));
    return failed(what, url, words);
  }
  if (is_of_the_member(*error)) return failed(what, url, error->text);
  if (error->code == EtcdV2Error::kKeyNotFound) return EtcdFound{};
  return EtcdFound{Kind::kRefused, 0, error->text};
}

bool has_code(const HttpResponse& response, std::uint64_t code) {
  const auto error = decode_v2_error(response.body);
  return error && error->code == code;
}

// By the value and not by the index: whoever else keeps this very value changes the index as we do.
std::string value_guard(const OwnKey& key) { return "&prevValue=" + url_encode(key.value); }

bool succeeded(const HttpResponse& response) {
  return response.head.status == 200 || response.head.status == 201;
}

}  // namespace

// Refreshes of all keys, shared by those who carry them out.
struct EtcdV2Writer::Round {
  Round(const asio::any_io_executor& executor, std::vector<OwnKey> all)
      : keys(std::move(all)), found(keys.size()), done(executor, Clock::time_point::max()) {}

  const std::vector<OwnKey> keys;
  std::vector<EtcdFound> found;
  std::optional<Error> error;  // the last; after the first nothing more is begun
  std::size_t next = 0;
  std::size_t running = 0;
  asio::steady_timer done;  // cancelled when none is running
};

EtcdV2Writer::EtcdV2Writer(EtcdClient& client, std::chrono::seconds ttl,
                           std::chrono::milliseconds timeout)
    : client_(client), ttl_(ttl), timeout_(timeout) {}

std::string EtcdV2Writer::value_and_ttl(const OwnKey& key) const {
  return fmt::format("?value={}&ttl={}", url_encode(key.value), ttl_.count());
}

awaitable<Result<bool>> EtcdV2Writer::open(std::string url) {
  const auto keys = co_await client_.request_v2("GET", url, "/", timeout_);
  if (!keys) co_return tl::unexpected(keys.error());
  const bool is_etcd = succeeded(*keys) || decode_v2_error(keys->body);
  if (keys->head.status == 404 && !is_etcd) co_return false;
  if (!is_etcd) {
    const auto words = fmt::format("HTTP {} {}", keys->head.status, ambbpf::quoted(keys->body));
    co_return failed("list /", url, words);
  }
  if (succeeded(*keys)) {
    const auto listing = decode_v2_listing(keys->body);
    if (!listing) co_return failed("list /", url, listing.error().message());
  }
  const auto version = co_await client_.get(url, "/version", timeout_);
  if (!version) co_return tl::unexpected(version.error());
  can_refresh_ = version->head.status == 200 && v2_can_refresh(version->body);
  co_return true;
}

awaitable<Result<EtcdFound>> EtcdV2Writer::put(std::string url, OwnKey key, PutGuard guard) {
  const bool guarded = guard == PutGuard::kUnlessOthers;
  auto found = co_await set(url, key, guarded ? "&prevExist=false" : "");
  // It stands again, or the answer to our own writing never came.
  if (guarded && found && found->kind == Kind::kOther) found = co_await keep_one(url, key);
  if (found && found->kind == Kind::kLost)
    co_return failed("write " + printable(key.key), url, "it is gone again");
  co_return found;
}

// `guard`: "&prevExist=false", "&prevValue=…", or nothing. kOther: it held.
awaitable<Result<EtcdFound>> EtcdV2Writer::set(std::string url, OwnKey key, std::string guard) {
  const auto what = "write " + printable(key.key);
  const auto target = url_encode(key.key) + value_and_ttl(key) + guard;
  const auto response = co_await client_.request_v2("PUT", url, target, timeout_);
  if (!response) co_return tl::unexpected(response.error());
  if (has_code(*response, EtcdV2Error::kKeyExists) ||
      has_code(*response, EtcdV2Error::kCompareFailed))
    co_return EtcdFound{Kind::kOther, 0, {}};
  if (!succeeded(*response)) co_return refusal_of(*response, what, url);
  const auto node = decode_v2_node(response->body);
  if (!node) co_return failed(what, url, node.error().message());
  co_return EtcdFound{Kind::kOurs, node->index, {}};
}

awaitable<Result<EtcdFound>> EtcdV2Writer::keep_one(std::string url, OwnKey key) {
  Result<EtcdFound> kept;
  if (can_refresh_)
    kept = co_await refresh(url, key);
  else
    kept = co_await set(url, key, value_guard(key));
  if (kept && kept->kind == Kind::kOther) co_return co_await look(url, key);
  co_return kept;
}

// kOther: the key has another value.
awaitable<Result<EtcdFound>> EtcdV2Writer::refresh(std::string url, OwnKey key) {
  const auto what = "refresh " + printable(key.key);
  const auto target =
      fmt::format("{}?ttl={}&refresh=true{}", url_encode(key.key), ttl_.count(), value_guard(key));
  const auto response = co_await client_.request_v2("PUT", url, target, timeout_);
  if (!response) co_return tl::unexpected(response.error());
  if (has_code(*response, EtcdV2Error::kCompareFailed)) co_return EtcdFound{Kind::kOther, 0, {}};
  if (!succeeded(*response)) co_return refusal_of(*response, what, url);
  const auto node = decode_v2_node(response->body);
  if (!node) co_return failed(what, url, node.error().message());
  if (node->value == key.value) co_return EtcdFound{Kind::kOurs, node->index, {}};
  // A server that does not know refresh after all has taken the value left out for an empty one.
  can_refresh_ = false;
  co_return co_await set(url, key, "");
}

awaitable<Result<EtcdFound>> EtcdV2Writer::look(std::string url, OwnKey key) {
  const auto what = "read " + printable(key.key);
  const auto response =
      co_await client_.request_v2("GET", url, url_encode(key.key) + "?quorum=true", timeout_);
  if (!response) co_return tl::unexpected(response.error());
  if (!succeeded(*response)) co_return refusal_of(*response, what, url);
  const auto node = decode_v2_node(response->body);
  if (!node) co_return failed(what, url, node.error().message());
  co_return EtcdFound{Kind::kOther, 0, node->value};
}

// One after the other, a slow etcd could take longer for them than the TTL.
awaitable<Result<std::vector<EtcdFound>>> EtcdV2Writer::keep(std::string url,
                                                             std::vector<OwnKey> keys) {
  const auto round = std::make_shared<Round>(client_.executor(), std::move(keys));
  round->running = std::min(kAtOnce, round->keys.size());
  for (auto i = round->running; i > 0; --i) spawn(client_.executor(), keep_some(url, round));
  while (round->running > 0) co_await round->done.async_wait(as_tuple);
  if (round->error) co_return tl::unexpected(*round->error);
  co_return std::move(round->found);
}

awaitable<void> EtcdV2Writer::keep_some(std::string url, std::shared_ptr<Round> round) {
  while (!round->error && round->next < round->keys.size()) {
    const auto i = round->next++;
    auto kept = co_await keep_one(url, round->keys[i]);
    if (kept)
      round->found[i] = std::move(*kept);
    else
      round->error = kept.error();
  }
  if (--round->running == 0) round->done.cancel();
}

// By the index, which tells also from another who keeps the same value. Where ours is not known,
// the value has to do.
awaitable<Result<EtcdFound>> EtcdV2Writer::remove(std::string url, OwnKey key) {
  const auto guard =
      key.index ? fmt::format("?prevIndex={}", key.index) : "?prevValue=" + url_encode(key.value);
  const auto response =
      co_await client_.request_v2("DELETE", url, url_encode(key.key) + guard, timeout_);
  if (!response) co_return tl::unexpected(response.error());
  if (succeeded(*response)) co_return EtcdFound{Kind::kOurs, 0, {}};
  if (has_code(*response, EtcdV2Error::kCompareFailed)) co_return EtcdFound{Kind::kOther, 0, {}};
  co_return refusal_of(*response, "delete " + printable(key.key), url);
}

awaitable<Result<std::vector<OwnKey>>> EtcdV2Writer::list(std::string url, std::string directory) {
  const auto what = "list " + printable(directory);
  const auto response = co_await client_.request_v2(
      "GET", url, url_encode(directory) + "?recursive=true&quorum=true", timeout_);
  if (!response) co_return tl::unexpected(response.error());
  if (has_code(*response, EtcdV2Error::kKeyNotFound)) co_return std::vector<OwnKey>();
  if (!succeeded(*response))
    co_return failed(
        what, url,
        fmt::format("HTTP {} {}", response->head.status, ambbpf::quoted(response->body)));
  auto keys = decode_v2_mortal_keys(response->body);
  if (!keys) co_return failed(what, url, keys.error().message());
  co_return keys;
}

awaitable<Result<void>> EtcdV2Writer::close(std::string) { co_return Result<void>(); }

}  // namespace ambbpf
