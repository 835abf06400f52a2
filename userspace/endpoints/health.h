// SPDX-License-Identifier: Apache-2.0
// Whether a backend is to get connections, by what became of those that it had. Pure: whoever asks
// says what time it is.
#pragma once

#include <cstdint>

#include "userspace/support/asio.h"

namespace ambbpf {

// What was learnt of a backend.
enum class BackendOutcome {
  kConnected,
  kConnectFailed,
  kEarlyReset,  // it reset a connection, or closed it at once, before it had said anything
  kAnswered,    // it has sent the first byte of a connection
};

class Health {
 public:
  enum class State {
    kInUse,
    kEjected,  // for a time: it gets no connection
    kDue,      // that time is over: one connection is to try it
    kOnTrial,  // one does
  };
  enum class Change { kNone, kEjected, kEjectedAgain, kProven };

  State at(Clock::time_point now) const;
  // When that changes by itself; max: it does not.
  Clock::time_point until(Clock::time_point now) const;

  // A failed connect ejects, and so does the last of `eject_resets` early resets in a row (0: none
  // do): for 1 s, and twice as long each time that its trial fails, or that it is ejected again
  // before it has been well for as long as it was ejected; 30 s at most. What fails meanwhile was
  // under way already. It is proven by a good connect where only connects have failed, else by an
  // answer: what accepts and resets is connected to each time.
  Change note(BackendOutcome outcome, Clock::time_point now, unsigned eject_resets);

  // For the one connection that tries it: false where none is to. Of a trial that is neither won
  // nor lost after 5 s nobody knows what it is waiting for. Then the next one tries a backend that
  // could not be connected to; one that has reset connections is used again, and the next early
  // reset ejects it.
  bool begin_trial(Clock::time_point now);

  Clock::time_point ejected_until() const { return ejected_until_; }
  // It accepts connections: resets have ejected it.
  bool connects() const { return by_resets_; }
  // Whether there is anything that good outcomes change.
  bool is_suspect() const { return is_out_ || resets_in_a_row_ > 0; }

 private:
  Change eject(Clock::time_point now);
  Change prove(Clock::time_point now);

  bool is_out_ = false;     // since it was ejected, until it is proven
  bool by_resets_ = false;  // is_out_ for them, whatever else
  std::uint32_t resets_in_a_row_ = 0;
  Clock::duration pause_{};  // the last one
  Clock::time_point ejected_until_{};
  Clock::time_point trial_until_{};  // zero: none since the last ejection
  Clock::time_point proven_at_{};
};

}  // namespace ambbpf
