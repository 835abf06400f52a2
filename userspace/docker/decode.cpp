// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "userspace/docker/signal.h"
#include "userspace/support/json.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using Kind = DockerEvent::Kind;

constexpr std::uint64_t kNanoseconds = 1'000'000'000;

tl::unexpected<Error> not_as_expected(std::string_view what, std::string_view body) {
  return fail(fmt::format("{} {}", quoted(body), what));
}

std::optional<DockerApiVersion> version_at(const JsonValue& json, const char* name) {
  const auto text = string_at(json, name);
  return text ? parse_docker_api_version(*text) : std::nullopt;
}

// The version that follows `words`, wherever they stand.
std::optional<DockerApiVersion> version_after(std::string_view text, std::string_view words) {
  const auto found = text.find(words);
  if (found == std::string_view::npos) return std::nullopt;
  text.remove_prefix(found + words.size());
  text = text.substr(0, text.find_first_not_of("0123456789."));
  while (text.ends_with('.')) text.remove_suffix(1);
  return parse_docker_api_version(text);
}

std::string_view message_in(const std::optional<JsonDocument>& json, std::string_view body) {
  return json ? string_at(*json, "message").value_or(body) : body;
}

Kind kind_of_container_event(std::string_view action) {
  if (action == "kill") return Kind::kKill;
  if (action == "die") return Kind::kDie;
  constexpr std::array<std::string_view, 6> kChanges{"start",   "stop",   "pause",
                                                     "unpause", "rename", "destroy"};
  const bool change = std::find(kChanges.begin(), kChanges.end(), action) != kChanges.end();
  return change || action.starts_with("health_status") ? Kind::kChange : Kind::kOther;
}

// Engines before 1.10 have neither Type nor Actor, and those from API 1.52 on nothing else.
void take_container_event(const JsonValue& json, const JsonValue* actor, DockerEvent& event) {
  auto action = string_at(json, "Action");
  if (!action) action = string_at(json, "status");
  auto id = actor ? string_at(*actor, "ID") : std::nullopt;
  if (!id) id = string_at(json, "id");
  if (!action || !id) return;
  event.kind = kind_of_container_event(*action);
  event.action = *action;
  event.id = *id;
  const auto* attributes = actor ? object_at(*actor, "Attributes") : nullptr;
  const auto signal = attributes ? string_at(*attributes, "signal") : std::nullopt;
  if (event.kind == Kind::kKill && signal) event.signal = signal_number(*signal).value_or(0);
}

void take_network_event(const JsonValue& json, const JsonValue* actor, DockerEvent& event) {
  const auto action = string_at(json, "Action").value_or("");
  const auto* attributes = actor ? object_at(*actor, "Attributes") : nullptr;
  if (!attributes || (action != "connect" && action != "disconnect")) return;
  event.kind = Kind::kNetwork;
  event.action = fmt::format("network {}", action);
  event.id = string_at(*attributes, "container").value_or("");
}

std::int64_t time_of(const JsonValue& json) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  auto time = uint_at(json, "timeNano");
  if (!time)
    time = std::min(uint_at(json, "time").value_or(0), kMost / kNanoseconds) * kNanoseconds;
  return static_cast<std::int64_t>(std::min(*time, kMost));
}

}  // namespace

std::optional<DockerApiVersion> parse_docker_api_version(std::string_view text) {
  DockerApiVersion version;
  const char* end = text.data() + text.size();
  const auto [dot, bad_major] = std::from_chars(text.data(), end, version.major);
  if (bad_major != std::errc{} || dot == end || *dot != '.') return std::nullopt;
  const auto [rest, bad_minor] = std::from_chars(dot + 1, end, version.minor);
  if (bad_minor != std::errc{} || rest != end) return std::nullopt;
  return version;
}

std::string to_string(DockerApiVersion version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

Result<DockerApiRange> decode_docker_version(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return not_as_expected("is not JSON", body);
  const auto highest = version_at(*json, "ApiVersion");
  if (!highest) return not_as_expected("has no \"ApiVersion\"", body);
  return DockerApiRange{version_at(*json, "MinAPIVersion").value_or(DockerApiVersion{1, 0}),
                        *highest};
}

std::optional<DockerApiVersion> decode_docker_other_version(std::string_view body) {
  const auto json = parse_json(body);
  const auto message = message_in(json, body);
  if (const auto lowest = version_after(message, "Minimum supported API version is "))
    return lowest;
  return version_after(message, "Maximum supported API version is ");
}

std::string decode_docker_error(std::string_view body) {
  const auto json = parse_json(body);
  auto message = message_in(json, body);
  while (message.ends_with('\n')) message.remove_suffix(1);
  return quoted(message, 200);
}

Result<std::string> decode_docker_host_name(std::string_view body) {
  const auto json = parse_json(body);
  const auto name = json ? string_at(*json, "Name") : std::nullopt;
  if (!name) return not_as_expected("has no \"Name\"", body);
  return std::string(*name);
}

Result<std::vector<std::string>> decode_docker_list(std::string_view body) {
  const auto json = parse_json(body);
  if (!json || !json->IsArray()) return not_as_expected("is not a list", body);
  std::vector<std::string> ids;
  for (const auto& container : json->GetArray()) {
    const auto id = string_at(container, "Id").value_or("");
    if (!is_container_id(id)) return not_as_expected("has a container without \"Id\"", body);
    ids.emplace_back(id);
  }
  return ids;
}

Result<DockerEvent> decode_docker_event(std::string_view body) {
  const auto json = parse_json(body);
  if (!json || !json->IsObject()) return not_as_expected("is not an event", body);
  DockerEvent event;
  const auto type = string_at(*json, "Type").value_or("container");
  const auto* actor = object_at(*json, "Actor");
  if (type == "container") take_container_event(*json, actor, event);
  if (type == "network") take_network_event(*json, actor, event);
  if (event.kind == Kind::kOther || !is_container_id(event.id)) return DockerEvent{};
  event.time_nano = time_of(*json);
  return event;
}

bool is_container_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace ambbpf
