// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/direct.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>

#include <algorithm>

#include "userspace/direct/served.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// A process that hangs for so long is passed over, though nothing is pinned.
constexpr auto kLongestSilence = 60s;

// How long the programs of one that is gone serve in our place, until we know of endpoints.
constexpr auto kTakeOverWithin = 10s;

UniqueFd dialled_in(const std::vector<Pinned>& all) {
  for (const auto& pinned : all)
    if (UniqueFd map{::bpf_obj_get((pinned.directory / kPinnedDialled).c_str())}) return map;
  return UniqueFd();
}

bool is_unspecified(const direct_listener& listener) {
  const auto* part = listener.address;
  return part[0] == 0 && part[1] == 0 && (part[2] == 0 || part[2] == htonl(0xffff)) && part[3] == 0;
}

bool overlap(const direct_listener& one, const direct_listener& other) {
  return one.port == other.port && (is_unspecified(one) || is_unspecified(other) ||
                                    std::ranges::equal(one.address, other.address));
}

}  // namespace

Direct::Direct(asio::io_context& io, std::string cgroup_name)
    : io_(io), cgroup_name_(std::move(cgroup_name)) {}

Direct::~Direct() {
  if (events_) events_->release();
  if (address_changes_) address_changes_->release();
}

Result<std::unique_ptr<Direct>> Direct::create(asio::io_context& io, const DirectOptions& options) {
  auto cgroup = open_cgroup(options.cgroup);
  if (!cgroup) return tl::unexpected(cgroup.error());
  std::unique_ptr<Direct> direct(new Direct(io, cgroup->name));
  direct->predecessors_ = list_pinned();
  auto programs = DirectPrograms::load(
      *cgroup, DirectSizes{},
      [self = direct.get()](const direct_event& event) { self->on_event(event); },
      dialled_in(direct->predecessors_));
  if (!programs) return tl::unexpected(programs.error());
  direct->programs_ = std::move(*programs);
  if (auto done = direct->exempt(options); !done) return tl::unexpected(done.error());
  direct->reach_.emplace(io, *direct->programs_);
  direct->watches_.emplace(
      io, [self = direct.get()](const Backend& backend) { self->table_->doubt(backend); });
  // Nothing fails from here on: work that has begun needs *direct.
  direct->table_.emplace(*direct->programs_, [self = direct.get()](const auto& address) {
    return self->known_addresses_.contains(address);
  });
  if (auto listed = direct->begin_listing_addresses(); !listed)
    log::warn("direct: connects to addresses other than loopback go by the proxy: {}",
              listed.error().message());
  const auto enterable = check_namespaces_can_be_entered();
  if (enterable)
    direct->programs_->serve_others();
  else
    log::info("direct: consumers in other network namespaces go by the proxy: {}",
              enterable.error().message());
  if (cgroup->is_part)
    log::info(
        "direct: the cgroup {} is a part of the host only; a container needs the host's "
        "(-v /sys/fs/cgroup:/sys/fs/cgroup:ro)",
        cgroup->name);
  direct->stay_for(options.fail_static);
  direct->events_.emplace(io, direct->programs_->event_fd());
  for (auto* work : {read_events, beat})
    direct->tasks_.emplace_back(io.get_executor(), work(*direct), nullptr);
  return direct;
}

Result<void> Direct::exempt(const DirectOptions& options) {
  std::vector<std::uint64_t> cgroups;
  for (const auto& path : options.except_cgroups) {
    const auto id = cgroup_id(path);
    if (!id) return tl::unexpected(id.error());
    cgroups.push_back(*id);
  }
  return programs_->exempt(cgroups, options.except_mark);
}

void Direct::stay_for(std::chrono::milliseconds fail_static) {
  programs_->keep_on_for(fail_static > 0ms ? fail_static : kLongestSilence);
  if (fail_static == 0ms) return;
  auto pins = Pins::create();
  const auto pinned = pins ? programs_->pin(*pins) : Result<void>(tl::unexpected(pins.error()));
  if (pinned)
    pins_.emplace(std::move(*pins));
  else
    log::info("direct: it ends with this process, and without fail_static: {}",
              pinned.error().message());
}

bool Direct::listens_where(const Pinned& predecessor) const {
  if (!predecessor.control || predecessor.control->netns != programs_->own_netns()) return false;
  return std::ranges::any_of(served_, [&](const auto& entry) {
    return std::ranges::any_of(entry.second->listen, [&](const auto& address) {
      return std::ranges::any_of(predecessor.listeners, [&](const auto& theirs) {
        return overlap(theirs, direct_address(address));
      });
    });
  });
}

// Whoever listened where we do is gone. Its programs were attached before ours, so they decide as
// long as they are there: with what it knew last, and not for longer than its fail_static.
void Direct::take_over() {
  if (predecessors_.empty() || served_.empty()) return;
  const bool ready = std::ranges::all_of(
      served_, [this](const auto& entry) { return table_->gives_out(entry.second->index); });
  if (!ready && Clock::now() < started_ + kTakeOverWithin) return;
  for (const auto& left : std::exchange(predecessors_, {})) {
    if (left.is_of_use() ? !listens_where(left) : !left.control) continue;
    if (auto removed = remove_pins(left.directory); !removed)
      log::warn("direct: the programs of a process that is gone stay, and go before ours: {}",
                removed.error().message());
    else
      log::info("direct: removed the programs of a process that is gone, {}",
                left.directory.string());
  }
}

