// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v3_decode.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/etcd/base64.h"
#include "userspace/etcd/failure.h"
#include "userspace/support/json.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr std::uint64_t kLongestTtl = 9'000'000'000;  // seconds; etcd's own limit

// A missing revision is zero; a missing header is not etcd.
std::optional<EtcdPosition> position_of(const JsonValue& answer) {
  const auto* header = object_at(answer, "header");
  if (!header) return std::nullopt;
  const auto cluster = string_at(*header, "cluster_id").value_or("");
  return EtcdPosition{std::string(cluster), uint_at(*header, "revision").value_or(0)};
}

// The bytes of a field; empty where it is left out, nothing where it is not base64.
std::optional<std::string> bytes_at(const JsonValue& object, const char* name) {
  const auto* field = field_at(object, name);
  if (!field) return "";
  const auto text = as_string(*field);
  return text ? base64_decode(*text) : std::nullopt;
}

std::optional<EtcdKey> key_of(const JsonValue& kv) {
  if (!kv.IsObject()) return std::nullopt;
  auto key = bytes_at(kv, "key");
  auto value = bytes_at(kv, "value");
  if (!key || !value || key->empty()) return std::nullopt;
  return EtcdKey{std::move(*key), std::move(*value)};
}

// A PUT's type is zero and so left out.
std::optional<EtcdChange> change_of(const JsonValue& event) {
  const auto* kv = object_at(event, "kv");
  auto key = kv ? key_of(*kv) : std::nullopt;
  if (!key) return std::nullopt;
  const auto index = uint_at(*kv, "mod_revision").value_or(0);
  if (string_at(event, "type").value_or("PUT") == "DELETE")
    return EtcdChange{std::move(key->key), std::nullopt, true, index};
  return EtcdChange{std::move(key->key), std::move(key->value), false, index};
}

// The error in an answer, be it the whole of it or, in a stream, a part.
const JsonValue& error_in(const JsonValue& answer) {
  const auto* error = object_at(answer, "error");
  return error ? *error : answer;
}

std::string_view message_of(const JsonValue& error) {
  const auto message = string_at(error, "message");
  return message ? *message : string_at(error, "error").value_or("");
}

bool is_plain_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// Revisions far behind come in several batches, each with the newest revision in its header
// (watchable_store.go): known is only what the events themselves say.
Result<void> take_events(const JsonValue& events, EtcdV3Watched& watched) {
  watched.index = 0;
  for (const auto& event : events.GetArray()) {
    auto change = change_of(event);
    if (!change) return fail("has an event without a key");
    watched.index = std::max(watched.index, change->index);
    watched.changes.push_back(std::move(*change));
  }
  return {};
}

std::string cancellation_of(const JsonValue& result) {
  if (const auto compacted = uint_at(result, "compact_revision").value_or(0))
    return fmt::format("etcd has compacted its history up to revision {}", compacted);
  return fmt::format("etcd canceled the watch: {}",
                     quoted(string_at(result, "cancel_reason").value_or(""), 200));
}

Result<EtcdV3Lease> lease_of(const JsonValue& answer, std::string_view body) {
  const auto id = uint_at(answer, "ID");
  if (!id) return not_as_expected("has no lease's \"ID\"", body);
  const auto ttl = std::min<std::uint64_t>(uint_at(answer, "TTL").value_or(0), kLongestTtl);
  return EtcdV3Lease{*id, std::chrono::seconds(ttl)};
}

// The first of what was read; nothing where it is not base64.
std::optional<EtcdV3Value> value_of(const JsonValue& kv) {
  auto value = bytes_at(kv, "value");
  if (!kv.IsObject() || !value) return std::nullopt;
  return EtcdV3Value{std::move(*value), uint_at(kv, "mod_revision").value_or(0),
                     uint_at(kv, "lease").value_or(0)};
}

}  // namespace

Result<EtcdListing> decode_v3_listing(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  auto position = position_of(*json);
  if (!position) return not_as_expected("has no \"header\"", body);
  EtcdListing listing{true, std::move(*position), {}};
  listing.more = true_at(*json, "more");
  const auto* kvs = array_at(*json, "kvs");
  if (!kvs) return listing;
  for (const auto& kv : kvs->GetArray()) {
    auto key = key_of(kv);
    if (!key) return not_as_expected("has a key or value that is not base64", body);
    listing.keys.push_back(std::move(*key));
  }
  return listing;
}

