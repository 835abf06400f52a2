// SPDX-License-Identifier: Apache-2.0
// What a process has decided, and why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/support/asio.h"

namespace ambbpf {

// What made a part decide. Texts may be of any length, and hold anything.
struct Cause {
  std::string what{};                       // "/services/web/web-1 set"; empty: nobody has said
  std::optional<std::uint64_t> revision{};  // of etcd: the index of v2, the revision of v3
  Clock::time_point heard = Clock::now();   // of it
};

namespace event_kind {
inline constexpr std::string_view kStarted = "started";  // the process
inline constexpr std::string_view kReload = "reload";
inline constexpr std::string_view kReloadRefused = "reload refused";
inline constexpr std::string_view kServiceAdded = "service added";
inline constexpr std::string_view kServiceRemoved = "service removed";
inline constexpr std::string_view kSetChanged = "set changed";
inline constexpr std::string_view kRejected = "value rejected";
inline constexpr std::string_view kEjected = "ejected";
inline constexpr std::string_view kReturned = "returned";                   // answers again
inline constexpr std::string_view kEjectionsLimited = "ejections limited";  // by max_ejected
inline constexpr std::string_view kLimitEnded = "limit ended";              // … no longer
inline constexpr std::string_view kGrace = "grace";  // of endpoints that vanished together
inline constexpr std::string_view kGraceEnded = "grace ended";
inline constexpr std::string_view kDown = "down";  // by its checks
inline constexpr std::string_view kUp = "up";      // …
inline constexpr std::string_view kSourceLost = "source lost";
inline constexpr std::string_view kSourceBack = "source back";
inline constexpr std::string_view kByHand = "by hand";
inline constexpr std::string_view kKept = "kept";          // a set that the source lists no more
inline constexpr std::string_view kDemoted = "demoted";    // to user space, where many are busy
inline constexpr std::string_view kPromoted = "promoted";  // to the kernel again
}  // namespace event_kind

struct Event {
  std::uint64_t id = 0;   // rises by 1 from event to event of a process, from 1 on
  std::string time{};     // RFC 3339, in UTC, with microseconds
  std::string service{};  // empty: the process's, or that of a source, whomever it feeds
  std::string kind{};     // event_kind
  std::string cause{};
  std::optional<std::uint64_t> revision{};   // Cause::revision
  std::string outcome{};                     // "+10.0.0.9:80 -10.0.0.4:80 (3 endpoints)"
  std::optional<std::uint64_t> endpoints{};  // in the set from then on
  std::optional<std::uint64_t> version{};    // of the service's choice from then on
  std::optional<std::uint64_t> took_us{};    // from hearing of it until it was in force
};

}  // namespace ambbpf
