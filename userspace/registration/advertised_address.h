// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

struct AdvertisedAddress {
  asio::ip::address address;
  std::string why;  // "it routes to etcd at http://10.0.0.2:2379"
};

// The address under which other machines find this one, when nobody says: the local one that routes
// to an etcd of another machine; with etcd on this machine only, the one of the default route; and
// without that, the one that etcd is reached at. `urls`: as parse_etcd_urls gives them; names are
// resolved. Sends nothing but the resolver's questions.
awaitable<Result<AdvertisedAddress>> find_advertised_address(std::vector<std::string> urls);

}  // namespace ambbpf
