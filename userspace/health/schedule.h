// SPDX-License-Identifier: Apache-2.0
// When endpoints are checked, so that they are not all checked at once. Pure.
#pragma once

#include <chrono>
#include <cstddef>

namespace ambbpf {

// `random` is from 0 to 1, 1 excluded.

// The first check of the `index`-th of `count` endpoints that have come together: each has its part
// of the interval.
std::chrono::milliseconds first_check_after(std::size_t index, std::size_t count,
                                            std::chrono::milliseconds interval, double random);

// Each further one: the interval, less or more by up to a tenth.
std::chrono::milliseconds next_check_after(std::chrono::milliseconds interval, double random);

}  // namespace ambbpf
