// SPDX-License-Identifier: Apache-2.0
// Bodies and watch lines of both etcd APIs, down to a service's endpoints.
#include <string>
#include <vector>

#include "tests/fuzz/require.h"
#include "userspace/discovery/service_keys.h"
#include "userspace/etcd/base64.h"
#include "userspace/etcd/client.h"
#include "userspace/etcd/v2_decode.h"
#include "userspace/etcd/v3_decode.h"
#include "userspace/etcd/v3_encode.h"
#include "userspace/http/url.h"
#include "userspace/support/json.h"
#include "userspace/support/log.h"

namespace ambbpf::fuzz {
namespace {

constexpr const char* kDirectory = "/services/web";

const FollowedName::State* nothing_known(std::string_view) { return nullptr; }

void require_sane(const ServiceKeys& keys) {
  for (const auto& endpoint : keys.endpoints(nothing_known))
    require(endpoint.address.port() != 0 && is_plain(endpoint.found_as), "a usable endpoint");
  for (const auto name : keys.names()) require(is_plain(name), "a plain name");
  for (const auto& value : keys.rejected())
    require(is_plain(value.key) && is_plain(value.reason), "a plain reason");
}

template <class T>
bool succeeded(const Result<T>& result) {
  require(result || is_plain(result.error().message()), "a plain error");
  return result.has_value();
}

void list(ServiceKeys& keys, const std::vector<EtcdKey>& listing) {
  keys.replace(listing);
  require_sane(keys);
  const auto endpoints = keys.endpoints(nothing_known);
  keys.replace(listing);
  require(keys.endpoints(nothing_known) == endpoints, "the same listing gives the same endpoints");
}

void change(ServiceKeys& keys, const EtcdChange& change) {
  const auto endpoints = keys.endpoints(nothing_known);
  const bool own = keys.apply(change);
  require_sane(keys);
  require(own || keys.endpoints(nothing_known) == endpoints,
          "what is of another service changes nothing");
}

void v2(std::string_view body) {
  ServiceKeys keys(kDirectory);
  if (const auto error = decode_v2_error(body)) require(is_plain(error->text), "a plain error");
  const auto listing = decode_v2_listing(body);
  if (succeeded(listing)) list(keys, *listing);
  const auto event = decode_v2_event(body);
  if (succeeded(event)) change(keys, event->change);
  (void)succeeded(decode_v2_node(body));
  require(!v2_can_refresh(body) || parse_json(body), "only JSON can tell of a refresh");
}

void v3(std::string_view body) {
  ServiceKeys keys(kDirectory);
  require(is_plain(decode_v3_error(body)), "a plain error");
  const auto listing = decode_v3_listing(body);
  if (succeeded(listing)) list(keys, listing->keys);
  const auto token = decode_v3_token(body);
  require(!succeeded(token) || is_plain(*token), "a token that fits into a header field");
  v3_refuses_token(body);
  for (const auto& lease : {decode_v3_lease(body), decode_v3_kept_lease(body)})
    require(!succeeded(lease) || lease->ttl.count() >= 0, "a lease lasts");
  const auto mortal = decode_v3_mortal_keys(body);
  require(!succeeded(mortal) || mortal->size() <= body.size(), "as many keys as were told");
  const auto txn = decode_v3_txn(body);
  require(!succeeded(txn) || txn->found.size() <= body.size(), "as many values as were told");
  const auto watched = decode_v3_watched(body);
  if (!succeeded(watched)) return;
  require(is_plain(watched->canceled), "a plain reason");
  require(watched->canceled.empty() || watched->changes.empty(), "an end brings no news");
  for (const auto& one : watched->changes) {
    require(!one.key.empty(), "a change has a key");
    change(keys, one);
  }
}

// Whatever a key or a value holds, it ends up as one string.
void requests(std::string_view bytes) {
  const std::vector<std::string> keys{std::string(bytes), "/a"};
  for (const auto& request :
       {encode_v3_put(bytes, bytes, 7, false), encode_v3_put(bytes, bytes, 7, true),
        encode_v3_remove(bytes, bytes.size()), encode_v3_read(keys)}) {
    const auto json = parse_json(request);
    require(json && array_at(*json, "success"), "a transaction is JSON");
  }
  for (const char c : url_encode(bytes))
    require(is_plain({&c, 1}) && std::string_view(" &=?#+").find(c) == std::string_view::npos,
            "an encoded value stays within its parameter");
}

void base64(std::string_view bytes) {
  const auto text = base64_encode(bytes);
  require(base64_decode(text) == bytes, "base64_decode(base64_encode(bytes)) is the bytes");
  if (const auto decoded = base64_decode(bytes))
    require(base64_encode(*decoded).size() == bytes.size(), "base64 grows by a third");
  const auto request = parse_json(encode_v3_watch(bytes, bytes.size()));
  const auto* create = request ? object_at(*request, "create_request") : nullptr;
  require(create && string_at(*create, "key") == base64_encode(std::string(bytes) + '/') &&
              uint_at(*create, "start_revision") == bytes.size(),
          "a watch request says what it was asked");
  const auto login = parse_json(encode_v3_authenticate({"name", std::string(bytes)}));
  require(login && string_at(*login, "password") == bytes, "an authentication says the password");
  requests(bytes);
}

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  ambbpf::log::set_up("error");  // a rejected value is a warning
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = ambbpf::fuzz::as_text(data, size);
  if (ambbpf::parse_json(input))
    ambbpf::fuzz::require(input.find('\0') == input.npos, "no NUL is in JSON");
  ambbpf::fuzz::v2(input);
  ambbpf::fuzz::v3(input);
  ambbpf::fuzz::base64(input);
  return 0;
}
