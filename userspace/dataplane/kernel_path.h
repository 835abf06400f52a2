// SPDX-License-Identifier: Apache-2.0
// The kernel program and its maps: one set per thread, so nothing here is shared between threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bpf/stream_relay.h"
#include "userspace/support/libbpf.h"
#include "userspace/support/result.h"

struct stream_relay;  // the skeleton that bpftool makes of bpf/stream_relay.bpf.c

namespace ambbpf {

struct DestroySkeleton {
  void operator()(stream_relay* program) const;
};

using Slot = std::uint32_t;

// The place of one connection's two sockets in the maps.
struct SlotPair {
  Slot client = 0;
  Slot backend = 0;
  std::uint64_t client_cookie = 0;
  std::uint64_t backend_cookie = 0;
  // Both sockets are in the map. Otherwise only the client's is: it cannot be taken out without
  // losing what was passed meanwhile, so the connection stays in user space with its gates shut.
  bool whole = false;
};

class KernelPath {
 public:
  // Called with each slot whose bytes user space has to move again.
  using TakenBack = std::function<void(Slot)>;

  // Loads the program and attaches it. `slots`: two for each connection; `ring_bytes`: of the ring
  // of events, 0 for one with room for all slots. Needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (or
  // CAP_SYS_ADMIN on kernels before 5.8).
  static Result<std::unique_ptr<KernelPath>> load(std::uint32_t slots, std::uint32_t ring_bytes,
                                                  TakenBack taken_back);
  ~KernelPath();

  // What this binary would load.
  static std::vector<KernelProgram> carried();

  // Puts an established connection's sockets under the program's verdict, gates shut. No segment
  // may have been read in part: the program would pass the whole of it once more. Refused by the
  // kernel (EOPNOTSUPP) once a peer has sent its FIN, and when the slots are used up (ENOSPC).
  Result<SlotPair> enter(int client, int backend);

  // To be called after both sockets have been closed: a verdict still under way ends before close()
  // returns, and then nobody knows the slots any more.
  void leave(const SlotPair& pair);

  // The direction that starts at `slot`. Each field has one writer (bpf/stream_relay.h): user space
  // reads and writes through load_shared() and store_shared().
  flow& flow_at(Slot slot) { return flows_[slot]; }

  // Readable when there is something for the callback; read_events() then calls it.
  int event_fd() const;
  void read_events();

  // How many events the ring had no room for. After a change every parked direction is looked at.
  std::uint64_t lost_events() const;

  // What the program has redirected in all, up to now. Any thread may call these.
  std::uint64_t redirected_to_backends() const { return redirected_in_all(0); }
  std::uint64_t redirected_to_clients() const { return redirected_in_all(1); }
  std::uint64_t segments() const;

 private:
  KernelPath(std::uint32_t slots, std::uint32_t ring_bytes, TakenBack taken_back);
  Result<void> load_program();
  Result<void> attach_program();
  Result<void> share_flows();
  Result<void> open_ring();
  Result<std::uint64_t> name_slot(int socket, Slot slot, Slot peer, bool to_client);
  std::uint64_t redirected_in_all(std::size_t to_client) const;
  Result<void> put_under_verdict(int socket, Slot slot);
  static int on_event(void* self, void* event, std::size_t size);

  std::unique_ptr<stream_relay, DestroySkeleton> program_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  std::span<flow> flows_;  // shared with the kernel
  std::uint32_t slots_;
  std::uint32_t ring_bytes_;
  std::vector<Slot> free_slots_;
  TakenBack taken_back_;
};

}  // namespace ambbpf
