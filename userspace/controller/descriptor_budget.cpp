// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/descriptor_budget.h"

#include <fcntl.h>

#include <algorithm>

#include "userspace/support/unique_fd.h"

namespace ambbpf {

rlim_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

DescriptorBudget divide_descriptors(rlim_t limit) {
  // Clients of the admin socket, and as many for etcd and Docker, which are followed once for all
  // services.
  constexpr rlim_t kForTheProcess = 128;
  const auto all = std::min<rlim_t>(limit, kNoDescriptorLimit);
  const auto kept_back = std::min(all / 4, kForTheProcess);
  const auto connections = static_cast<int>(all - kept_back);
  return {.connections_below = connections, .pipes_below = connections / 4 * 3};
}

std::uint64_t connections_for_each(const DescriptorBudget& budget, int in_use,
                                   std::size_t services) {
  const auto all = std::max(budget.connections_below - in_use, 0) / 2;
  return static_cast<std::uint64_t>(std::max(services > 1 ? all / 2 : all, 1));
}

int descriptors_in_use() {
  const UniqueFd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return std::max(lowest.get(), 0);
}

}  // namespace ambbpf
