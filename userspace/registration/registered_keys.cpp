// SPDX-License-Identifier: Apache-2.0
#include "userspace/registration/registered_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using Kind = EtcdFound::Kind;

constexpr std::size_t kShownOfAValue = 200;  // bytes

}  // namespace

void RegisteredKeys::want(const WantedKeys& wanted, const Reasons& why_not) {
  drop_unwanted(wanted, why_not);
  for (const auto& [key, value] : wanted) {
    auto& entry = entries_[key];
    if (entry.value == value && entry.state != State::kWithdrawing) continue;
    entry.value = value;
    entry.state = State::kPending;
    entry.anew = true;
    entry.refused = false;
    entry.note.clear();
  }
}

void RegisteredKeys::drop_unwanted(const WantedKeys& wanted, const Reasons& why_not) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    auto& entry = at->second;
    if (wanted.contains(at->first)) {
      ++at;
    } else if (!entry.sent) {
      at = entries_.erase(at);
    } else {
      if (std::exchange(entry.state, State::kWithdrawing) != State::kWithdrawing) {
        const auto reason = why_not.find(at->first);
        entry.note = reason == why_not.end() ? "" : reason->second;
        entry.refused = false;
      }
      ++at;
    }
  }
}

void RegisteredKeys::adopt(const std::vector<OwnKey>& left_over) {
  for (const auto& key : left_over) {
    if (entries_.contains(key.key)) continue;
    auto& entry = entries_[key.key];
    entry.state = State::kWithdrawing;
    entry.sent = key;
    entry.note = "left over from before";
    log::info("{} is left over from an earlier registrar: {}", printable(key.key),
              quoted(key.value, kShownOfAValue));
  }
}

// Writes come first: what takes another key's place stands before that one goes.
std::optional<RegisteredKeys::Task> RegisteredKeys::take_next() {
  const auto rank = [](const Entry& entry) {
    return std::pair(entry.tries, entry.state == State::kWithdrawing);
  };
  auto next = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const auto& entry = at->second;
    const bool due = entry.state == State::kPending || entry.state == State::kWithdrawing;
    if (!due || entry.refused) continue;
    if (next == entries_.end() || rank(entry) < rank(next->second)) next = at;
  }
  if (next == entries_.end()) return std::nullopt;
  auto& [key, entry] = *next;
  ++entry.tries;
  if (entry.state == State::kWithdrawing)
    return Task{Task::Kind::kRemove, *entry.sent, std::nullopt};
  const auto kind = entry.anew ? Task::Kind::kPut : Task::Kind::kPutUnlessOthers;
  const auto before = std::exchange(entry.sent, OwnKey{key, entry.value, 0});
  return Task{kind, *entry.sent, before};
}

void RegisteredKeys::put_done(const Task& task, const EtcdFound& found) {
  const auto& key = task.key.key;
  auto& entry = entries_.at(key);  // what has been sent is not dropped
  entry.tries = 0;
  const bool still_wanted = entry.state == State::kPending && entry.value == task.key.value;
  if (found.kind == Kind::kRefused) {
    entry.sent = task.before;
    if (still_wanted) refuse(entry, key, found.text);
    return drop_if_nothing_stands(key);
  }
  if (found.kind == Kind::kOther) {
    entry.sent.reset();
    if (still_wanted) found_other(entry, key, found.text);
    return drop_if_nothing_stands(key);
  }
  ++counts_.writes;
  entry.sent->index = found.index;
  const auto why = task.kind == Task::Kind::kPut ? "" : ", " + entry.note;
  log::info("{} is written{}: {}", printable(key), why, quoted(task.key.value, kShownOfAValue));
  if (!still_wanted) return;
  entry.state = State::kKept;
  entry.anew = false;
  entry.note.clear();
}

void RegisteredKeys::remove_done(const Task& task, const EtcdFound& found) {
  const auto& key = task.key.key;
  auto& entry = entries_.at(key);
  entry.tries = 0;
  if (found.kind == Kind::kRefused) {
    if (entry.state == State::kWithdrawing) refuse(entry, key, found.text);
    return;
  }
  if (found.kind == Kind::kOurs) {
    ++counts_.deletes;
    log::info("{} is deleted{}{}", printable(key), entry.note.empty() ? "" : ": ", entry.note);
  } else if (found.kind == Kind::kOther) {
    log::info("{} is left to another registrar, who has written it since", printable(key));
  }
  entry.sent.reset();
  drop_if_nothing_stands(key);
}

