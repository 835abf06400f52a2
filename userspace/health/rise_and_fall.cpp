// SPDX-License-Identifier: Apache-2.0
#include "userspace/health/rise_and_fall.h"

namespace ambbpf {

bool RiseAndFall::count(bool good, unsigned rise, unsigned fall) {
  if (good == is_up_) {
    against_it_ = 0;
    return false;
  }
  if (++against_it_ < (is_up_ ? fall : rise)) return false;
  is_up_ = good;
  against_it_ = 0;
  return true;
}

}  // namespace ambbpf
