// SPDX-License-Identifier: Apache-2.0
// The answer of another process, as `ambbpf status` reads and prints it.
#include "userspace/admin/status_report.h"

#include <string>

#include "tests/fuzz/require.h"
#include "userspace/admin/text_page.h"
#include "userspace/support/quote.h"
#include "userspace/support/utf8.h"

namespace ambbpf::fuzz {
namespace {

// Lines of at most 80 columns, plain but for the … that stands for what was left out.
void require_page(std::string_view text) {
  constexpr std::string_view kEllipsis = "…";
  require(text.ends_with('\n'), "a page ends with a line break");
  while (!text.empty()) {
    std::string line(text.substr(0, text.find('\n')));
    text.remove_prefix(line.size() + 1);
    for (auto at = line.find(kEllipsis); at != std::string::npos; at = line.find(kEllipsis, at))
      line.replace(at, kEllipsis.size(), ".");
    require(is_plain(line), "a plain line");
    require(line.size() <= TextPage::kColumns, "a line of at most 80 columns");
  }
}

void report(std::string_view json) {
  const auto report = status_report_from_json(json);
  if (!report) return require(is_plain(report.error().message()), "a plain error");
  require_page(to_text(*report));
  const auto written = to_json(*report);
  require(is_plain(written), "JSON in plain ASCII");
  const auto again = status_report_from_json(written);
  require(again && to_json(*again) == written, "a report that was read is written as it was");
}

void texts(std::string_view text) {
  require(is_plain(printable(text)), "printable text is plain");
  const auto valid = valid_utf8(text);
  require(valid_utf8(valid) == valid, "valid UTF-8 stays as it is");
  TextPage page;
  page.paragraph(text.size() % 20, text.size() % 30, text);
  page.field("label", text);
  page.table({{"head", TextPage::Column::Side::kLeft, text.size() % 21},
              {"head", TextPage::Column::Side::kRight, 8},
              {"head", TextPage::Column::Side::kLeft, TextPage::kColumns}},
             {{std::string(text), "1", "short"}, {"short", "2", std::string(text)}});
  require_page(page.take());
}

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = ambbpf::fuzz::as_text(data, size);
  ambbpf::fuzz::report(input);
  ambbpf::fuzz::texts(input);
  return 0;
}
