// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/direct.h"

#include <algorithm>

#include "userspace/proxy/connect.h"
#include "userspace/proxy/dial.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

struct Direct::Served {
  std::shared_ptr<Service> service;
  DirectTable::ServiceIndex index = 0;
  std::vector<tcp::endpoint> listen;
  std::chrono::milliseconds connect_timeout{};
  bool asking = false;
  bool served = true;  // false: stop_serving() was called
  std::string last_error;
  Task publishing;
};

Direct::Direct(asio::io_context& io, std::string cgroup_name)
    : io_(io), cgroup_name_(std::move(cgroup_name)) {}

Direct::~Direct() {
  if (events_) events_->release();
  if (address_changes_) address_changes_->release();
}

Result<std::unique_ptr<Direct>> Direct::create(asio::io_context& io,
                                               const std::optional<std::filesystem::path>& path) {
  auto cgroup = open_cgroup(path);
  if (!cgroup) return tl::unexpected(cgroup.error());
  std::unique_ptr<Direct> direct(new Direct(io, cgroup->name));
  auto programs = DirectPrograms::load(
      *cgroup, DirectSizes{},
      [self = direct.get()](const direct_event& event) { self->on_event(event); });
  if (!programs) return tl::unexpected(programs.error());
  direct->programs_ = std::move(*programs);
  direct->table_.emplace(*direct->programs_, [self = direct.get()](const auto& address) {
    return self->known_addresses_.contains(address);
  });
  if (auto listed = direct->begin_listing_addresses(); !listed)
    log::warn("direct: connects to addresses other than loopback go by the proxy: {}",
              listed.error().message());
  direct->events_.emplace(io, direct->programs_->event_fd());
  for (auto* work : {read_events, beat})
    direct->tasks_.emplace_back(io.get_executor(), work(*direct), nullptr);
  return direct;
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
                           std::chrono::milliseconds connect_timeout) {
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

awaitable<void> Direct::publish(Direct& self, ServedPtr served) {
  while (served->served) {
    const auto choice = served->service->choice();
    std::vector<std::shared_ptr<Backend>> kept;
    for (const auto& listed : *served->service->in_force()) kept.push_back(listed.backend);
    const auto published = self.table_->publish(served->index, *choice, kept);
    const auto error = published ? "" : published.error().message();
    if (!published && error != served->last_error)
      log::warn("service {}: consumers go by the proxy: {}", served->service->name(), error);
    served->last_error = error;
    co_await served->service->wait_for_change(choice->version, choice->until);
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
    if (auto listed = self.list_addresses(); !listed) {
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
    for (const auto& [service, served] : self.served_)
      if (!served->asking && self.table_->is_wanted(served->index)) self.ask_those_in_doubt(served);
    co_await sleep_for(1s);
  }
}

Direct::Served* Direct::find(DirectTable::ServiceIndex index) const {
  const auto found = std::ranges::find_if(
      served_, [index](const auto& entry) { return entry.second->index == index; });
  return found == served_.end() ? nullptr : found->second.get();
}

void Direct::on_event(const direct_event& event) {
  if (event.kind == DIRECT_FAILED) return backend_failed(event.index);
  if (const auto* served = find(event.index)) ask_those_in_doubt(served_.at(served->service.get()));
}

void Direct::backend_failed(std::uint32_t slot) {
  const auto backend = table_->backend(slot);
  const auto index = table_->service_of(slot);
  const auto* served = index ? find(*index) : nullptr;
  if (!backend || !served) return;
  auto& service = *served->service;
  if (service.report(*backend, BackendOutcome::kConnectFailed))
    log::warn("service {}: a consumer's connect to {} failed; the endpoint is ejected",
              service.name(), to_string(backend->address()));
  service.doubt();
}

void Direct::ask_those_in_doubt(const ServedPtr& served) {
  if (std::exchange(served->asking, true)) return;
  spawn(io_, ask(*this, served));
}

// Connects to those that have not answered of late, and are not known to fail. Consumers go by the
// proxy or to others meanwhile.
awaitable<void> Direct::ask(Direct& self, ServedPtr served) {
  constexpr auto kLeast = 20ms;  // between two rounds, however much is wanted
  auto& service = *served->service;
  std::vector<std::pair<std::shared_ptr<Backend>, Connecting>> asked;
  for (auto& backend : self.table_->in_doubt(served->index)) {
    if (backend->ejected(Clock::now())) continue;
    auto connecting = begin_connect(backend->address(), FirstBytes::kUnknown, kNoDescriptorLimit);
    asked.emplace_back(std::move(backend), std::move(connecting));
  }
  for (auto& [backend, connecting] : asked) {
    const auto socket = co_await finish_connect(std::move(connecting), served->connect_timeout);
    if (!served->served) co_return;
    if (socket) {
      self.table_->answered(served->index, *backend);
      service.report(*backend, BackendOutcome::kConnected);
    } else if (service.report(*backend, BackendOutcome::kConnectFailed)) {
      log::warn("service {}: {}; the endpoint is ejected", service.name(),
                socket.error().message());
    }
  }
  co_await sleep_for(kLeast);
  if (!served->served) co_return;
  served->asking = false;
  self.table_->unwanted(served->index);
}

}  // namespace ambbpf
