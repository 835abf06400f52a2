// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/programs.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "direct_connect.skel.h"
#include "userspace/direct/pins.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/support/capabilities.h"

namespace ambbpf {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

// Then the next one goes by the proxy, and shows whether it is still so.
constexpr nanoseconds kKnownFor = 60s;
constexpr nanoseconds kWantedEvery = 1s;
// One failure an hour is what a consumer may cost itself that is not allowed to connect.
constexpr nanoseconds kBarredFor = 1h;

}  // namespace

void DestroyDirectConnect::operator()(direct_connect* programs) const {
  direct_connect__destroy(programs);
}

Result<std::unique_ptr<DirectPrograms>> DirectPrograms::load(const Cgroup& cgroup,
                                                             const DirectSizes& sizes,
                                                             OnEvent on_event, UniqueFd dialled) {
  std::unique_ptr<DirectPrograms> loaded(new DirectPrograms(std::move(on_event)));
  const auto ready = loaded->load_programs(sizes, std::move(dialled))
                         .and_then([&] { return loaded->share_maps(sizes); })
                         .and_then([&] { return loaded->attach(cgroup); })
                         .and_then([&] { return loaded->learn_own_identity(); });
  if (!ready) return tl::unexpected(ready.error());
  return loaded;
}

std::vector<KernelProgram> DirectPrograms::carried() {
  std::size_t size = 0;
  const auto* object = direct_connect__elf_bytes(&size);
  return kernel_programs_in(object, size);
}

// Detached here and now; what is only let go of, the kernel detaches a little later.
DirectPrograms::~DirectPrograms() {
  for (const auto& link : links_) bpf_link__detach(link.get());
  links_.clear();
  unshare_map(services_);
  unshare_map(turns_);
  unshare_map(backends_);
  unshare_map(control_);
}

Result<void> DirectPrograms::load_programs(const DirectSizes& sizes, UniqueFd dialled) {
  log_libbpf_at_debug();
  programs_.reset(direct_connect__open());
  if (!programs_) return fail_errno("open the kernel programs direct_connect");
  auto& maps = programs_->maps;
  bpf_map__set_max_entries(maps.exempt_cgroup, sizes.exempt);
  bpf_map__set_max_entries(maps.listener_of, sizes.listeners);
  bpf_map__set_max_entries(maps.local_address, sizes.listeners);
  bpf_map__set_max_entries(maps.service_of, sizes.services);
  bpf_map__set_max_entries(maps.turn_of, sizes.turns);
  bpf_map__set_max_entries(maps.backend_of, sizes.backends);
  bpf_map__set_max_entries(maps.means_us_since, sizes.others);
  bpf_map__set_max_entries(maps.handshakes, sizes.others);
  bpf_map__set_max_entries(maps.reached, sizes.others);
  bpf_map__set_max_entries(maps.barred, sizes.others);
  bpf_map__set_max_entries(maps.events, 256 * 1024);
  // Where that fails, our own one is made.
  if (dialled) bpf_map__reuse_fd(maps.dialled_by, dialled.get());
  if (const int error = direct_connect__load(programs_.get())) {
    const auto missing = capabilities_missing_for_bpf();
    return fail_errno(fmt::format("load the kernel programs direct_connect{}{}",
                                  missing.empty() ? "" : " without ", fmt::join(missing, ", ")),
                      -error);
  }
  auto& settings = *programs_->bss;
  settings.owner = direct_now();  // when it is asked for, no two are the same
  settings.silent_after = static_cast<std::uint64_t>(nanoseconds(kDirectSilentAfter).count());
  settings.live_for = kDirectLiveFor;
  settings.known_for = static_cast<std::uint64_t>(kKnownFor.count());
  settings.wanted_every = static_cast<std::uint64_t>(kWantedEvery.count());
  return {};
}

