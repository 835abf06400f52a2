// SPDX-License-Identifier: Apache-2.0
// Texts that others wrote, and figures, made fit for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ambbpf {

// Printable ASCII as it is, every other byte as \xNN: one column a character, no control sequences.
std::string plain(std::string_view text);

// At most `columns` of plain text; where more is lost, a … stands for it.
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
