// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/table.h"

#include <algorithm>
#include <cstring>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// Programs run within a read section of RCU, which the kernel complains of after 21 s, and take
// some microseconds.
constexpr auto kLongestRun = 2s;

// One period of the policy's turns, as indices of candidates.
std::vector<const Backend*> round_of(const Choice& choice) {
  const auto length = choice.order.empty() ? choice.candidates.size() : choice.order.size();
  std::vector<const Backend*> round;
  for (std::size_t turn = 0; turn < length; ++turn)
    if (const auto* picked = choice.pick(Client{}, turn)) round.push_back(picked->backend.get());
  return round;
}

}  // namespace

std::optional<std::uint32_t> FreeRanges::take(std::uint32_t count) {
  const auto found =
      std::ranges::find_if(free_, [count](const auto& range) { return range.second >= count; });
  if (found == free_.end()) return std::nullopt;
  const auto [first, size] = *found;
  free_.erase(found);
  if (size > count) free_[first + count] = size - count;
  return first;
}

void FreeRanges::give_back(std::uint32_t first, std::uint32_t count) {
  if (count == 0) return;
  auto next = free_.lower_bound(first);
  if (next != free_.end() && first + count == next->first) {
    count += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == first) {
      before->second += count;
      return;
    }
  }
  free_[first] = count;
}

DirectTable::DirectTable(DirectPrograms& programs, IsLocal is_local)
    : programs_(programs),
      is_local_(std::move(is_local)),
      free_turns_(static_cast<std::uint32_t>(programs.turns().size())) {
  for (auto i = programs.services().size(); i > 0; --i)
    free_services_.push_back(static_cast<std::uint32_t>(i - 1));
  for (auto i = programs.backends().size(); i > 0; --i)
    free_slots_.push_back(static_cast<std::uint32_t>(i - 1));
}

void DirectTable::judge_addresses() {
  for (const auto& [index, slot] : slots_) {
    const auto address = slot.backend->address().address();
    store_shared(programs_.backends()[index].kind, kind_of(address));
  }
}

__u32 DirectTable::kind_of(const asio::ip::address& address) const {
  const bool is_local = address.is_loopback() || is_local_(address);
  return (address.is_v4() ? DIRECT_IPV4 : 0U) | (address.is_loopback() ? DIRECT_LOOPBACK : 0U) |
         (is_local ? DIRECT_LOCAL : 0U);
}

Result<DirectTable::ServiceIndex> DirectTable::add_service() {
  if (free_services_.empty()) return fail("there is no room for more services in the kernel");
  const auto index = free_services_.back();
  free_services_.pop_back();
  programs_.services()[index] = direct_service{};
  served_[index] = {};
  return index;
}

Result<void> DirectTable::publish(ServiceIndex index, const Choice& choice,
                                  const std::vector<std::shared_ptr<Backend>>& kept) {
  reuse_what_was_left();
  auto& served = served_.at(index);
  auto before = std::exchange(served.slots, {});
  const auto keep_one = [&](const std::shared_ptr<Backend>& backend) -> Result<void> {
    if (served.slots.contains(backend.get())) return {};
    const auto known = before.find(backend.get());
    const auto slot =
        known != before.end() ? Result<std::uint32_t>(known->second) : new_slot(index, backend);
    if (!slot) return tl::unexpected(slot.error());
    served.slots[backend.get()] = *slot;
    before.erase(backend.get());
    return {};
  };
  Result<void> done;
  for (const auto& backend : kept)
    if (done) done = keep_one(backend);
  for (const auto& candidate : choice.candidates)
    if (done) done = keep_one(candidate.backend);
  const auto turns = done.and_then([&] { return write_turns(choice, served); });
  show(index, turns.value_or(Turns()));
  for (const auto& [backend, slot] : before) leave(slot);
  if (!turns) return tl::unexpected(turns.error());
  return {};
}

Result<DirectTable::Turns> DirectTable::write_turns(const Choice& choice, const Served& served) {
  const auto round = round_of(choice);
  const auto count = static_cast<std::uint32_t>(round.size());
  if (count == 0) return Turns();
  const auto first = free_turns_.take(count);
  if (!first) return fail("there is no room for more turns in the kernel");
  for (std::uint32_t i = 0; i < count; ++i)
    store_shared(programs_.turns()[*first + i], std::uint64_t{served.slots.at(round[i])});
  return Turns{.first = *first, .count = count};
}

void DirectTable::show(ServiceIndex index, const Turns& turns) {
  const auto before = std::exchange(served_.at(index).turns, turns);
  const __u64 word = __u64{turns.first} << 32U | turns.count;
  __atomic_store_n(&programs_.services()[index].turns, word, __ATOMIC_RELEASE);
  if (before.count > 0) left_turns_.push_back({before, Clock::now() + kLongestRun});
}

void DirectTable::remove_service(ServiceIndex index) {
  show(index, {});
  for (const auto& [backend, slot] : served_.at(index).slots) leave(slot);
  served_.erase(index);
  left_services_.push_back({index, Clock::now() + kLongestRun});
}

