// SPDX-License-Identifier: Apache-2.0
// The kernel programs of bpf/direct_connect.bpf.c, loaded and attached, and their maps.
#pragma once

#include <bpf/libbpf.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bpf/direct_connect.h"
#include "userspace/direct/cgroup.h"
#include "userspace/support/asio.h"
#include "userspace/support/result.h"

struct direct_connect;

namespace ambbpf {

struct DestroyDirectConnect {
  void operator()(direct_connect* programs) const;
};
struct FreeDirectRing {
  void operator()(ring_buffer* ring) const;
};
struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

// An answer speaks for a backend for so long, in ns. Who connects after that goes by the proxy, and
// has it asked again.
inline constexpr std::uint64_t kDirectLiveFor = 10'000'000'000;

struct DirectSizes {
  std::uint32_t listeners = 65536;
  std::uint32_t services = 16384;
  std::uint32_t turns = 262144;
  std::uint32_t backends = 32768;
};

// For one thread. The programs are gone with *this, connections live on.
class DirectPrograms {
 public:
  using OnEvent = std::function<void(const direct_event& event)>;

  // Attached beside whatever programs others have there (BPF_F_ALLOW_MULTI, by links).
  static Result<std::unique_ptr<DirectPrograms>> load(const Cgroup& cgroup,
                                                      const DirectSizes& sizes, OnEvent on_event);
  ~DirectPrograms();
  DirectPrograms(const DirectPrograms&) = delete;
  DirectPrograms& operator=(const DirectPrograms&) = delete;

  // Shared with the programs.
  std::span<direct_service> services() const { return services_; }
  std::span<std::uint64_t> turns() const { return turns_; }
  std::span<direct_backend> backends() const { return backends_; }

  Result<void> set_listener(const direct_listener& key, std::uint32_t service);
  void remove_listener(const direct_listener& key);
  Result<void> set_local(const direct_listener& address, bool is_local);

  void beat();  // the heart; see kLongestSilence

  int event_fd() const;  // readable when there are events
  void read_events();    // calls OnEvent for each

 private:
  explicit DirectPrograms(OnEvent on_event) : on_event_(std::move(on_event)) {}
  Result<void> load_programs(const DirectSizes& sizes);
  Result<void> attach(const Cgroup& cgroup);
  Result<void> share_maps(const DirectSizes& sizes);
  Result<void> learn_own_identity();
  static int on_event(void* self, void* event, std::size_t size);

  const OnEvent on_event_;
  std::unique_ptr<direct_connect, DestroyDirectConnect> programs_;
  std::vector<std::unique_ptr<bpf_link, DestroyLink>> links_;
  std::unique_ptr<ring_buffer, FreeDirectRing> ring_;
  std::span<direct_service> services_;
  std::span<std::uint64_t> turns_;
  std::span<direct_backend> backends_;
};

// As the programs have them.
direct_listener direct_address(const tcp::endpoint& endpoint);
std::uint64_t direct_now();  // ns, as bpf_ktime_get_ns()

}  // namespace ambbpf
