// SPDX-License-Identifier: Apache-2.0
// The kernel programs of bpf/direct_connect.bpf.c, loaded and attached, and their maps.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bpf/direct_connect.h"
#include "userspace/direct/cgroup.h"
#include "userspace/direct/reset.h"
#include "userspace/support/asio.h"
#include "userspace/support/libbpf.h"
#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

struct direct_connect;

namespace ambbpf {

class Pins;

struct DestroyDirectConnect {
  void operator()(direct_connect* programs) const;
};
struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

// An answer speaks for a backend for so long, in ns. Who connects after that goes by the proxy, and
// has it asked again.
inline constexpr std::uint64_t kDirectLiveFor = 10'000'000'000;

// Without a heartbeat for so long, a process is thought to be gone.
inline constexpr std::chrono::seconds kDirectSilentAfter{10};

struct DirectSizes {
  std::uint32_t listeners = 65536;
  std::uint32_t services = 16384;
  std::uint32_t turns = 262144;
  std::uint32_t backends = 32768;
  std::uint32_t exempt = 256;
  std::uint32_t others = 16384;  // what is known of other namespaces, and of single cgroups
};

// For one thread. The programs are gone with *this, if nothing else keeps them; connections live
// on.
class DirectPrograms {
 public:
  using OnEvent = std::function<void(const direct_event& event)>;

  // Attached beside whatever programs others have there (BPF_F_ALLOW_MULTI, by links). `dialled`:
  // the map of another process, pinned as kPinnedDialled, that knows what consumers have dialled.
  static Result<std::unique_ptr<DirectPrograms>> load(const Cgroup& cgroup,
                                                      const DirectSizes& sizes, OnEvent on_event,
                                                      UniqueFd dialled = UniqueFd());
  // What this binary would load.
  static std::vector<KernelProgram> carried();
  ~DirectPrograms();
  DirectPrograms(const DirectPrograms&) = delete;
  DirectPrograms& operator=(const DirectPrograms&) = delete;

  // Shared with the programs.
  std::span<direct_service> services() const { return services_; }
  std::span<std::uint64_t> turns() const { return turns_; }
  std::span<direct_backend> backends() const { return backends_; }

  Result<void> set_listener(const direct_listener& key, std::uint32_t service);
  // Processes in there and below are no consumers (by cgroup id, which is the directory's inode
  // number); nor are sockets with that mark, unless it is 0.
  Result<void> exempt(const std::vector<std::uint64_t>& cgroups, std::uint32_t mark);
  void remove_listener(const direct_listener& key);
  Result<void> set_local(const direct_listener& address, bool is_local);

  // Consumers in other network namespaces are sent on too, to what they have been seen to reach.
  void serve_others();
  void set_reached(const direct_reach& what);
  // Not before `pause` is over user space is told again that somebody wants to.
  void set_unreached(const direct_reach& what, std::chrono::nanoseconds pause);

  // Consumers there (direct_event) do not reach a backend that others reach.
  void bar(const direct_event& failed);

  SentOn sent_on_to(std::vector<std::uint32_t> backends) const;

  // What becomes of new connects when there is no heartbeat any more: they are sent on for so long.
  void keep_on_for(std::chrono::nanoseconds longest_silence);
  Result<void> pin(const Pins& pins) const;
  void beat();
  std::uint64_t own_netns() const;

  int event_fd() const;  // readable when there are events
  void read_events();    // calls OnEvent for each, but for many at once: those are left

 private:
  explicit DirectPrograms(OnEvent on_event) : on_event_(std::move(on_event)) {}
  Result<void> load_programs(const DirectSizes& sizes, UniqueFd dialled);
  Result<void> attach(const Cgroup& cgroup);
  Result<void> share_maps(const DirectSizes& sizes);
  Result<void> learn_own_identity();
  static int on_event(void* self, void* event, std::size_t size);

  const OnEvent on_event_;
  int events_left_ = 0;  // that one read_events() may read
  std::unique_ptr<direct_connect, DestroyDirectConnect> programs_;
  std::vector<std::unique_ptr<bpf_link, DestroyLink>> links_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  std::span<direct_service> services_;
  std::span<std::uint64_t> turns_;
  std::span<direct_backend> backends_;
  std::span<direct_control> control_;
};

// As the programs have them.
direct_listener direct_address(const tcp::endpoint& endpoint);
std::uint64_t direct_now();  // ns, as bpf_ktime_get_ns()

}  // namespace ambbpf
