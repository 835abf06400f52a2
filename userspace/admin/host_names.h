// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ambbpf {

// Whether the Host field of a request ("node1:9110") can be meant for this process: an address,
// localhost, or one of `names`. A page of another site that has its name resolve to us (DNS
// rebinding) sends that name.
bool is_ours(std::string_view host, const std::vector<std::string>& names);

}  // namespace ambbpf