// A sandbox may have no netlink sockets.
Result<void> Direct::begin_listing_addresses() {
  auto addresses = LocalAddresses::open();
  if (!addresses) return tl::unexpected(addresses.error());
  addresses_ = std::move(*addresses);
  if (auto listed = list_addresses(); !listed) return listed;
  address_changes_.emplace(io_, addresses_->change_fd());
  tasks_.emplace_back(io_.get_executor(), follow_addresses(*this), nullptr);
  return {};
}

Result<void> Direct::serve(const std::shared_ptr<Service>& service,
                           const std::vector<tcp::endpoint>& listen,
                           std::chrono::milliseconds connect_timeout, bool watch) {
  auto& served = served_[service.get()];
  if (!served) {
    const auto index = table_->add_service();
    if (!index) {
      served_.erase(service.get());
      return tl::unexpected(index.error());
    }
    served = std::make_shared<Served>();
    served->service = service;
    served->index = *index;
    served->publishing = Task(io_.get_executor(), publish(*this, served), served);
  }
  served->connect_timeout = connect_timeout;
  served->watch = watch;
  if (served->listen == listen) return {};
  for (const auto& address : served->listen)
    if (std::ranges::find(listen, address) == listen.end()) release(address, *served);
  served->listen = listen;
  for (const auto& address : listen)
    if (auto set = programs_->set_listener(direct_address(address), served->index); !set)
      return set;
  return {};
}

void Direct::stop_serving(const Service& service) {
  const auto found = served_.find(&service);
  if (found == served_.end()) return;
  auto& served = *found->second;
  for (const auto& address : served.listen) release(address, served);
  served.served = false;
  served.publishing.stop();
  for (const auto& backend : served.kept) watches_->drop(*backend);
  table_->remove_service(served.index);
  served_.erase(found);
}

// Another service may have taken the address over by now.
void Direct::release(const tcp::endpoint& address, const Served& by) {
  const bool taken = std::ranges::any_of(served_, [&](const auto& entry) {
    const auto& other = *entry.second;
    return &other != &by && std::ranges::find(other.listen, address) != other.listen.end();
  });
  if (!taken) programs_->remove_listener(direct_address(address));
}

Result<std::size_t> Direct::reset(const Service& service, const Backends& backends) {
  const auto found = served_.find(&service);
  if (found == served_.end()) return 0;
  publish_now(*found->second);  // or more would follow
  std::vector<std::uint32_t> indices;
  for (const auto& backend : backends)
    std::ranges::copy(table_->slots_of(*backend), std::back_inserter(indices));
  return indices.empty() ? 0 : reset_connections(programs_->sent_on_to(std::move(indices)));
}

std::optional<Direct::Sent> Direct::sent(const Service& service) const {
  const auto found = served_.find(&service);
  if (found == served_.end()) return std::nullopt;
  return Sent{table_->sent_on(found->second->index), table_->left(found->second->index)};
}

DirectCounts Direct::counts(const Service& service, const Backend& backend) const {
  const auto found = served_.find(&service);
  if (found == served_.end()) return {};
  return table_->counts(found->second->index, backend);
}

std::shared_ptr<const Choice> Direct::publish_now(Served& served) {
  auto choice = served.service->choice();
  std::vector<std::shared_ptr<Backend>> kept;
  for (const auto& listed : *served.service->in_force()) kept.push_back(listed.backend);
  for (const auto& backend : served.kept)
    if (std::ranges::find(kept, backend) == kept.end()) watches_->drop(*backend);
  served.kept = kept;
  // Who is due for a trial is connected to before a consumer is sent there (ask()).
  const auto& published_choice = choice->with_those_due ? *choice->with_those_due : *choice;
  const auto published = table_->publish(served.index, published_choice, kept);
  const auto error = published ? "" : published.error().message();
  if (!published && error != served.last_error)
    log::warn("service {}: consumers go by the proxy: {}", served.service->name(), error);
  served.last_error = error;
  return choice;
}

awaitable<void> Direct::publish(Direct& self, ServedPtr served) {
  while (served->served) {
    const auto choice = self.publish_now(*served);
    self.take_over();
    // What finds no room finds some later, as old turns are left for a while.
    const auto again = served->last_error.empty() ? choice->until : Clock::now() + 2s;
    co_await served->service->wait_for_change(choice->version, std::min(choice->until, again));
  }
}

awaitable<void> Direct::read_events(Direct& self) {
  for (;;) {
    co_await self.events_->async_wait(Descriptor::wait_read, asio::use_awaitable);
    self.programs_->read_events();
  }
}

awaitable<void> Direct::follow_addresses(Direct& self) {
  for (;;) {
    co_await self.address_changes_->async_wait(Descriptor::wait_read, asio::use_awaitable);
    while (true) {
      const auto listed = self.list_addresses();
      if (listed) break;
      log::warn("{}", listed.error().message());
      co_await sleep_for(1s);
    }
  }
}

Result<void> Direct::list_addresses() {
  auto present = addresses_->list();
  if (!present) return tl::unexpected(present.error());
  for (const auto& address : known_addresses_)
    if (!present->contains(address)) {
      auto removed = programs_->set_local(direct_address({address, 0}), false);
      if (!removed) return removed;
    }
  for (const auto& address : *present)
    if (!known_addresses_.contains(address))
      if (auto added = programs_->set_local(direct_address({address, 0}), true); !added)
        return added;
  known_addresses_ = std::move(*present);
  table_->judge_addresses();
  return {};
}

// An event that found no room in the ring is made up for here.
awaitable<void> Direct::beat(Direct& self) {
  for (;;) {
    self.programs_->beat();
    self.take_over();
    for (const auto& [service, served] : self.served_)
      if (!served->asking && self.table_->is_wanted(served->index)) self.ask_those_in_doubt(served);
    self.reach_->let_go();
    co_await sleep_for(1s);
  }
}

}  // namespace ambbpf
