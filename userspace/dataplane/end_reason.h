// SPDX-License-Identifier: Apache-2.0
// Why a connection ended: one list, closed, also of those that were never forwarded. The words are
// for operators, who find them in the access log and explained in units/OPERATING.md.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace ambbpf {

enum class EndReason : std::uint8_t {
  // Forwarded, and ended by its peers.
  kFinished,  // both sides in order
  kClientReset,
  kBackendReset,
  kClientVanished,   // heard no more, or it took nothing for too long
  kBackendVanished,  // …
  // Forwarded, and reset by us.
  kEndpointRemoved,
  kResetByHand,
  kIdle,         // these four by TimeLimits
  kHalfClosed,   // …
  kLifetime,     // …
  kNoFirstByte,  // …
  kStopped,      // also before it was forwarded
  kMiscounted,   // bytes received and bytes sent on did not agree
  kInternal,     // the kernel refused what a connection takes
  // Never forwarded: reset.
  kNoEndpoint,     // there was none for as long as it was held
  kConnectFailed,  // each attempt was refused
  kConnectTimeout,
  kConnectLimits,  // … by limits of this host, as of ports or memory
  kTooMany,
  kNoDescriptors,
  kNoProxyHeader,
  kMalformedProxyHeader,
  kDenied,
  kTooManyOfClient,
  kTooFast,        // of the client, or of all
  kEndpointsFull,  // each has as many as it may, and there is no queue
  kQueueFull,
  kQueueTimeout,
};

inline constexpr std::array<std::pair<EndReason, std::string_view>, 28> kEndReasons{{
    {EndReason::kFinished, "finished"},
    {EndReason::kClientReset, "client_reset"},
    {EndReason::kBackendReset, "backend_reset"},
    {EndReason::kClientVanished, "client_vanished"},
    {EndReason::kBackendVanished, "backend_vanished"},
    {EndReason::kEndpointRemoved, "endpoint_removed"},
    {EndReason::kResetByHand, "reset_by_hand"},
    {EndReason::kIdle, "idle_timeout"},
    {EndReason::kHalfClosed, "half_closed_timeout"},
    {EndReason::kLifetime, "max_lifetime"},
    {EndReason::kNoFirstByte, "first_byte_timeout"},
    {EndReason::kStopped, "stopped"},
    {EndReason::kMiscounted, "miscounted"},
    {EndReason::kInternal, "internal"},
    {EndReason::kNoEndpoint, "no_endpoint"},
    {EndReason::kConnectFailed, "connect_failed"},
    {EndReason::kConnectTimeout, "connect_timeout"},
    {EndReason::kConnectLimits, "connect_limits"},
    {EndReason::kTooMany, "too_many"},
    {EndReason::kNoDescriptors, "no_descriptors"},
    {EndReason::kNoProxyHeader, "no_proxy_header"},
    {EndReason::kMalformedProxyHeader, "malformed_proxy_header"},
    {EndReason::kDenied, "denied"},
    {EndReason::kTooManyOfClient, "too_many_of_client"},
    {EndReason::kTooFast, "too_fast"},
    {EndReason::kEndpointsFull, "endpoints_full"},
    {EndReason::kQueueFull, "queue_full"},
    {EndReason::kQueueTimeout, "queue_timeout"},
}};

static_assert(std::ranges::all_of(kEndReasons, [](const auto& word) {
  return &word == &kEndReasons[static_cast<std::size_t>(word.first)];
}));

constexpr std::string_view name_of(EndReason reason) {
  return kEndReasons[static_cast<std::size_t>(reason)].second;
}

}  // namespace ambbpf
