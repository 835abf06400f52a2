// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ambbpf {

// Whether an endpoint is up, by its checks: so many failed ones in a row take it out, so many good
// ones bring it back. Before its first check it is up.
class RiseAndFall {
 public:
  bool is_up() const { return is_up_; }
  unsigned against_it() const { return against_it_; }  // the last checks that say otherwise

  // Returns whether it is now up, or down, that was not. `rise` and `fall`: 1 and more; they may
  // change.
  bool count(bool good, unsigned rise, unsigned fall);

 private:
  bool is_up_ = true;
  unsigned against_it_ = 0;
};

}  // namespace ambbpf
