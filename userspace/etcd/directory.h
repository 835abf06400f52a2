// SPDX-License-Identifier: Apache-2.0
// Where a service's keys stand.
#pragma once

#include <string>
#include <string_view>

namespace ambbpf {

// "/services" and "web" make "/services/web"; doubled and trailing slashes are dropped.
std::string etcd_directory(std::string_view prefix, std::string_view service);

}  // namespace ambbpf
