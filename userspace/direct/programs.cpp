// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/programs.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "direct_connect.skel.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

// Not yet fail-static: a process that hangs for so long is passed over.
constexpr nanoseconds kLongestSilence = 60s;
// No network that a consumer would bear is slower; a SYN that is lost is sent again after 1 s.
constexpr nanoseconds kAnswerWithin = 200ms;

template <class Value>
Result<std::span<Value>> share(const bpf_map* map, std::uint32_t entries) {
  void* memory = ::mmap(nullptr, entries * sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED,
                        bpf_map__fd(map), 0);
  if (memory == MAP_FAILED)
    return fail_errno(std::string("map ") + bpf_map__name(map) + " into memory");
  return std::span<Value>(static_cast<Value*>(memory), entries);
}

void unshare(auto values) {
  if (!values.empty()) ::munmap(values.data(), values.size_bytes());
}

}  // namespace

void DestroyDirectConnect::operator()(direct_connect* programs) const {
  direct_connect__destroy(programs);
}
void FreeDirectRing::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Result<std::unique_ptr<DirectPrograms>> DirectPrograms::load(const Cgroup& cgroup,
                                                             const DirectSizes& sizes,
                                                             OnEvent on_event) {
  std::unique_ptr<DirectPrograms> loaded(new DirectPrograms(std::move(on_event)));
  const auto ready = loaded->load_programs(sizes)
                         .and_then([&] { return loaded->share_maps(sizes); })
                         .and_then([&] { return loaded->attach(cgroup); })
                         .and_then([&] { return loaded->learn_own_identity(); });
  if (!ready) return tl::unexpected(ready.error());
  return loaded;
}

DirectPrograms::~DirectPrograms() {
  links_.clear();
  unshare(services_);
  unshare(turns_);
  unshare(backends_);
}

Result<void> DirectPrograms::load_programs(const DirectSizes& sizes) {
  programs_.reset(direct_connect__open());
  if (!programs_) return fail_errno("open the kernel programs direct_connect");
  auto& maps = programs_->maps;
  bpf_map__set_max_entries(maps.listener_of, sizes.listeners);
  bpf_map__set_max_entries(maps.local_address, sizes.listeners);
  bpf_map__set_max_entries(maps.service_of, sizes.services);
  bpf_map__set_max_entries(maps.turn_of, sizes.turns);
  bpf_map__set_max_entries(maps.backend_of, sizes.backends);
  bpf_map__set_max_entries(maps.events, 256 * 1024);
  if (const int error = direct_connect__load(programs_.get()))
    return fail_errno("load the kernel programs direct_connect", -error);
  auto& settings = *programs_->bss;
  settings.longest_silence = static_cast<std::uint64_t>(kLongestSilence.count());
  settings.live_for = kDirectLiveFor;
  settings.answer_within = static_cast<std::uint64_t>(kAnswerWithin.count());
  beat();
  return {};
}

Result<void> DirectPrograms::share_maps(const DirectSizes& sizes) {
  auto services = share<direct_service>(programs_->maps.service_of, sizes.services);
  if (!services) return tl::unexpected(services.error());
  services_ = *services;
  auto turns = share<std::uint64_t>(programs_->maps.turn_of, sizes.turns);
  if (!turns) return tl::unexpected(turns.error());
  turns_ = *turns;
  auto backends = share<direct_backend>(programs_->maps.backend_of, sizes.backends);
  if (!backends) return tl::unexpected(backends.error());
  backends_ = *backends;
  ring_.reset(ring_buffer__new(bpf_map__fd(programs_->maps.events), on_event, this, nullptr));
  if (!ring_) return fail_errno("open the ring buffer events");
  return {};
}

Result<void> DirectPrograms::attach(const Cgroup& cgroup) {
  const auto& programs = programs_->progs;
  for (auto* program : {programs.getpeername4, programs.getpeername6, programs.socket_changed,
                        programs.connect4, programs.connect6}) {
    bpf_link* link = bpf_program__attach_cgroup(program, cgroup.directory.get());
    if (!link)
      return fail_errno(std::string("attach ") + bpf_program__name(program) + " to the cgroup " +
                        cgroup.name);
    links_.emplace_back(link);
  }
  return {};
}

// The programs see other numbers than this process where it has a pid namespace of its own, and
// nothing tells the namespace's cookie before Linux 5.14 (SO_NETNS_COOKIE). So a connect of ours
// tells both.
Result<void> DirectPrograms::learn_own_identity() {
  const std::string what = "find this process as the kernel programs see it";
  asio::io_context io;
  boost::system::error_code error;
  tcp::acceptor acceptor(io);
  acceptor.open(tcp::v4(), error);
  if (!error) acceptor.bind({asio::ip::address_v4::loopback(), 0}, error);
  if (!error) acceptor.listen(1, error);
  if (error) return fail(what, error);
  auto& settings = *programs_->bss;
  settings.learn_port = direct_address(acceptor.local_endpoint()).port;
  tcp::socket socket(io);
  socket.connect(acceptor.local_endpoint(), error);
  settings.learn_port = 0;
  if (error) return fail(what, error);
  if (settings.learned) return {};
#ifdef SO_NETNS_COOKIE
  // Outside of the cgroup no connect of ours is seen, or to be spared.
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return fail_errno(what + ": it is not in that cgroup, and SO_NETNS_COOKIE");
  settings.own_netns = cookie;
  return {};
#else
  return fail(what + ": it is not in that cgroup");
#endif
}

Result<void> DirectPrograms::set_listener(const direct_listener& key, std::uint32_t service) {
  if (bpf_map_update_elem(bpf_map__fd(programs_->maps.listener_of), &key, &service, BPF_ANY) != 0)
    return fail_errno("put a listener into the map listener_of");
  return {};
}

void DirectPrograms::remove_listener(const direct_listener& key) {
  bpf_map_delete_elem(bpf_map__fd(programs_->maps.listener_of), &key);
}

Result<void> DirectPrograms::set_local(const direct_listener& address, bool is_local) {
  const int map = bpf_map__fd(programs_->maps.local_address);
  const std::uint32_t one = 1;
  if (!is_local)
    bpf_map_delete_elem(map, &address);
  else if (bpf_map_update_elem(map, &address, &one, BPF_ANY) != 0)
    return fail_errno("put an address into the map local_address");
  return {};
}

void DirectPrograms::beat() {
  __atomic_store_n(&programs_->bss->heartbeat, direct_now(), __ATOMIC_RELAXED);
}

int DirectPrograms::event_fd() const { return ring_buffer__epoll_fd(ring_.get()); }
void DirectPrograms::read_events() { ring_buffer__consume(ring_.get()); }

int DirectPrograms::on_event(void* self, void* event, std::size_t) {
  static_cast<DirectPrograms*>(self)->on_event_(*static_cast<const direct_event*>(event));
  return 0;
}

direct_listener direct_address(const tcp::endpoint& endpoint) {
  direct_listener key{};
  const auto address = endpoint.address();
  const auto six = address.is_v6()
                       ? address.to_v6()
                       : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
  const auto bytes = six.to_bytes();
  std::memcpy(key.address, bytes.data(), bytes.size());
  key.port = htons(endpoint.port());
  return key;
}

std::uint64_t direct_now() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<nanoseconds>(Clock::now().time_since_epoch()).count());
}

}  // namespace ambbpf
