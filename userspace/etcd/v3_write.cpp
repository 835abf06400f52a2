// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v3_write.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/etcd/failure.h"
#include "userspace/etcd/v3_decode.h"
#include "userspace/etcd/v3_encode.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using Kind = EtcdFound::Kind;

constexpr std::size_t kReadsInOneTxn = 100;  // etcd takes 128 (--max-txn-ops)

std::string words_of(const HttpResponse& response) {
  return fmt::format("HTTP {}: {}", response.head.status, decode_v3_error(response.body));
}

// Of this key: what is no key or value for etcd, or not this user's. All else is the member's.
bool is_of_the_key(const HttpResponse& response) {
  return response.head.status == 400 || response.head.status == 403;
}

// With so many keys read, where its condition held and where it did not.
Result<EtcdV3Txn> txn_of(const HttpResponse& response, std::size_t if_so, std::size_t if_not) {
  if (response.head.status != 200) return fail(words_of(response));
  auto txn = decode_v3_txn(response.body);
  if (txn && txn->found.size() != (txn->succeeded ? if_so : if_not))
    return fail(ambbpf::quoted(response.body) + " answers another question");
  return txn;
}

EtcdFound found_at(const std::optional<EtcdV3Value>& stands, const OwnKey& key,
                   std::uint64_t lease) {
  if (!stands) return {};
  if (stands->lease != lease) return {Kind::kOther, 0, stands->value};
  if (stands->value != key.value) return {Kind::kLost, stands->index, {}};  // our own, come late
  return {Kind::kOurs, stands->index, {}};
}

}  // namespace

EtcdV3Writer::EtcdV3Writer(EtcdClient& client, std::chrono::seconds ttl,
                           std::chrono::milliseconds timeout)
    : client_(client), wanted_ttl_(ttl), timeout_(timeout), ttl_(ttl) {}

awaitable<Result<HttpResponse>> EtcdV3Writer::ask(std::string url, std::string call,
                                                  std::string body) {
  co_return co_await client_.request_v3(std::move(url), std::move(call), std::move(body), timeout_);
}

awaitable<Result<bool>> EtcdV3Writer::open(std::string url) {
  if (!lease_) co_return co_await grant(url);
  const auto kept = co_await keep_lease(url);
  if (kept && !*kept) co_return co_await grant(url);
  co_return kept;
}

// False: not served.
awaitable<Result<bool>> EtcdV3Writer::grant(std::string url) {
  const auto response = co_await ask(url, "/lease/grant", encode_v3_grant(wanted_ttl_));
  if (!response) co_return tl::unexpected(response.error());
  if (response->head.status == 404) co_return false;
  if (response->head.status != 200) co_return failed("grant a lease", url, words_of(*response));
  const auto lease = decode_v3_lease(response->body);
  if (!lease || !lease->id || !lease->ttl.count()) {
    const auto why =
        lease ? ambbpf::quoted(response->body) + " is no lease" : lease.error().message();
    co_return failed("grant a lease", url, why);
  }
  lease_ = lease->id;
  ttl_ = lease->ttl;
  co_return true;
}

// False: it is lost, and what hung on it.
awaitable<Result<bool>> EtcdV3Writer::keep_lease(std::string url) {
  const auto response = co_await ask(url, "/lease/keepalive", encode_v3_lease(lease_));
  if (!response) co_return tl::unexpected(response.error());
  if (response->head.status != 200)
    co_return failed("keep the lease alive", url, words_of(*response));
  const auto lease = decode_v3_kept_lease(response->body);
  if (!lease) co_return failed("keep the lease alive", url, lease.error().message());
  if (lease->ttl.count()) co_return true;
  lease_ = 0;
  co_return false;
}

awaitable<Result<EtcdFound>> EtcdV3Writer::put(std::string url, OwnKey key, PutGuard guard) {
  auto found = co_await try_put(url, key, guard);
  if (!found || found->kind != Kind::kLost) co_return found;
  // Either the lease was lost, or a write of ours that came late stands there.
  found = co_await try_put(url, key, lease_ ? PutGuard::kNone : guard);
  if (found && found->kind == Kind::kLost)
    co_return failed("write " + printable(key.key), url, "its lease is lost over and over");
  co_return found;
}

