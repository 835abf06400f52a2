// SPDX-License-Identifier: Apache-2.0
#include "userspace/registration/published_address.h"

#include <fmt/format.h>

#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// How well a binding serves those who come from other machines; the highest is taken.
enum class Fit {
  kNone,
  kEveryAddressOfTheOtherFamily,  // nothing says under which address of that family
  kLoopback,
  kOtherFamily,
  kOtherAddress,
  kEveryAddress,
  kAdvertised,
};

// An empty host address is every one of IPv4: so wrote engines before 1.0 and does the API's user.
asio::ip::address host_address(const PortBinding& binding) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(binding.host_ip, error);
  return error ? asio::ip::address_v4::any() : address;
}

Fit fit(const asio::ip::address& published, const asio::ip::address& advertised) {
  if (published == advertised) return Fit::kAdvertised;
  const bool same_family = published.is_v4() == advertised.is_v4();
  if (published.is_unspecified())
    return same_family ? Fit::kEveryAddress : Fit::kEveryAddressOfTheOtherFamily;
  if (published.is_loopback())
    return advertised.is_loopback() ? Fit::kOtherAddress : Fit::kLoopback;
  return same_family ? Fit::kOtherAddress : Fit::kOtherFamily;
}

Result<tcp::endpoint> best_of(const std::vector<PortBinding>& bindings, unsigned short port,
                              const asio::ip::address& advertised) {
  auto best = Fit::kNone;
  tcp::endpoint endpoint;
  for (const auto& binding : bindings) {
    const auto published = host_address(binding);
    const auto this_fit = fit(published, advertised);
    if (this_fit <= best) continue;
    best = this_fit;
    endpoint = {published.is_unspecified() ? advertised : published, binding.host_port};
  }
  if (best == Fit::kNone) return fail(fmt::format("port {} is not published", port));
  if (best == Fit::kLoopback)
    return fail(fmt::format("port {} is published on loopback only", port));
  if (best == Fit::kEveryAddressOfTheOtherFamily)
    return fail(fmt::format("port {} is published for IPv{} only, and {} is advertised", port,
                            advertised.is_v4() ? 6 : 4, advertised.to_string()));
  return endpoint;
}

}  // namespace

Result<tcp::endpoint> published_address(const Containers& containers, const Container& container,
                                        unsigned short port, const asio::ip::address& advertised) {
  const auto* owner = network_owner(containers, container);
  if (!owner) return fail("the container whose network it shares is gone");
  if (owner != &container && owner->state == Container::State::kAway)
    return fail(
        fmt::format("container {}, whose network it shares, does not run", printable(owner->name)));
  if (owner->network_mode == "host") return tcp::endpoint(advertised, port);
  const auto bindings = owner->ports.find(port);
  if (bindings == owner->ports.end()) return fail(fmt::format("port {} is not published", port));
  return best_of(bindings->second, port, advertised);
}

}  // namespace ambbpf