Result<void> DirectPrograms::share_maps(const DirectSizes& sizes) {
  auto services = share_map<direct_service>(programs_->maps.service_of, sizes.services);
  if (!services) return tl::unexpected(services.error());
  services_ = *services;
  auto turns = share_map<std::uint64_t>(programs_->maps.turn_of, sizes.turns);
  if (!turns) return tl::unexpected(turns.error());
  turns_ = *turns;
  auto backends = share_map<direct_backend>(programs_->maps.backend_of, sizes.backends);
  if (!backends) return tl::unexpected(backends.error());
  backends_ = *backends;
  auto control = share_map<direct_control>(programs_->maps.control, 1);
  if (!control) return tl::unexpected(control.error());
  control_ = *control;
  beat();
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

Result<void> DirectPrograms::exempt(const std::vector<std::uint64_t>& cgroups, std::uint32_t mark) {
  const std::uint32_t one = 1;
  for (const auto cgroup : cgroups)
    if (bpf_map_update_elem(bpf_map__fd(programs_->maps.exempt_cgroup), &cgroup, &one, BPF_ANY) !=
        0)
      return fail_errno("put a cgroup into the map exempt_cgroup");
  programs_->bss->any_exempt = cgroups.empty() ? 0 : 1;
  programs_->bss->exempt_mark = mark;
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

void DirectPrograms::serve_others() { programs_->bss->serves_others = 1; }

// One that finds no room replaces the one that was used least of late.
void DirectPrograms::set_reached(const direct_reach& what) {
  const direct_reached reached{.answered_at = direct_now(), .wanted_at = 0};
  bpf_map_update_elem(bpf_map__fd(programs_->maps.reached), &what, &reached, BPF_ANY);
}

void DirectPrograms::set_unreached(const direct_reach& what, nanoseconds pause) {
  const auto not_before = direct_now() + static_cast<std::uint64_t>(pause.count());
  const direct_reached reached{.answered_at = 0, .wanted_at = not_before};
  bpf_map_update_elem(bpf_map__fd(programs_->maps.reached), &what, &reached, BPF_ANY);
}

void DirectPrograms::bar(const direct_event& failed) {
  const direct_barred key{
      .netns = failed.netns, .cgroup = failed.cgroup, .backend = failed.index, .use = failed.use};
  const std::uint64_t until = direct_now() + static_cast<std::uint64_t>(kBarredFor.count());
  bpf_map_update_elem(bpf_map__fd(programs_->maps.barred), &key, &until, BPF_ANY);
  programs_->bss->any_barred = 1;
}

SentOn DirectPrograms::sent_on_to(std::vector<std::uint32_t> backends) const {
  return {.dialled_map = bpf_map__fd(programs_->maps.dialled_by),
          .owner = programs_->bss->owner,
          .backends = std::move(backends)};
}

void DirectPrograms::keep_on_for(nanoseconds longest_silence) {
  store_shared(control_[0].longest_silence, static_cast<__u64>(longest_silence.count()));
}

void DirectPrograms::beat() {
  store_shared(control_[0].heartbeat, static_cast<__u64>(direct_now()));
}

std::uint64_t DirectPrograms::own_netns() const { return programs_->bss->own_netns; }

Result<void> DirectPrograms::pin(const Pins& pins) const {
  store_shared(control_[0].netns, static_cast<__u64>(own_netns()));
  const auto& maps = programs_->maps;
  auto pinned =
      pins.add(bpf_map__fd(maps.control), kPinnedControl)
          .and_then([&] { return pins.add(bpf_map__fd(maps.listener_of), kPinnedListeners); })
          .and_then([&] { return pins.add(bpf_map__fd(maps.dialled_by), kPinnedDialled); });
  for (std::size_t i = 0; i < links_.size() && pinned; ++i)
    pinned = pins.add(bpf_link__fd(links_[i].get()), "link_" + std::to_string(i));
  return pinned;
}

int DirectPrograms::event_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

void DirectPrograms::read_events() {
  constexpr int kMostAtOnce = 1000;
  events_left_ = kMostAtOnce;
  ring_buffer__consume(ring_.get());
}

int DirectPrograms::on_event(void* self, void* event, std::size_t) {
  auto& programs = *static_cast<DirectPrograms*>(self);
  programs.on_event_(*static_cast<const direct_event*>(event));
  return --programs.events_left_ > 0 ? 0 : -EAGAIN;
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
