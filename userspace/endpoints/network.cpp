// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ambbpf {
namespace {

constexpr int kBitsOfV4 = 32;
constexpr int kBitsOfV6 = 128;

asio::ip::address_v6 as_v6(const asio::ip::address& address) {
  if (address.is_v6()) return address.to_v6();
  return asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(text.substr(0, slash)), error);
  const int bits = address.is_v4() ? kBitsOfV4 : kBitsOfV6;
  int prefix = bits;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, wrong] = std::from_chars(digits.begin(), digits.end(), prefix);
    if (wrong != std::errc() || end != digits.end()) prefix = -1;
  }
  if (error || prefix < 0 || prefix > bits)
    return fail(fmt::format("'{}' is no network, as 10.0.0.0/8 or fd00::/8 is", text));
  const asio::ip::network_v6 network(as_v6(address),
                                     static_cast<unsigned short>(prefix + kBitsOfV6 - bits));
  if (network.network() != as_v6(address))
    return fail(fmt::format(
        "'{}' has bits behind its prefix: did you mean {}/{}?", text,
        address.is_v4()
            ? asio::ip::make_address_v4(asio::ip::v4_mapped, network.network()).to_string()
            : network.network().to_string(),
        prefix));
  return Network(network);
}

bool Network::contains(const asio::ip::address& address) const {
  return asio::ip::network_v6(as_v6(address), network_.prefix_length()).network() ==
         network_.network();
}

bool contain(const std::vector<Network>& networks, const asio::ip::address& address) {
  return std::ranges::any_of(networks,
                             [&](const Network& network) { return network.contains(address); });
}

}  // namespace ambbpf
