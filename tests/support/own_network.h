// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ambbpf::test {

// Takes the calling thread, and the threads and processes that it starts from now on, into a
// network namespace of their own, in which only loopback exists: there its ports are nobody else's,
// and `settings`, names and values below net.ipv4 (tcp(7)), hold. Throws std::system_error where
// that is not permitted.
void enter_own_network(const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace ambbpf::test