void RegisteredKeys::drop_if_nothing_stands(const std::string& key) {
  const auto& entry = entries_.at(key);
  if (entry.state == State::kWithdrawing && !entry.sent) entries_.erase(key);
}

std::vector<OwnKey> RegisteredKeys::to_keep() const {
  std::vector<OwnKey> keys;
  for (const auto& [key, entry] : entries_) {
    if (entry.state == State::kKept) keys.push_back(*entry.sent);
    if (entry.state == State::kOvertaken) keys.push_back({key, entry.value, 0});
  }
  return keys;
}

void RegisteredKeys::keep_done(const std::vector<OwnKey>& asked,
                               const std::vector<EtcdFound>& found) {
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto at = entries_.find(asked[i].key);
    if (at == entries_.end()) continue;
    auto& entry = at->second;
    if (found[i].kind == Kind::kOurs) found_ours(entry, asked[i], found[i].index);
    // What has been wanted otherwise in the meantime is due anyway.
    if (entry.value != asked[i].value) continue;
    if (entry.state != State::kKept && entry.state != State::kOvertaken) continue;
    if (found[i].kind == Kind::kLost) found_lost(entry, asked[i]);
    if (found[i].kind == Kind::kOther) found_other(entry, at->first, found[i].text);
    if (found[i].kind == Kind::kRefused) refuse(entry, at->first, found[i].text);
  }
}

void RegisteredKeys::keep_failed(const std::vector<OwnKey>& asked) {
  for (const auto& own : asked) {
    const auto at = entries_.find(own.key);
    if (at != entries_.end() && at->second.sent && at->second.sent->value == own.value)
      at->second.sent->index = 0;
  }
}

// A refresh changes a v2 key's index, also of a key that is to be deleted by now.
void RegisteredKeys::found_ours(Entry& entry, const OwnKey& asked, std::uint64_t index) {
  if (entry.sent && entry.sent->value == asked.value) entry.sent->index = index;
  if (entry.value != asked.value) return;
  if (entry.state == State::kOvertaken) {
    log::info("{} has our value again, and is kept", printable(asked.key));
    entry.sent = OwnKey{asked.key, asked.value, index};
    entry.state = State::kKept;
  }
  if (entry.state == State::kKept) {
    entry.refused = false;
    entry.note.clear();
  }
}

void RegisteredKeys::found_lost(Entry& entry, const OwnKey& asked) {
  const bool was_kept = entry.state == State::kKept;
  if (was_kept) ++counts_.lost;
  entry.note = was_kept ? "having been lost" : "the other registrar's being gone";
  if (was_kept) log::warn("{} is no longer in etcd as we wrote it", printable(asked.key));
  entry.state = State::kPending;
  entry.anew = false;
}

void RegisteredKeys::found_other(Entry& entry, const std::string& key, const std::string& value) {
  entry.note = quoted(value, kShownOfAValue);
  entry.sent.reset();
  if (std::exchange(entry.state, State::kOvertaken) != State::kOvertaken)
    log::warn("{} was written by another registrar: {}; ours stands by", printable(key),
              entry.note);
}

void RegisteredKeys::refuse(Entry& entry, const std::string& key, const std::string& why) {
  entry.refused = true;
  if (std::exchange(entry.note, why) != why) log::warn("{} is refused: {}", printable(key), why);
}

void RegisteredKeys::retry_refused() {
  for (auto& [key, entry] : entries_) entry.refused = false;
}

bool RegisteredKeys::any_refused() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& one) { return one.second.refused; });
}

std::vector<RegisteredKey> RegisteredKeys::list() const {
  std::vector<RegisteredKey> keys;
  for (const auto& [key, entry] : entries_)
    keys.push_back({key, entry.value, entry.state, entry.note});
  return keys;
}

}  // namespace ambbpf
