// SPDX-License-Identifier: Apache-2.0
// What all who load kernel programs need beside libbpf.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "userspace/support/result.h"

namespace ambbpf {

// libbpf explains a refusal in many lines of its own; they are for `--log-level debug`. To be
// called before libbpf is; again does no harm.
void log_libbpf_at_debug();

struct KernelProgram {
  std::string name;
  std::string section;  // says what it is attached to: "cgroup/connect4"
};

// Of the object that a skeleton carries; asks nothing of the kernel.
std::vector<KernelProgram> kernel_programs_in(const void* object, std::size_t size);

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

// The memory of an array map with BPF_F_MMAPABLE and `entries` of `Value`, which takes whole 8
// bytes. To be given back by unshare_map().
template <class Value>
Result<std::span<Value>> share_map(const bpf_map* map, std::uint32_t entries) {
  static_assert(sizeof(Value) % 8 == 0, "an array map has whole 8 bytes for each");
  void* memory = ::mmap(nullptr, entries * sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED,
                        bpf_map__fd(map), 0);
  if (memory == MAP_FAILED)
    return fail_errno(std::string("map ") + bpf_map__name(map) + " into memory");
  return std::span<Value>(static_cast<Value*>(memory), entries);
}

template <class Value>
void unshare_map(std::span<Value> values) {
  if (!values.empty()) ::munmap(values.data(), values.size_bytes());
}

// A field that the kernel program writes while we read, or reads while we write.
template <class T>
T load_shared(T& field) {
  return __atomic_load_n(&field, __ATOMIC_SEQ_CST);
}
template <class T>
void store_shared(T& field, T value) {
  __atomic_store_n(&field, value, __ATOMIC_SEQ_CST);
}

}  // namespace ambbpf