Result<EtcdV3Watched> decode_v3_watched(std::string_view line) {
  const auto json = parse_json(line);
  if (!json) return not_as_expected("is not JSON", line);
  if (field_at(*json, "error")) return fail(decode_v3_error(line));
  const auto* result = object_at(*json, "result");
  auto position = result ? position_of(*result) : std::nullopt;
  if (!position) return not_as_expected("is no answer of a watch", line);
  EtcdV3Watched watched{std::move(*position), {}, 0, {}};
  if (true_at(*result, "canceled")) {
    watched.canceled = cancellation_of(*result);
    return watched;
  }
  if (!true_at(*result, "created")) watched.index = watched.position.index;
  if (const auto* events = array_at(*result, "events")) {
    const auto taken = take_events(*events, watched);
    if (!taken) return not_as_expected(taken.error().what, line);
  }
  return watched;
}

Result<std::vector<OwnKey>> decode_v3_mortal_keys(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  if (!position_of(*json)) return not_as_expected("has no \"header\"", body);
  std::vector<OwnKey> keys;
  const auto* kvs = array_at(*json, "kvs");
  if (!kvs) return keys;
  for (const auto& kv : kvs->GetArray()) {
    auto key = key_of(kv);
    const auto value = value_of(kv);
    if (!key || !value) return not_as_expected("has a key or value that is not base64", body);
    if (value->lease) keys.push_back({std::move(key->key), value->value, value->index});
  }
  return keys;
}

Result<EtcdV3Lease> decode_v3_lease(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  return lease_of(*json, body);
}

Result<EtcdV3Lease> decode_v3_kept_lease(std::string_view line) {
  const auto json = parse_json(line);
  if (!json) return not_as_expected("is not JSON", line);
  if (field_at(*json, "error")) return fail(decode_v3_error(line));
  const auto* result = object_at(*json, "result");
  if (!result) return not_as_expected("has no \"result\"", line);
  return lease_of(*result, line);
}

Result<EtcdV3Txn> decode_v3_txn(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  const auto position = position_of(*json);
  if (!position) return not_as_expected("has no \"header\"", body);
  EtcdV3Txn txn{true_at(*json, "succeeded"), position->index, {}};
  const auto* responses = array_at(*json, "responses");
  if (!responses) return txn;
  for (const auto& response : responses->GetArray()) {
    const auto* range = object_at(response, "response_range");
    if (!range) continue;
    const auto* kvs = array_at(*range, "kvs");
    txn.found.emplace_back();
    if (!kvs || kvs->Empty()) continue;
    txn.found.back() = value_of((*kvs)[0]);
    if (!txn.found.back()) return not_as_expected("has a value that is not base64", body);
  }
  return txn;
}

Result<std::string> decode_v3_token(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return fail(decode_v3_error(body));
  if (message_of(error_in(*json)).ends_with("authentication is not enabled")) return "";
  const auto token = string_at(*json, "token");
  if (!token) return fail(decode_v3_error(body));
  if (token->empty() || !is_plain_word(*token)) return fail("etcd's token is not one word");
  return std::string(*token);
}

bool v3_refuses_token(std::string_view body) {
  constexpr std::uint64_t kUnauthenticated = 16;
  const auto json = parse_json(body);
  if (!json) return false;
  const auto& error = error_in(*json);
  const auto message = message_of(error);
  return uint_at(error, "code") == kUnauthenticated || message.ends_with("invalid auth token") ||
         message.ends_with("revision of auth store is old") ||
         message.ends_with("user name is empty");
}

std::string decode_v3_error(std::string_view body) {
  if (body.starts_with("CommonName of client"))
    return "an etcd with authentication takes no client certificate with a CommonName at its JSON "
           "gateway: one without is needed";
  const auto json = parse_json(body);
  const auto message = json ? message_of(error_in(*json)) : "";
  return message.empty() ? quoted(body, 200) : "etcd says " + quoted(message, 200);
}

}  // namespace ambbpf