bool DirectTable::gives_out(ServiceIndex index) const { return served_.at(index).turns.count > 0; }

void DirectTable::leave(std::uint32_t slot) {
  left_slots_.push_back({slot, Clock::now() + kLongestRun});
}

Result<std::uint32_t> DirectTable::new_slot(ServiceIndex service,
                                            const std::shared_ptr<Backend>& backend) {
  if (free_slots_.empty()) return fail("there is no room for more endpoints in the kernel");
  const auto index = free_slots_.back();
  free_slots_.pop_back();
  const auto place = direct_address(backend->address());
  auto& entry = programs_.backends()[index];
  entry = direct_backend{};
  std::memcpy(entry.address, place.address, sizeof entry.address);
  entry.port = place.port;
  entry.kind = kind_of(backend->address().address());
  entry.use = ++last_use_;
  slots_[index] = {backend, service};
  return index;
}

// What no program that runs can have read any more; open connections of a backend are still
// counted.
void DirectTable::reuse_what_was_left() {
  const auto now = Clock::now();
  while (!left_turns_.empty() && left_turns_.front().until < now) {
    const auto& turns = left_turns_.front().what;
    free_turns_.give_back(turns.first, turns.count);
    left_turns_.pop_front();
  }
  while (!left_services_.empty() && left_services_.front().until < now) {
    free_services_.push_back(left_services_.front().what);
    left_services_.pop_front();
  }
  std::erase_if(left_slots_, [&](const Left<std::uint32_t>& left) {
    if (left.until >= now || !is_idle(left.what)) return false;
    slots_.erase(left.what);
    free_slots_.push_back(left.what);
    return true;
  });
}

bool DirectTable::is_idle(std::uint32_t slot) const {
  const auto& entry = programs_.backends()[slot];
  return load_shared(entry.opened) ==
         load_shared(entry.failed) + load_shared(entry.cancelled) + load_shared(entry.closed);
}

const DirectTable::Slot* DirectTable::slot(std::uint32_t index, std::uint32_t use) const {
  const auto found = slots_.find(index);
  if (found == slots_.end() || programs_.backends()[index].use != use) return nullptr;
  return &found->second;
}

std::vector<std::uint32_t> DirectTable::slots_of(const Backend& backend) const {
  std::vector<std::uint32_t> all;
  for (const auto& [index, slot] : slots_)
    if (slot.backend.get() == &backend) all.push_back(index);
  return all;
}

std::vector<std::shared_ptr<Backend>> DirectTable::in_doubt(ServiceIndex service) const {
  std::vector<std::shared_ptr<Backend>> all;
  const auto now = direct_now();
  for (const auto& [backend, index] : served_.at(service).slots) {
    const auto& entry = programs_.backends()[index];
    if (load_shared(entry.out) != 0 || load_shared(entry.asked_at) != 0 ||
        now - load_shared(entry.answered_at) > kDirectLiveFor / 2)
      all.push_back(slots_.at(index).backend);
  }
  return all;
}

direct_backend* DirectTable::find(ServiceIndex service, const Backend& backend) const {
  const auto served = served_.find(service);
  if (served == served_.end()) return nullptr;
  const auto slot = served->second.slots.find(&backend);
  return slot == served->second.slots.end() ? nullptr : &programs_.backends()[slot->second];
}

void DirectTable::answered(ServiceIndex service, const Backend& backend) {
  auto* entry = find(service, backend);
  if (!entry) return;
  store_shared(entry->answered_at, static_cast<__u64>(direct_now()));
  store_shared(entry->asked_at, __u64{0});
  __atomic_store_n(&entry->out, 0, __ATOMIC_RELEASE);
}

void DirectTable::doubt(const Backend& backend) {
  for (const auto slot : slots_of(backend)) store_shared(programs_.backends()[slot].out, 1U);
}

bool DirectTable::is_wanted(ServiceIndex service) const {
  return load_shared(programs_.services()[service].wanted) != 0;
}

void DirectTable::unwanted(ServiceIndex service) {
  __atomic_store_n(&programs_.services()[service].wanted, 0, __ATOMIC_SEQ_CST);
}

DirectCounts DirectTable::counts(ServiceIndex service, const Backend& backend) const {
  const auto* found = find(service, backend);
  if (!found) return {};
  const auto& entry = *found;
  const auto established = load_shared(entry.established);
  const auto closed = load_shared(entry.closed);
  return {.connections_now = established - std::min<std::uint64_t>(closed, established),
          .connections_total = established,
          .failed = load_shared(entry.failed),
          .bytes_to_backend = load_shared(entry.sent),
          .bytes_to_client = load_shared(entry.received),
          .connect_us = established == 0 ? 0 : load_shared(entry.connect_ns) / established / 1000,
          .rtt_us = load_shared(entry.rtt_us)};
}

std::uint64_t DirectTable::sent_on(ServiceIndex service) const {
  return load_shared(programs_.services()[service].direct);
}
std::uint64_t DirectTable::left(ServiceIndex service) const {
  return load_shared(programs_.services()[service].left);
}

}  // namespace ambbpf
