// SPDX-License-Identifier: Apache-2.0
// Texts and figures in columns of a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ambbpf {

// At most `columns` of printable text; where more is lost, a … stands for it.
std::string shortened(std::string text, std::size_t columns);           // keeps the beginning
std::string shortened_in_front(std::string text, std::size_t columns);  // keeps the end

// At most 8 columns each.
std::string human_bytes(std::uint64_t bytes);  // "512 B", "1.4 GiB"
std::string human_count(std::uint64_t count);  // exact up to 9999999, then "12.3M"

// "350ms", "12s", "3m12s", "3h12m", "5d4h"
std::string human_span(std::uint64_t milliseconds);

// "1 event", "2 events"
std::string counted(std::uint64_t count, std::string_view noun);

}  // namespace ambbpf
