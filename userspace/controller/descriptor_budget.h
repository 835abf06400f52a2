// SPDX-License-Identifier: Apache-2.0
// Who may have which of the process's file descriptors, so that no flood of connections takes them
// from the admin socket, the sources, or from accepting at all.
#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>

namespace ambbpf {

struct DescriptorBudget {
  int connections_below;  // the numbers of their sockets; what is above is kept back
  int pipes_below;        // they make copying cheaper, and leave a quarter to connections
};

// Takes what the hard limit allows. Returns the limit.
rlim_t raise_descriptor_limit();

DescriptorBudget divide_descriptors(rlim_t limit);

// How many connections one service may have open, two descriptors each, where `in_use` descriptors
// are taken already: all that there can be, but half of them where there are several services. So
// one that runs wild leaves as many to the others.
std::uint64_t connections_for_each(const DescriptorBudget& budget, int in_use,
                                   std::size_t services);

// By the lowest number that is free.
int descriptors_in_use();

}  // namespace ambbpf
