// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/support/must.h"
#include "tests/support/peers.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::test {

// A network namespace beside the calling thread's, as a container has one, with a link between
// them. Gone with the object.
class OtherNetwork {
 public:
  // `here` and `there`: the addresses of the two ends, IPv4, in one /24.
  OtherNetwork(const std::string& here, const std::string& there);
  ~OtherNetwork();
  OtherNetwork(const OtherNetwork&) = delete;
  OtherNetwork& operator=(const OtherNetwork&) = delete;

  // In a thread of its own that is in there.
  template <class Work>
  auto inside(Work work) const {
    return in_background([this, work = std::move(work)] {
             enter();
             return work();
           })
        .get();
  }
  void run(const std::string& command) const;  // by a shell that is in there

 private:
  void enter() const;

  pid_t holder_ = -1;
};

}  // namespace ambbpf::test
