// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_connect.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "tests/support/must.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::test {
namespace {

// io_uring_setup(2): the rings are memory that the kernel shares.
template <class T>
T* map_ring(int ring, std::size_t size, off_t which) {
  void* memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, which);
  must(memory != MAP_FAILED, "map a ring");
  return static_cast<T*>(memory);
}

}  // namespace

int connect_by_ring(int socket, const tcp::endpoint& address) {
  io_uring_params params{};
  const UniqueFd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &params)));
  if (!ring) return -errno;
  auto* submissions = map_ring<char>(
      ring.get(), params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
  auto* completions =
      map_ring<char>(ring.get(), params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe),
                     IORING_OFF_CQ_RING);
  auto* entries =
      map_ring<io_uring_sqe>(ring.get(), params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
  entries[0] = {};
  entries[0].opcode = IORING_OP_CONNECT;
  entries[0].fd = socket;
  entries[0].addr = reinterpret_cast<std::uintptr_t>(address.data());
  entries[0].off = address.size();
  *reinterpret_cast<unsigned*>(submissions + params.sq_off.array) = 0;
  auto* tail = reinterpret_cast<unsigned*>(submissions + params.sq_off.tail);
  __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
  must(::syscall(SYS_io_uring_enter, ring.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) == 1,
       "io_uring_enter");
  return reinterpret_cast<const io_uring_cqe*>(completions + params.cq_off.cqes)[0].res;
}

}  // namespace ambbpf::test
