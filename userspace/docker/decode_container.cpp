// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/decode_container.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "userspace/docker/decode.h"
#include "userspace/docker/signal.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/support/json.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

Container::State decode_state(const JsonValue& state) {
  // A container that waits for its restart policy is Running and Restarting.
  if (!true_at(state, "Running") || true_at(state, "Restarting") || true_at(state, "Dead"))
    return Container::State::kAway;
  return true_at(state, "Paused") ? Container::State::kPaused : Container::State::kRunning;
}

Container::Health decode_health(const JsonValue& state) {
  const auto* health = object_at(state, "Health");
  const auto status = health ? string_at(*health, "Status").value_or("") : "";
  if (status.empty() || status == "none") return Container::Health::kNone;
  if (status == "starting") return Container::Health::kStarting;
  return status == "healthy" ? Container::Health::kHealthy : Container::Health::kUnhealthy;
}

// "80/tcp"
std::optional<unsigned short> tcp_port(std::string_view text) {
  constexpr std::string_view kTcp = "/tcp";
  if (!text.ends_with(kTcp)) return std::nullopt;
  const auto port = parse_port(text.substr(0, text.size() - kTcp.size()));
  return port ? std::optional(*port) : std::nullopt;
}

std::string_view name_of(const JsonValue::Member& field) { return *as_string(field.name); }

void take_exposed(const JsonValue& config, Container& container) {
  const auto* exposed = object_at(config, "ExposedPorts");
  if (!exposed) return;
  for (const auto& field : exposed->GetObject())
    if (const auto port = tcp_port(name_of(field))) container.ports[*port];
}

void take_published(const JsonValue& network_settings, Container& container) {
  const auto* ports = object_at(network_settings, "Ports");
  if (!ports) return;
  for (const auto& field : ports->GetObject()) {
    const auto port = tcp_port(name_of(field));
    if (!port) continue;
    auto& bindings = container.ports[*port];
    if (!field.value.IsArray()) continue;  // null: exposed only
    for (const auto& binding : field.value.GetArray()) {
      const auto host_port = parse_port(string_at(binding, "HostPort").value_or(""));
      if (host_port)
        bindings.push_back({std::string(string_at(binding, "HostIp").value_or("")), *host_port});
    }
  }
}

void take_address(const JsonValue& network, const char* name, Container& container) {
  const auto text = string_at(network, name).value_or("");
  // Asio reads up to the first NUL, and takes anything for a zone.
  if (text.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(text, error);
  if (!error) container.addresses.push_back(address);
}

void take_addresses_of(const JsonValue& network, Container& container) {
  take_address(network, "IPAddress", container);
  take_address(network, "GlobalIPv6Address", container);
}

// API 1.52 has them by network only, those before 1.21 of the default network only.
void take_addresses(const JsonValue& network_settings, Container& container) {
  const auto* networks = object_at(network_settings, "Networks");
  if (!networks) {
    take_addresses_of(network_settings, container);
    return;
  }
  std::map<std::string_view, const JsonValue*> by_name;
  for (const auto& field : networks->GetObject()) by_name.emplace(name_of(field), &field.value);
  for (const auto& [name, network] : by_name) take_addresses_of(*network, container);
}

void take_labels(const JsonValue& config, Container& container) {
  const auto* labels = object_at(config, "Labels");
  if (!labels) return;
  for (const auto& field : labels->GetObject())
    if (const auto value = as_string(field.value))
      container.labels[std::string(name_of(field))] = *value;
}

void take_environment(const JsonValue& config, Container& container) {
  const auto* environment = array_at(config, "Env");
  if (!environment) return;
  for (const auto& variable : environment->GetArray()) {
    const auto text = as_string(variable).value_or("");
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      container.environment[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
}

void take_config(const JsonValue& config, Container& container) {
  const auto signal = string_at(config, "StopSignal");
  if (signal) container.stop_signal = signal_number(*signal).value_or(container.stop_signal);
  take_labels(config, container);
  take_environment(config, container);
  take_exposed(config, container);
}

// Digits only, so many.
std::optional<int> digits(std::string_view text, std::size_t from, std::size_t count) {
  int number = 0;
  for (const char c : text.substr(std::min(from, text.size()), count)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return from + count <= text.size() ? std::optional(number) : std::nullopt;
}

// ".427852775Z", as many digits as there are.
std::optional<std::int64_t> fraction_nano(std::string_view text) {
  if (!text.ends_with('Z')) return std::nullopt;
  text.remove_suffix(1);
  if (text.empty()) return 0;
  if (text.front() != '.' || text.size() > 10) return std::nullopt;
  std::string padded(text.substr(1));
  padded.resize(9, '0');
  return digits(padded, 0, 9);
}

}  // namespace

std::int64_t decode_docker_time(std::string_view text) {
  constexpr std::size_t kWholeSeconds = 19;  // "2026-11-22T21:45:32"
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return 0;
  const auto nano = fraction_nano(text.substr(kWholeSeconds));
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  constexpr int kLastYear = 2261;  // the last whole one that fits
  if (!nano || !date.ok() || *year < 1970 || *year > kLastYear) return 0;
  const auto time = std::chrono::sys_days(date) + std::chrono::hours(*hour) +
                    std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  return std::chrono::nanoseconds(time.time_since_epoch()).count() + *nano;
}

Result<Container> decode_docker_container(std::string_view body) {
  const auto json = parse_json(body);
  const auto id = json ? string_at(*json, "Id").value_or("") : "";
  if (!is_container_id(id)) return fail(fmt::format("{} has no container's \"Id\"", quoted(body)));
  Container container;
  container.id = id;
  auto name = string_at(*json, "Name").value_or("");
  if (name.starts_with('/')) name.remove_prefix(1);
  container.name = name;
  if (const auto* state = object_at(*json, "State")) {
    container.state = decode_state(*state);
    container.health = decode_health(*state);
    container.started_at = decode_docker_time(string_at(*state, "StartedAt").value_or(""));
  }
  if (const auto* config = object_at(*json, "Config")) take_config(*config, container);
  if (const auto* host_config = object_at(*json, "HostConfig"))
    container.network_mode = string_at(*host_config, "NetworkMode").value_or("");
  if (const auto* network_settings = object_at(*json, "NetworkSettings")) {
    take_published(*network_settings, container);
    take_addresses(*network_settings, container);
  }
  return container;
}

}  // namespace ambbpf
