// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v2_decode.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "userspace/etcd/failure.h"
#include "userspace/support/json.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

bool is_removal(std::string_view action) {
  return action == "delete" || action == "expire" || action == "compareAndDelete";
}

// "2.3.8", "3.4.0"; {0, 0} for anything else.
std::pair<int, int> major_and_minor(std::string_view version) {
  std::pair<int, int> numbers{0, 0};
  const char* end = version.data() + version.size();
  const auto [dot, error] = std::from_chars(version.data(), end, numbers.first);
  if (error != std::errc{} || dot == end || *dot != '.') return {0, 0};
  if (std::from_chars(dot + 1, end, numbers.second).ec != std::errc{}) return {0, 0};
  return numbers;
}

}  // namespace

std::optional<EtcdV2Error> decode_v2_error(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return std::nullopt;
  const auto code = uint_at(*json, "errorCode");
  if (!code) return std::nullopt;
  const auto message = string_at(*json, "message").value_or("");
  const auto cause = string_at(*json, "cause").value_or("");
  return EtcdV2Error{*code,
                     fmt::format("etcd says {} {} ({})", *code, printable(message.substr(0, 200)),
                                 printable(cause.substr(0, 200)))};
}

Result<std::vector<EtcdKey>> decode_v2_listing(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  const auto* directory = object_at(*json, "node");
  if (!directory) return not_as_expected("has no \"node\"", body);
  std::vector<EtcdKey> keys;
  for (std::vector<const JsonValue*> left{directory}; !left.empty();) {
    const auto* nodes = array_at(*left.back(), "nodes");
    left.pop_back();
    if (!nodes) continue;  // an empty directory, or a key where a directory was expected
    for (const auto& node : nodes->GetArray()) {
      const auto key = string_at(node, "key");
      if (!key) return not_as_expected("has a node without \"key\"", body);
      if (true_at(node, "dir"))
        left.push_back(&node);
      else
        keys.push_back({std::string(*key), std::string(string_at(node, "value").value_or(""))});
    }
  }
  return keys;
}

Result<EtcdV2Event> decode_v2_event(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  const auto action = string_at(*json, "action");
  const auto* node = object_at(*json, "node");
  if (!action || !node) return not_as_expected("is not an event", body);
  const auto key = string_at(*node, "key");
  const auto index = uint_at(*node, "modifiedIndex");
  if (!key || !index) return not_as_expected("has no \"key\" or \"modifiedIndex\"", body);
  EtcdV2Event event{{std::string(*key), std::nullopt, false, *index}, *index};
  if (is_removal(*action)) return event;
  event.change.only_itself = true_at(*node, "dir");
  if (!event.change.only_itself) event.change.value = string_at(*node, "value").value_or("");
  return event;
}

Result<EtcdV2Node> decode_v2_node(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  const auto* node = object_at(*json, "node");
  const auto index = node ? uint_at(*node, "modifiedIndex") : std::nullopt;
  if (!index) return not_as_expected("has no \"node\" with \"modifiedIndex\"", body);
  if (true_at(*node, "dir")) return not_as_expected("is a directory", body);
  return EtcdV2Node{std::string(string_at(*node, "value").value_or("")), *index};
}

Result<std::vector<OwnKey>> decode_v2_mortal_keys(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  const auto* node = object_at(*json, "node");
  if (!node) return not_as_expected("has no \"node\"", body);
  std::vector<OwnKey> keys;
  std::vector<const JsonValue*> ahead{node};  // depth costs no stack
  while (!ahead.empty()) {
    const auto& next = *ahead.back();
    ahead.pop_back();
    if (const auto* nodes = array_at(next, "nodes"))
      for (const auto& child : nodes->GetArray()) ahead.push_back(&child);
    const auto key = string_at(next, "key");
    const auto value = string_at(next, "value");
    const auto index = uint_at(next, "modifiedIndex");
    if (key && value && index && uint_at(next, "ttl"))
      keys.push_back({std::string(*key), std::string(*value), *index});
  }
  return keys;
}

// 0.4 answers "etcd 0.4.6", 2.0 has other names; both versions, since in a mixed cluster each
// member carries out the request by itself.
bool v2_can_refresh(std::string_view version) {
  const auto json = parse_json(version);
  if (!json) return false;
  constexpr std::pair kFirst{2, 3};
  return major_and_minor(string_at(*json, "etcdserver").value_or("")) >= kFirst &&
         major_and_minor(string_at(*json, "etcdcluster").value_or("")) >= kFirst;
}

}  // namespace ambbpf
