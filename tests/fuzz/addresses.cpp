// SPDX-License-Identifier: Apache-2.0
// Texts that name addresses: endpoint values, which anybody may write into etcd, and addresses,
// ports and URLs of the command line and the environment.
#include <string>

#include "tests/fuzz/require.h"
#include "userspace/discovery/name_source.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/endpoints/endpoint_value.h"
#include "userspace/etcd/url.h"
#include "userspace/support/quote.h"

namespace ambbpf::fuzz {
namespace {

void require_round_trip(const tcp::endpoint& address) {
  require(address.port() != 0, "an address has a port");
  const auto again = parse_address(to_string(address));
  require(again && *again == address, "parse_address(to_string(address)) is the address");
}

void endpoint_value(std::string_view value) {
  const auto decoded = decode_endpoint_value(value);
  if (!decoded) return require(is_plain(decoded.error().message()), "a plain reason");
  if (!decoded->name.empty()) return require(is_plain(decoded->name), "a plain name");
  const auto* address = &decoded->address;
  require(!address->address().is_unspecified() && !address->address().is_multicast(),
          "an address of one host");
  require_round_trip(*address);
  const auto again = decode_endpoint_value(to_string(*address));
  require(again && again->address == *address, "a decoded value, written plainly, means the same");
}

void urls(const Result<std::vector<std::string>>& urls) {
  if (!urls) return;
  require(!urls->empty(), "a list of URLs has one");
  for (const auto& url : *urls) {
    require(is_plain(url), "a plain URL");
    const auto again = parse_etcd_urls(url);
    require(again && again->size() == 1 && again->front() == url, "a parsed URL stays as it is");
  }
}

// The first line is the address of Docker's link, the second its port.
void docker_link(const std::string& text) {
  const auto line_end = std::min(text.find('\n'), text.size());
  const auto address = text.substr(0, line_end);
  const auto port = text.substr(std::min(line_end + 1, text.size()));
  urls(default_etcd_urls([&](std::string_view name) {
    return name.ends_with("_ADDR") ? address.c_str() : port.c_str();
  }));
}

// Words of the command line and the environment: no NUL is in them.
void words(const std::string& text) {
  if (const auto address = parse_address(text)) require_round_trip(*address);
  if (const auto target = parse_host_and_port(text)) {
    require(target->port != 0, "a target has a port");
    require(!target->host.empty() && is_plain(target->host), "a plain host");
  }
  if (const auto port = parse_port(text))
    require(std::stoul(text) == *port, "a port is the number that it reads as");
  urls(parse_etcd_urls(text));
  docker_link(text);
}

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ambbpf;
  const auto input = fuzz::as_text(data, size);
  fuzz::endpoint_value(input);
  fuzz::require(fuzz::is_plain(quoted(input)) && fuzz::is_plain(printable(input)),
                "quotations are plain");
  fuzz::words(std::string(input.substr(0, input.find('\0'))));
  return 0;
}
