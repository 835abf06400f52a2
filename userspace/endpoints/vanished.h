// SPDX-License-Identifier: Apache-2.0
// What one source says, and those of its endpoints that have vanished from there together.
#pragma once

#include <cstddef>
#include <vector>

#include "userspace/endpoints/endpoint.h"
#include "userspace/support/asio.h"

namespace ambbpf {

// Keys that expire together, because nobody could refresh them, say little of their endpoints: as
// an etcd without a leader lets them. So endpoints that vanish within a second of each other, two
// at least and at least half of all, are kept for a while. Who vanishes alone is gone. Pure:
// whoever asks says what time it is, and whether they answer.
class VanishedTogether {
 public:
  struct Kept {
    Endpoint endpoint;
    Clock::time_point until;
    unsigned unanswered = 0;  // connects, in a row
  };

  // The source's set from now on; `grace`: how long those are kept, zero: they are not. Returns how
  // many more are kept.
  std::size_t publish(std::vector<Endpoint> endpoints, Clock::time_point now,
                      Clock::duration grace);
  // One that is kept does, or does not. After the second time that it does not it is gone.
  void note(const tcp::endpoint& address, bool answers);
  // Those whose time is over are gone.
  void end_those_due(Clock::time_point now);

  // In the order in which they were before, as long as any is kept.
  std::vector<Endpoint> in_force() const;
  const std::vector<Kept>& kept() const { return kept_; }

 private:
  struct Gone {
    Endpoint endpoint;
    Clock::time_point since;
  };

  std::vector<Endpoint> published_;
  std::vector<Kept> kept_;
  std::vector<Gone> lately_;           // gone within a second
  std::vector<tcp::endpoint> before_;  // the order, from before any was kept
};

}  // namespace ambbpf
