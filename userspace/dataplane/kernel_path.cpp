// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/kernel_path.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <string>

#include "stream_relay.skel.h"
#include "userspace/support/libbpf.h"

namespace ambbpf {
namespace {

std::string slot_pair_name(int client, int backend) {
  return fmt::format("put sockets {} and {} into the sockmap", client, backend);
}

}  // namespace

void DestroySkeleton::operator()(stream_relay* program) const { stream_relay__destroy(program); }

KernelPath::KernelPath(std::uint32_t slots, std::uint32_t ring_bytes, TakenBack taken_back)
    : slots_(slots), ring_bytes_(ring_bytes), taken_back_(std::move(taken_back)) {
  free_slots_.reserve(slots);
  for (Slot slot = slots; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

KernelPath::~KernelPath() { unshare_map(flows_); }

std::vector<KernelProgram> KernelPath::carried() {
  std::size_t size = 0;
  const auto* object = stream_relay__elf_bytes(&size);
  return kernel_programs_in(object, size);
}

Result<std::unique_ptr<KernelPath>> KernelPath::load(std::uint32_t slots, std::uint32_t ring_bytes,
                                                     TakenBack taken_back) {
  // At most one event for each slot is unread, apart from rare stale ones; a record takes 16 bytes.
  if (ring_bytes == 0) ring_bytes = std::bit_ceil(std::max(slots * 16, 65536U));
  std::unique_ptr<KernelPath> path(new KernelPath(slots, ring_bytes, std::move(taken_back)));
  const auto ready = path->load_program()
                         .and_then([&] { return path->attach_program(); })
                         .and_then([&] { return path->share_flows(); })
                         .and_then([&] { return path->open_ring(); });
  if (!ready) return tl::unexpected(ready.error());
  return path;
}

Result<void> KernelPath::load_program() {
  log_libbpf_at_debug();
  program_.reset(stream_relay__open());
  if (!program_) return fail_errno("open the kernel program stream_relay");
  auto& maps = program_->maps;
  bpf_map__set_max_entries(maps.socket_of, slots_);
  bpf_map__set_max_entries(maps.slot_of, slots_);
  bpf_map__set_max_entries(maps.flow_of, slots_);
  bpf_map__set_max_entries(maps.taken_back, ring_bytes_);
  if (const int error = stream_relay__load(program_.get()))
    return fail_errno("load the kernel program stream_relay", -error);
  return {};
}

Result<void> KernelPath::attach_program() {
  const int program = bpf_program__fd(program_->progs.relay_segment);
  const int map = bpf_map__fd(program_->maps.socket_of);
  if (const int error = bpf_prog_attach(program, map, BPF_SK_SKB_STREAM_VERDICT, 0))
    return fail_errno("attach relay_segment to the sockmap socket_of", -error);
  return {};
}

Result<void> KernelPath::share_flows() {
  auto flows = share_map<flow>(program_->maps.flow_of, slots_);
  if (!flows) return tl::unexpected(flows.error());
  flows_ = *flows;
  return {};
}

Result<void> KernelPath::open_ring() {
  ring_.reset(ring_buffer__new(bpf_map__fd(program_->maps.taken_back), on_event, this, nullptr));
  if (!ring_) return fail_errno("open the ring buffer taken_back");
  return {};
}

int KernelPath::event_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

void KernelPath::read_events() { ring_buffer__consume(ring_.get()); }

int KernelPath::on_event(void* self, void* event, std::size_t) {
  static_cast<KernelPath*>(self)->taken_back_(*static_cast<const Slot*>(event));
  return 0;
}

// No mere load: the processor might do it before its earlier store of how far the ring has been
// read, and the program find the ring full after that.
std::uint64_t KernelPath::lost_events() const {
  return __atomic_fetch_add(&program_->bss->lost_events, 0, __ATOMIC_SEQ_CST);
}

std::uint64_t KernelPath::redirected_in_all(std::size_t to_client) const {
  std::uint64_t sum = 0;
  for (auto& total : program_->bss->totals) sum += load_shared(total.redirected[to_client]);
  return sum;
}

std::uint64_t KernelPath::segments() const {
  std::uint64_t sum = 0;
  for (auto& total : program_->bss->totals) sum += load_shared(total.segments);
  return sum;
}

Result<SlotPair> KernelPath::enter(int client, int backend) {
  if (free_slots_.size() < 2) return fail_errno(slot_pair_name(client, backend), ENOSPC);
  SlotPair pair;
  pair.client = free_slots_.back();
  free_slots_.pop_back();
  pair.backend = free_slots_.back();
  free_slots_.pop_back();

  const auto client_cookie = name_slot(client, pair.client, pair.backend, false);
  const auto backend_cookie = name_slot(backend, pair.backend, pair.client, true);
  pair.client_cookie = client_cookie.value_or(0);
  pair.backend_cookie = backend_cookie.value_or(0);
  const auto named = client_cookie ? backend_cookie : client_cookie;
  // The client first: it is the one that may have sent its FIN, and then nothing was done.
  const auto entered =
      named ? put_under_verdict(client, pair.client) : Result<void>(tl::unexpected(named.error()));
  if (!entered) {
    leave(pair);
    return fail(slot_pair_name(client, backend) + ": " + entered.error().what,
                entered.error().code);
  }
  pair.whole = put_under_verdict(backend, pair.backend).has_value();
  return pair;
}

Result<std::uint64_t> KernelPath::name_slot(int socket, Slot slot, Slot peer, bool to_client) {
  flows_[slot] = flow{};
  flows_[slot].peer = peer;
  flows_[slot].to_client = to_client;
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0)
    return fail_errno("read the socket's cookie");
  if (bpf_map_update_elem(bpf_map__fd(program_->maps.slot_of), &cookie, &slot, BPF_ANY) != 0)
    return fail_errno("name its slot in slot_of");
  return cookie;
}

Result<void> KernelPath::put_under_verdict(int socket, Slot slot) {
  const auto value = static_cast<std::uint64_t>(socket);
  if (bpf_map_update_elem(bpf_map__fd(program_->maps.socket_of), &slot, &value, BPF_ANY) != 0)
    return fail_errno("enter socket_of");
  // Segments that came before wait in the receive queue until the next one brings the program to
  // them. Setting the mark makes the kernel look (tcp_set_rcvlowat), so none is read past it.
  const int one = 1;
  if (::setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one) != 0)
    return fail_errno("set SO_RCVLOWAT");
  return {};
}

void KernelPath::leave(const SlotPair& pair) {
  const int slot_of = bpf_map__fd(program_->maps.slot_of);
  for (const auto cookie : {pair.client_cookie, pair.backend_cookie})
    if (cookie != 0) bpf_map_delete_elem(slot_of, &cookie);
  free_slots_.push_back(pair.backend);
  free_slots_.push_back(pair.client);
}

}  // namespace ambbpf
