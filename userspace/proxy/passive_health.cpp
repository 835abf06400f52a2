// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/passive_health.h"

#include "userspace/proxy/dial.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

std::optional<BackendOutcome> learnt_from(const ConnectionEnd& end, Clock::duration lasted) {
  constexpr auto kAtOnce = 1s;
  if (end.bytes_to_client > 0) return BackendOutcome::kAnswered;
  if (end.bytes_to_backend == 0) return std::nullopt;
  const bool closed_at_once =
      end.reason == EndReason::kFinished && end.backend_was_first && lasted < kAtOnce;
  if (end.reason == EndReason::kBackendReset || closed_at_once) return BackendOutcome::kEarlyReset;
  return std::nullopt;
}

void note_end(Service& service, Backend& backend, const ConnectionEnd& end,
              Clock::duration lasted) {
  const auto learnt = learnt_from(end, lasted);
  if (learnt == BackendOutcome::kAnswered) return note_answer(service, backend, *learnt);
  if (learnt != BackendOutcome::kEarlyReset) return;
  const auto* const what = end.reason == EndReason::kBackendReset
                               ? "it reset a connection before it had said anything"
                               : "it closed a connection at once and said nothing";
  if (!service.report(backend, BackendOutcome::kEarlyReset, what)) return;
  log::warn("service {}: {}: {}; the endpoint is ejected", service.name(),
            to_string(backend.address()), what);
  service.doubt();
}

}  // namespace ambbpf
