// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/endpoint_value.h"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <optional>

#include "userspace/endpoints/endpoint.h"
#include "userspace/support/json.h"
#include "userspace/support/quote.h"
#include "userspace/support/utf8.h"

namespace ambbpf {
namespace {

constexpr std::size_t kLongestValue = 64 * 1024;  // bytes; registrars write some hundred
constexpr std::size_t kMostAttributes = 32;
constexpr std::size_t kLongestAttribute = 256;  // bytes, of a name or a value

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// One of both.
struct Host {
  asio::ip::address address{};
  std::string name{};
};

Result<Host> decode_host(std::string_view host) {
  auto inner = host;
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) inner = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(inner, error);
  // Asio reads up to the first NUL.
  if (!error && inner.find('\0') == std::string_view::npos && (!bracketed || address.is_v6()))
    return Host{.address = address};
  if (is_host_name(host)) return Host{.name = std::string(host)};
  return fail(fmt::format("host {} is neither an IP address nor a name", quoted(host)));
}

Result<unsigned short> decode_port(const JsonValue& object) {
  const auto* port = field_at(object, "port");
  if (!port) return fail("no \"port\"");
  const auto number = as_uint(*port);
  if (number && *number >= 1 && *number <= 65535) return static_cast<unsigned short>(*number);
  if (number) return fail(fmt::format("port {} is not within 1 to 65535", *number));
  if (const auto text = as_string(*port))
    return fail(fmt::format("port {} is not a number", quoted(*text)));
  return fail("\"port\" is not an integer");
}

// Nothing where it is no scalar.
std::optional<std::string> scalar_of(const JsonValue& value) {
  if (const auto text = as_string(value)) return std::string(*text);
  if (!value.IsNumber() && !value.IsBool()) return std::nullopt;
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  value.Accept(out);
  return std::string(buffer.GetString(), buffer.GetSize());
}

EndpointAttributes attributes_of(const JsonValue& object) {
  EndpointAttributes attributes;
  for (const auto& [name, value] : object.GetObject()) {
    if (attributes.size() == kMostAttributes) break;
    std::string key(*as_string(name));
    if (key == "host" || key == "IP" || key == "port" || key.size() > kLongestAttribute) continue;
    auto scalar = scalar_of(value);
    if (!scalar || scalar->size() > kLongestAttribute) continue;
    attributes.emplace_back(std::move(key), std::move(*scalar));
  }
  return attributes;
}

Result<EndpointValue> decode_object(const JsonValue& object) {
  auto host = string_at(object, "host");
  if (!host) host = string_at(object, "IP");
  if (!host) return fail("no \"host\" with an address or a name in it");
  const auto decoded = decode_host(*host);
  if (!decoded) return tl::unexpected(decoded.error());
  const auto port = decode_port(object);
  if (!port) return tl::unexpected(port.error());
  return EndpointValue{tcp::endpoint(decoded->address, *port), attributes_of(object),
                       decoded->name};
}

// "db.example:80"; none: it is no such.
std::optional<EndpointValue> decode_named(std::string_view value) {
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos || !is_host_name(value.substr(0, colon))) return std::nullopt;
  const auto port = parse_port(value.substr(colon + 1));
  if (!port) return std::nullopt;
  return EndpointValue{{tcp::v4(), *port}, {}, std::string(value.substr(0, colon))};
}

Result<EndpointValue> decode_any(std::string_view value) {
  if (value.empty()) return fail("empty value");
  if (value.size() > kLongestValue) return fail(fmt::format("{} bytes are too long", value.size()));
  if (value.front() == '{') {
    const auto json = parse_json(value);
    if (!json) return fail(fmt::format("{} is not JSON", quoted(value)));
    return decode_object(*json);
  }
  const auto plain = value.find('\0') == std::string_view::npos ? parse_address(value) : fail("");
  if (plain) return EndpointValue{*plain, {}};
  if (auto named = decode_named(value)) return std::move(*named);
  return fail(fmt::format("{} is neither a JSON object nor host:port", quoted(value)));
}

void write_string(Writer& out, std::string_view text) {
  const auto valid = valid_utf8(text);  // the writer passes everything on
  out.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
}

// As JSON has integers: no leading zero; and exact in every reader (RFC 8259: below 2^53).
bool is_number(std::string_view text) {
  const bool digits =
      !text.empty() && text.size() <= 15 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && (text.size() == 1 || text.front() != '0');
}

}  // namespace

std::string encode_endpoint_value(const tcp::endpoint& endpoint,
                                  const EndpointAttributes& attributes) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  out.Key("port");
  out.Uint(endpoint.port());
  out.Key("host");
  write_string(out, endpoint.address().to_string());
  for (const auto& [name, value] : attributes) {
    write_string(out, name);
    if (is_number(value))
      out.RawValue(value.data(), value.size(), rapidjson::kNumberType);
    else
      write_string(out, value);
  }
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

Result<EndpointValue> decode_endpoint_value(std::string_view value) {
  auto decoded = decode_any(trimmed(value));
  if (!decoded || !decoded->name.empty()) return decoded;
  decoded->address = unmapped(decoded->address);
  const auto why_not = why_no_backend(decoded->address.address());
  if (why_not.empty()) return decoded;
  return fail(
      fmt::format("{} is no address of a backend: {}", to_string(decoded->address), why_not));
}

}  // namespace ambbpf
