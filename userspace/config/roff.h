// SPDX-License-Identifier: Apache-2.0
// The pieces that pages for man(1) are made of.
#pragma once

#include <string>
#include <string_view>

namespace ambbpf {

// So that nothing is taken for a request or an escape, and what is shown can be copied.
std::string roff(std::string_view text);

// The head of a page, with its NAME.
std::string roff_head(std::string_view name, int section, std::string_view summary);

std::string roff_section(std::string_view title);

// A word with its explanation below it; `type` is what is to be written behind it.
std::string roff_item(std::string_view word, std::string_view type, std::string_view text);

// Shown as it is.
std::string roff_example(std::string_view lines);

// "ambbpf(1)"
std::string roff_reference(std::string_view name, int section);

}  // namespace ambbpf
