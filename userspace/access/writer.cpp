// SPDX-License-Identifier: Apache-2.0
#include "userspace/access/writer.h"

#include <algorithm>
#include <utility>

#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMostAtOnce = 1024;  // lines in one write
constexpr auto kSlow = 1s;                 // a reader that takes nothing for so long is a trouble
constexpr auto kLastTry = 1s;              // at the end, for what is left

std::size_t count_of(std::string_view piece, std::string_view text) {
  std::size_t found = 0;
  for (auto at = text.find(piece); at != std::string_view::npos;
       at = text.find(piece, at + piece.size()))
    ++found;
  return found;
}

}  // namespace

AccessWriter::AccessWriter(std::shared_ptr<AccessQueue> queue, const std::string& target,
                           AccessFormat format)
    : queue_(std::move(queue)),
      name_(target),
      target_(access_target(target)),
      lines_(format, std::holds_alternative<AccessJournal>(target_)
                         ? AccessLines::Frame::kJournalEntry
                         : AccessLines::Frame::kLine),
      lost_told_(queue_->counts->lost) {}

void AccessWriter::run() {
  auto last_try = Clock::time_point::max();
  for (;;) {
    const auto orders = queue_->wait(batch_, has_some_left());
    if (orders.reopen) reopen();
    if (orders.end && !std::exchange(ends_, true)) last_try = Clock::now() + kLastTry;
    const bool had_some = has_some_left();
    while (has_some_left() && write_some()) continue;
    tell_what_is_lost();
    if (Clock::now() >= last_try) give_up();
    if (ends_ && !has_some_left() && !had_some) break;
  }
  queue_->ended();
}

void AccessWriter::put_some_into_words() {
  text_.clear();
  written_ = 0;
  const auto end = std::min(batch_.size(), next_ + kMostAtOnce);
  for (; next_ < end; ++next_) lines_.append(batch_[next_], text_);
  if (next_ < batch_.size()) return;
  batch_.clear();  // and its memory serves again
  next_ = 0;
}

bool AccessWriter::write_some() {
  if (written_ == text_.size()) put_some_into_words();
  const auto written = std::visit([this](auto& target) { return target.write(left()); }, target_);
  if (!written)
    refused(written.error());
  else
    taken(*written);
  return written.has_value();
}

// A line that was written in part begins anew in the other file.
void AccessWriter::reopen() {
  auto* const file = std::get_if<AccessFile>(&target_);
  if (!file) return;
  file->reopen();
  const std::string_view begun(text_.data(), written_);
  const auto end_of_last = begun.rfind('\n');
  written_ = end_of_last == std::string_view::npos ? 0 : end_of_last + 1;
}

void AccessWriter::taken(std::size_t size) {
  queue_->counts->lines.fetch_add(count_of(lines_.end_of_line(), left().substr(0, size)),
                                  std::memory_order_relaxed);
  written_ += size;
  full_since_.reset();
  if (!std::exchange(is_refused_, false)) return;
  queue_->set_trouble("");
  if (!ends_) log::info("access log {}: lines are written again", name_);
}

void AccessWriter::refused(const Error& why) {
  const bool is_full = why.code == std::errc::resource_unavailable_try_again;
  if (is_full) {
    const auto now = Clock::now();
    if (!full_since_) full_since_ = now;
    if (now - *full_since_ < kSlow) return;
  }
  const auto trouble = is_full ? name_ + ": nobody reads it" : why.message();
  queue_->set_trouble(trouble);
  if (std::exchange(is_refused_, true) || ends_) return;
  if (const auto unsaid = refusals_log_.pass(Clock::now()))
    log::warn("access log {}; its lines wait, the last {} at most{}", trouble, AccessQueue::kMost,
              more_before_it(*unsaid));
}

void AccessWriter::tell_what_is_lost() {
  const auto lost = queue_->counts->lost.load(std::memory_order_relaxed);
  if (lost == lost_told_ || has_some_left() || ends_ || !losses_log_.pass(Clock::now())) return;
  log::warn("access log {}: {} lines are lost: they were not taken in time", name_,
            lost - std::exchange(lost_told_, lost));
}

void AccessWriter::give_up() {
  queue_->counts->lose(count_of(lines_.end_of_line(), left()) + batch_.size() - next_);
  text_.clear();
  batch_.clear();
  written_ = next_ = 0;
}

}  // namespace ambbpf
