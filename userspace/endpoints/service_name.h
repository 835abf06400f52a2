// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace ambbpf {

// Why `name` cannot be a service's, which is a directory in etcd, or several below each other
// ("team/db"): "has a control character". Empty: it can.
std::string_view why_no_service(std::string_view name);

}  // namespace ambbpf
