// SPDX-License-Identifier: Apache-2.0
// What a process and the kernel hold, as /proc tells it. All sizes are bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace ambbpf::test {

struct HeldMemory {
  // Of the process alone.
  std::int64_t user = 0;         // memory that it shares with nobody (proc(5), smaps_rollup)
  std::int64_t descriptors = 0;  // a number
  std::int64_t pipes = 0;        // a number: their ends among the descriptors
  // Of the whole machine: other processes show as well.
  std::int64_t tcp = 0;        // what TCP accounts to its sockets' buffers (/proc/net/sockstat)
  std::int64_t slab = 0;       // the kernel's objects, such as sockets
  std::int64_t available = 0;  // MemAvailable, which everything is taken from

  static HeldMemory of(pid_t process);
};

HeldMemory operator-(const HeldMemory& after, const HeldMemory& before);

// The largest send buffer that the kernel gives a socket by itself (net.ipv4.tcp_wmem).
std::int64_t largest_send_buffer();
std::int64_t largest_receive_buffer();  // … tcp_rmem
// What all TCP of the machine may use before the kernel shrinks buffers (net.ipv4.tcp_mem).
std::int64_t tcp_memory_pressure();

}  // namespace ambbpf::test
