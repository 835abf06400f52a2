// SPDX-License-Identifier: Apache-2.0
// Zero hop: consumers on this host connect straight to a backend, by kernel programs that do what
// the dialler would do. README.md has the rules.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/direct/local_addresses.h"
#include "userspace/direct/table.h"
#include "userspace/endpoints/service.h"
#include "userspace/support/task.h"

namespace ambbpf {

// On the controller's thread.
class Direct {
 public:
  // Loads the programs and attaches them to `cgroup` (see open_cgroup). `io` outlives *this.
  static Result<std::unique_ptr<Direct>> create(asio::io_context& io,
                                                const std::optional<std::filesystem::path>& cgroup);
  ~Direct();
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;

  // Connects to `listen`, and no other addresses, are sent to a backend of the service from now on,
  // or again; new ones for the first time as soon as a backend has answered.
  Result<void> serve(const std::shared_ptr<Service>& service,
                     const std::vector<tcp::endpoint>& listen,
                     std::chrono::milliseconds connect_timeout);
  void stop_serving(const Service& service);

  // Nothing: it is not served.
  struct Sent {
    std::uint64_t direct = 0;  // connects
    std::uint64_t left = 0;    // those that went to the listener
  };
  std::optional<Sent> sent(const Service& service) const;
  DirectCounts counts(const Service& service, const Backend& backend) const;

  const std::string& cgroup() const { return cgroup_name_; }

 private:
  struct Served;
  using ServedPtr = std::shared_ptr<Served>;
  using Descriptor = asio::posix::stream_descriptor;

  Direct(asio::io_context& io, std::string cgroup_name);
  Result<void> begin_listing_addresses();
  void release(const tcp::endpoint& address, const Served& by);
  void on_event(const direct_event& event);
  void backend_failed(std::uint32_t slot);
  Result<void> list_addresses();
  void ask_those_in_doubt(const ServedPtr& served);
  Served* find(DirectTable::ServiceIndex index) const;

  static awaitable<void> read_events(Direct& self);
  static awaitable<void> follow_addresses(Direct& self);
  static awaitable<void> beat(Direct& self);
  static awaitable<void> publish(Direct& self, ServedPtr served);
  static awaitable<void> ask(Direct& self, ServedPtr served);

  asio::io_context& io_;
  const std::string cgroup_name_;
  std::optional<LocalAddresses> addresses_;  // none: only loopback is known to be of this host
  LocalAddresses::Set known_addresses_;
  std::unique_ptr<DirectPrograms> programs_;
  std::optional<DirectTable> table_;
  std::map<const Service*, ServedPtr> served_;
  std::optional<Descriptor> events_;
  std::optional<Descriptor> address_changes_;
  std::vector<Task> tasks_;
};

}  // namespace ambbpf
