// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/text_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "userspace/support/plain_text.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kLabel = 11;  // with the space behind it
constexpr std::size_t kGap = 2;     // between the columns of a table
constexpr std::size_t kLongestParagraph = 6 * TextPage::kColumns;

// Takes off what fits into `room` columns; the space it was broken at is gone.
std::string_view take_piece(std::string_view& rest, std::size_t room) {
  if (rest.size() <= room) return std::exchange(rest, {});
  auto end = rest.rfind(' ', room);
  const bool at_space = end != std::string_view::npos && end > 0;
  if (!at_space) end = room;
  const auto piece = rest.substr(0, end);
  rest.remove_prefix(at_space ? end + 1 : end);
  return piece;
}

}  // namespace

void TextPage::line(std::string text) {
  while (text.ends_with(' ')) text.pop_back();
  text_ += text;
  text_ += '\n';
}

void TextPage::blank() { text_ += '\n'; }

void TextPage::paragraph(std::size_t indent, std::size_t hanging_indent, std::string_view text) {
  wrapped(std::string(indent, ' '), hanging_indent, text);
}

void TextPage::field(std::string_view label, std::string_view text) {
  wrapped(fmt::format("{:{}}{:{}}", "", kIndent, label, kLabel), kIndent + kLabel, text);
}

void TextPage::wrapped(std::string first_indent, std::size_t hanging_indent,
                       std::string_view text) {
  std::string whole = printable(text);
  const bool too_long = whole.size() > kLongestParagraph;
  if (too_long) whole.resize(kLongestParagraph);
  std::string_view rest = whole;
  std::string indent = std::move(first_indent);
  do {
    // Every line keeps a column free for the … of the last one.
    const auto piece = take_piece(rest, kColumns - indent.size() - 1);
    line(indent + std::string(piece) + (too_long && rest.empty() ? "…" : ""));
    indent.assign(hanging_indent, ' ');
  } while (!rest.empty());
}

void TextPage::table(const std::vector<Column>& columns, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t width = columns[i].head.size();
    for (const auto& row : rows)
      if (const auto size = printable(row[i]).size(); size <= columns[i].most)
        width = std::max(width, size);
      else if (i > 0)
        width = columns[i].most;
    widths.push_back(width);
  }
  Row heads;
  for (const auto& column : columns) heads.push_back(column.head);
  table_row(columns, widths, heads);
  for (const auto& row : rows) table_row(columns, widths, row);
}

void TextPage::table_row(const std::vector<Column>& columns, const std::vector<std::size_t>& widths,
                         const Row& row) {
  std::string out;
  std::size_t used = 0;  // columns; a … has more bytes than that
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::string cell = printable(row[i]);
    if (i == 0 && cell.size() > widths[i])
      line(std::string(kIndent, ' ') + shortened(std::exchange(cell, {}), kColumns - kIndent));
    const bool last = i + 1 == columns.size();
    const std::size_t gap = i == 0 ? kIndent : kGap;
    const std::size_t width = last ? std::min(widths[i], kColumns - used - gap) : widths[i];
    const std::size_t fill = width - std::min(width, cell.size());
    cell = last ? shortened_in_front(std::move(cell), width) : shortened(std::move(cell), width);
    const bool right = columns[i].side == Column::Side::kRight;
    out += std::string(gap + (right ? fill : 0), ' ') + cell + std::string(right ? 0 : fill, ' ');
    used += gap + width;
  }
  line(std::move(out));
}

}  // namespace ambbpf
