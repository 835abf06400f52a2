// SPDX-License-Identifier: Apache-2.0
// The first bytes of a connection, of which a client may make anything.
#include "userspace/proxy/proxy_header.h"

#include "tests/fuzz/require.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::fuzz {
namespace {

using Found = ProxyParse::Found;

bool same(const ProxyHeader& a, const ProxyHeader& b) {
  if (a.addresses.has_value() != b.addresses.has_value()) return false;
  return !a.addresses ||
         (a.addresses->client == b.addresses->client && a.addresses->server == b.addresses->server);
}

void written_again(const ProxyHeader& header) {
  for (const auto version : {ProxyVersion::kOne, ProxyVersion::kTwo}) {
    const auto text = write_proxy_header(version, header);
    const auto again = parse_proxy_header(text);
    require(again.found == Found::kHeader && again.size == text.size(), "what is written is whole");
    require(same(again.header, header), "… and says the same");
  }
}

void first_bytes(std::string_view bytes) {
  const auto parsed = parse_proxy_header(bytes);
  require((parsed.found == Found::kMalformed) == !parsed.why.empty(), "what is wrong is told");
  if (parsed.found == Found::kBeginning)
    require(parsed.size > bytes.size() && parsed.size <= kLongestProxyHeader,
            "what is needed is more, and not too much");
  if (parsed.found != Found::kHeader) return;
  require(parsed.size <= bytes.size(), "a header is among the bytes");
  const auto alone = parse_proxy_header(bytes.substr(0, parsed.size));
  require(alone.found == Found::kHeader && same(alone.header, parsed.header),
          "what follows does not matter");
  require(parse_proxy_header(bytes.substr(0, parsed.size - 1)).found == Found::kBeginning,
          "a byte less is a beginning");
  written_again(parsed.header);
}

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ambbpf::fuzz::first_bytes(ambbpf::fuzz::as_text(data, size));
  return 0;
}
