// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/discovery/etcd_outages.h"
#include "userspace/discovery/service_keys.h"
#include "userspace/discovery/source.h"
#include "userspace/etcd/types.h"
#include "userspace/support/backoff.h"

namespace ambbpf {

// What following a service in etcd means, whichever API: the set in force, which URL is next, when
// to try again, what to tell the operator. Does no I/O itself; etcd_source.h drives it.
class EtcdFollower {
 public:
  EtcdFollower(std::string kind, std::string directory, EtcdOptions options,
               std::shared_ptr<EtcdOutages> outages);

  void publish_to(Publish publish) { publish_ = std::move(publish); }

  const std::string& directory() const { return keys_.directory(); }
  const std::string& url() const { return options_.urls[url_]; }
  const EtcdPosition& position() const { return position_; }
  const EtcdOptions& options() const { return options_; }

  // Each listing has one of these outcomes. Zero: go on at once; otherwise wait so long first.
  void listed(const EtcdListing& listing);
  Backoff::Delay list_failed(const Error& error);
  Backoff::Delay not_served();

  // A watch tells news until it ends in one of two ways; then list again after the delay.
  void heard(const EtcdNews& news);
  Backoff::Delay watch_ended(const std::string& why);
  Backoff::Delay watch_failed(const Error& error);

  // True if the last listing is too fresh for anyone to know better.
  bool fresh() const;

  // True once after a listing from a server that may not be what it was: it was away, its
  // connection broke, or its history is another.
  bool take_server_changed() { return std::exchange(server_changed_, false); }

  SourceStatus status() const;

 private:
  void next_url() { url_ = (url_ + 1) % options_.urls.size(); }
  void failed(const Error& error);
  Backoff::Delay round_over();
  Backoff::Delay begin_outage(const std::string& errors);
  void end_outage();
  void take_break(const EtcdPosition& position);
  void publish_set();
  std::string name() const;
  std::string note() const;

  ServiceKeys keys_;
  const EtcdOptions options_;
  const std::shared_ptr<EtcdOutages> outages_;
  Publish publish_;
  SourceStatus status_;
  EtcdPosition position_;
  std::optional<std::vector<Endpoint>> published_;
  bool kept_ = false;  // published_ is from an earlier cluster, and the new one lists none

  std::size_t url_ = 0;
  std::size_t failed_in_round_ = 0;      // URLs without a listing since the last one
  std::size_t not_served_in_round_ = 0;  // those of them that answered
  std::string errors_in_round_;          // of the others
  std::string misplaced_;                // see EtcdListing
  std::size_t short_watches_ = 0;        // in a row
  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::milliseconds(5000)};
  Clock::time_point listed_at_;
  std::optional<Clock::time_point> outage_since_;
  bool outage_told_ = false;
  bool lost_watch_ = false;  // since the last listing
  bool server_changed_ = false;
};

}  // namespace ambbpf
