// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/roff.h"

#include <fmt/format.h>

#include <algorithm>

namespace ambbpf {
namespace {

// What a typesetter would make something nicer of, which no shell understands.
std::string_view as_typed(char c) {
  switch (c) {
    case '\\':
      return "\\e";
    case '-':
      return "\\-";
    case '\'':
      return "\\(aq";
    case '`':
      return "\\(ga";
    case '^':
      return "\\(ha";
    case '~':
      return "\\(ti";
    default:
      return {};
  }
}

}  // namespace

std::string roff(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '.' && (made.empty() || made.back() == '\n')) made += "\\&";
    if (const auto escape = as_typed(c); !escape.empty())
      made += escape;
    else
      made += c;
  }
  return made;
}

std::string roff_head(std::string_view name, int section, std::string_view summary) {
  std::string title(name);
  std::ranges::transform(title, title.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return fmt::format(".TH {} {} \"\" \"ambbpf " AMBBPF_VERSION "\" \"ambbpf\"\n", roff(title),
                     section) +
         roff_section("NAME") + fmt::format("{} \\- {}\n", roff(name), roff(summary));
}

std::string roff_section(std::string_view title) { return fmt::format(".SH {}\n", roff(title)); }

std::string roff_item(std::string_view word, std::string_view type, std::string_view text) {
  const auto behind = type.empty() ? "" : fmt::format(" \\fI{}\\fR", roff(type));
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(word), behind, roff(text));
}

std::string roff_example(std::string_view lines) {
  return fmt::format(".nf\n{}\n.fi\n", roff(lines));
}

std::string roff_reference(std::string_view name, int section) {
  return fmt::format("\\fB{}\\fR({})", roff(name), section);
}

}  // namespace ambbpf