awaitable<Result<EtcdFound>> EtcdV3Writer::try_put(std::string url, OwnKey key, PutGuard guard) {
  const auto what = "write " + printable(key.key);
  if (!lease_) {
    const auto granted = co_await grant(url);
    if (!granted) co_return tl::unexpected(granted.error());
    if (!*granted) co_return failed(what, url, "the v3 API is gone");
  }
  const bool guarded = guard == PutGuard::kUnlessOthers;
  const auto response =
      co_await ask(url, "/kv/txn", encode_v3_put(key.key, key.value, lease_, guarded));
  if (!response) co_return tl::unexpected(response.error());
  if (response->head.status == 404) {  // etcd's word for a lease that it does not know
    lease_ = 0;
    co_return EtcdFound{};
  }
  if (is_of_the_key(*response)) co_return EtcdFound{Kind::kRefused, 0, words_of(*response)};
  const auto done = txn_of(*response, 0, 1);
  if (!done) co_return failed(what, url, done.error().message());
  if (done->succeeded) co_return EtcdFound{Kind::kOurs, done->revision, {}};
  co_return found_at(done->found[0], key, lease_);
}

awaitable<Result<std::vector<EtcdFound>>> EtcdV3Writer::keep(std::string url,
                                                             std::vector<OwnKey> keys) {
  std::vector<EtcdFound> found;
  if (lease_) {
    const auto kept = co_await keep_lease(url);
    if (!kept) co_return tl::unexpected(kept.error());
  }
  if (!lease_) {
    found.resize(keys.size());
    co_return found;
  }
  for (std::size_t first = 0; first < keys.size(); first += kReadsInOneTxn) {
    const auto end = std::min(keys.size(), first + kReadsInOneTxn);
    std::vector<std::string> names;
    for (auto i = first; i < end; ++i) names.push_back(keys[i].key);
    const auto response = co_await ask(url, "/kv/txn", encode_v3_read(names));
    if (!response) co_return tl::unexpected(response.error());
    const auto read = txn_of(*response, names.size(), names.size());
    if (!read) co_return failed("read the keys", url, read.error().message());
    for (auto i = first; i < end; ++i)
      found.push_back(found_at(read->found[i - first], keys[i], lease_));
  }
  co_return found;
}

// The second try is for a key that has another index of ours than we know.
awaitable<Result<EtcdFound>> EtcdV3Writer::remove(std::string url, OwnKey key) {
  const auto what = "delete " + printable(key.key);
  for (int tries = 0; tries < 2; ++tries) {
    const auto response = co_await ask(url, "/kv/txn", encode_v3_remove(key.key, key.index));
    if (!response) co_return tl::unexpected(response.error());
    if (is_of_the_key(*response)) co_return EtcdFound{Kind::kRefused, 0, words_of(*response)};
    const auto done = txn_of(*response, 0, 1);
    if (!done) co_return failed(what, url, done.error().message());
    if (done->succeeded) co_return EtcdFound{key.index ? Kind::kOurs : Kind::kLost, 0, {}};
    const auto found = found_at(done->found[0], key, lease_);
    if (!found.index) co_return found;
    key.index = found.index;
  }
  co_return failed(what, url, "it changes all the time");
}

awaitable<Result<std::vector<OwnKey>>> EtcdV3Writer::list(std::string url, std::string directory) {
  const auto what = "list " + printable(directory);
  const EtcdV3Range range{std::move(directory)};
  const auto response = co_await ask(url, "/kv/range", encode_v3_range(range));
  if (!response) co_return tl::unexpected(response.error());
  if (response->head.status != 200) co_return failed(what, url, words_of(*response));
  auto keys = decode_v3_mortal_keys(response->body);
  if (!keys) co_return failed(what, url, keys.error().message());
  co_return keys;
}

// The call's name up to 3.3, which later versions know as well.
awaitable<Result<void>> EtcdV3Writer::close(std::string url) {
  if (!lease_) co_return Result<void>();
  const auto response = co_await ask(url, "/kv/lease/revoke", encode_v3_lease(lease_));
  if (!response) co_return tl::unexpected(response.error());
  if (response->head.status != 200 && response->head.status != 404)
    co_return failed("revoke the lease", url, words_of(*response));
  lease_ = 0;
  co_return Result<void>();
}

}  // namespace ambbpf
