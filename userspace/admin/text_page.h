// SPDX-License-Identifier: Apache-2.0
// Lays out lines of at most 80 columns. Every text goes through printable() here, and nowhere past
// it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ambbpf {

class TextPage {
 public:
  static constexpr std::size_t kColumns = 80;

  struct Column {
    enum class Side { kLeft, kRight };
    std::string head;
    Side side = Side::kLeft;
    std::size_t most = 0;  // columns
  };
  using Row = std::vector<std::string>;

  void blank();

  // Broken at spaces, words longer than a line anywhere; after six lines' worth the rest is a ….
  void paragraph(std::size_t indent, std::size_t hanging_indent, std::string_view text);

  // A paragraph beside its label: "  engine     sockmap".
  void field(std::string_view label, std::string_view text);

  // Indented by 2, each column as wide as it needs to be. A first cell of more than its column's
  // most gets a line of its own; the last cell gets what the line has left and loses its beginning,
  // the others their end.
  void table(const std::vector<Column>& columns, const std::vector<Row>& rows);

  std::string take() { return std::move(text_); }

 private:
  void line(std::string text);
  void wrapped(std::string first_indent, std::size_t hanging_indent, std::string_view text);
  void table_row(const std::vector<Column>& columns, const std::vector<std::size_t>& widths,
                 const Row& row);

  std::string text_;
};

}  // namespace ambbpf
