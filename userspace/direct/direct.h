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
#include "userspace/direct/pins.h"
#include "userspace/direct/reach.h"
#include "userspace/direct/table.h"
#include "userspace/direct/watches.h"
#include "userspace/endpoints/service.h"
#include "userspace/support/task.h"

namespace ambbpf {

struct DirectOptions {
  std::optional<std::filesystem::path> cgroup;  // whose processes are consumers; see open_cgroup()
  std::vector<std::filesystem::path> except_cgroups;
  std::uint32_t except_mark = 0;  // of sockets (SO_MARK); 0: none
  // When this process is killed, new connects are served for so long, or until another one has
  // taken over; 0: they are not.
  std::chrono::milliseconds fail_static{0};

  bool operator==(const DirectOptions&) const = default;
};

// On the controller's thread.
class Direct {
 public:
  // Loads the programs and attaches them. `io` outlives *this.
  static Result<std::unique_ptr<Direct>> create(asio::io_context& io, const DirectOptions& options);
  ~Direct();
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;

  // Connects to `listen`, and no other addresses, are sent to a backend of the service from now on,
  // or again; new ones for the first time as soon as a backend has answered. `watch`: backends that
  // are not on this host are held a connection to (Watches).
  Result<void> serve(const std::shared_ptr<Service>& service,
                     const std::vector<tcp::endpoint>& listen,
                     std::chrono::milliseconds connect_timeout, bool watch);
  void stop_serving(const Service& service);

  // Ends the open connections to backends that are in force no more. Returns how many.
  using Backends = std::vector<std::shared_ptr<const Backend>>;
  Result<std::size_t> reset(const Service& service, const Backends& backends);

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
  Result<void> exempt(const DirectOptions& options);
  void stay_for(std::chrono::milliseconds fail_static);
  void take_over();
  bool listens_where(const Pinned& predecessor) const;
  void release(const tcp::endpoint& address, const Served& by);
  void on_event(const direct_event& event);
  void judge_consumers(Served& served, const Backend& backend, bool answered);
  Result<void> list_addresses();
  void ask_those_in_doubt(const ServedPtr& served);
  ServedPtr find(DirectTable::ServiceIndex index) const;  // null: it is served no more

  static awaitable<void> read_events(Direct& self);
  static awaitable<void> follow_addresses(Direct& self);
  static awaitable<void> beat(Direct& self);
  static awaitable<void> publish(Direct& self, ServedPtr served);
  static awaitable<void> ask(Direct& self, ServedPtr served);
  std::shared_ptr<const Choice> publish_now(Served& served);
  static awaitable<void> hear(Direct& self, ServedPtr served, std::shared_ptr<Backend> backend,
                              Connecting connecting);

  asio::io_context& io_;
  const std::string cgroup_name_;
  std::optional<LocalAddresses> addresses_;  // none: only loopback is known to be of this host
  LocalAddresses::Set known_addresses_;
  const Clock::time_point started_ = Clock::now();
  std::vector<Pinned> predecessors_;  // maybe: those that were there before us
  std::optional<Pins> pins_;          // none: the programs go with this process
  std::unique_ptr<DirectPrograms> programs_;
  std::optional<DirectTable> table_;
  std::map<const Service*, ServedPtr> served_;
  std::optional<Watches> watches_;
  std::optional<Reach> reach_;
  std::optional<Descriptor> events_;
  std::optional<Descriptor> address_changes_;
  std::vector<Task> tasks_;
};

}  // namespace ambbpf
