// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/discovery/etcd_outages.h"
#include "userspace/discovery/services_by_directory.h"
#include "userspace/discovery/source.h"
#include "userspace/etcd/types.h"
#include "userspace/support/backoff.h"

namespace ambbpf {

// So many services of one cluster are followed one by one, each by its own directory; more of them
// by the directory that all services stand in, whatever else that holds.
inline constexpr std::size_t kFewServices = 2;

// What following a directory in etcd for the services below it means, whichever API: who gets what,
// which URL is next, when to try again, what to tell the operator. Keys of nobody's are not kept.
// Does no I/O itself; etcd_watch.h drives it.
class EtcdFollower {
 public:
  EtcdFollower(std::string kind, std::string directory, EtcdOptions options,
               std::shared_ptr<EtcdOutages> outages);
  EtcdFollower(const EtcdFollower&) = delete;
  EtcdFollower& operator=(const EtcdFollower&) = delete;

  // Services come and go at any time and outlive their being here. One that comes is to be listed.
  void add(FollowedService& service);
  void remove(FollowedService& service);
  void remove_all();
  bool has(const FollowedService& service) const { return services_.contains(service); }
  bool feeds_any() const;  // a service has its set from here, and not from another follower

  // The service is to be listed while the watch goes on.
  void ask_for(FollowedService& service) {
    if (!listing_.contains(service)) asked_for_.insert(&service);
  }
  bool is_asked() const { return !asked_for_.empty(); }

  const std::string& directory() const { return directory_; }
  const std::string& url() const { return options_.urls[url_]; }
  const EtcdPosition& position() const { return position_; }
  const EtcdOptions& options() const { return options_; }

  // What to list next: for all services, or for some that are asked for. wanted() is about these,
  // lacks_keys() whether a service has none in the listing.
  void begin_listing();
  std::string begin_listing_asked();  // the directory to list
  bool wanted(std::string_view key) const { return !listing_.of(key).empty(); }
  bool lacks_keys(const EtcdListing& listing) const;

  // Each listing has one of these outcomes. Zero: go on at once; otherwise wait so long first.
  void listed(const EtcdListing& listing);
  // Of those asked for. False: the cluster is not the one that is watched; list all.
  bool listed_asked(const EtcdListing& listing);
  Backoff::Delay list_failed(const Error& error);
  Backoff::Delay not_served();

  // A watch tells news until it ends in one of two ways; then list again after the delay.
  void heard(const EtcdNews& news);
  // Publishes what has changed; tells when the next is due of what has to wait.
  std::optional<Clock::time_point> publish();
  Backoff::Delay watch_ended(const std::string& why);
  Backoff::Delay watch_failed(const Error& error);

  // True if the last listing is too fresh for anyone to know better.
  bool fresh() const;

  // True once after a listing from a server that may not be what it was: it was away, its
  // connection broke, or its history is another.
  bool take_server_changed() { return std::exchange(server_changed_, false); }

  SourceStatus status() const;  // `from` is the URL alone

 private:
  void hand_out(const EtcdListing& listing);
  bool is_behind(const FollowedService& service, const EtcdPosition& position) const;
  bool breaks(const FollowedService& service, const EtcdPosition& position) const;
  void next_url() { url_ = (url_ + 1) % options_.urls.size(); }
  void failed(const Error& error);
  Backoff::Delay round_over();
  Backoff::Delay begin_outage(const std::string& errors);
  void end_outage();
  std::string name() const;

  const std::string directory_;
  const EtcdOptions options_;
  const std::shared_ptr<EtcdOutages> outages_;
  ServicesByDirectory services_;
  ServicesByDirectory listing_;  // whom the listing under way is for
  std::set<FollowedService*> asked_for_;
  std::set<FollowedService*> changed_;
  SourceStatus status_;
  EtcdPosition position_;

  std::size_t url_ = 0;
  std::size_t failed_in_round_ = 0;      // URLs without a listing since the last one
  std::size_t not_served_in_round_ = 0;  // those of them that answered
  std::string errors_in_round_;          // of the others
  std::size_t short_watches_ = 0;        // in a row
  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::milliseconds(5000)};
  Clock::time_point listed_at_;
  std::optional<Clock::time_point> outage_since_;
  bool outage_told_ = false;
  bool lost_watch_ = false;  // since the last listing
  bool server_changed_ = false;
};

}  // namespace ambbpf
