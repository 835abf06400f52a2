// SPDX-License-Identifier: Apache-2.0
#include "userspace/dns/followed_name.h"

#include <algorithm>

#include "userspace/support/backoff.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

constexpr auto kLeastPause = 1s;  // between two questions, however much in doubt

DnsQuestion::Kind kind_of(const asio::ip::address& address) {
  return address.is_v4() ? DnsQuestion::Kind::kOnlyIpv4 : DnsQuestion::Kind::kOnlyIpv6;
}

}  // namespace

struct FollowedName::Parts {
  Parts(std::shared_ptr<Resolver> asked, const asio::any_io_executor& executor, DnsQuestion what,
        std::function<void()> tell)
      : resolver(std::move(asked)),
        question(std::move(what)),
        heard(std::move(tell)),
        pause(executor) {}

  // The addresses that were known and are missing in `answer` are all of one kind: whether there
  // are none of it any more is the question; nothing: all is well.
  std::optional<DnsQuestion> question_for_missing(const Result<DnsAnswer>& answer) const;
  void add_missing(DnsAnswer& answer, DnsQuestion::Kind kind, const Result<DnsAnswer>& found) const;

  // Returns when to ask again.
  Clock::time_point take(Result<DnsAnswer> answer);

  const std::shared_ptr<Resolver> resolver;
  const DnsQuestion question;
  std::function<void()> heard;  // empty: nobody is there
  asio::steady_timer pause;
  Backoff backoff{500ms, 10'000ms};
  State state;
};

// c-ares takes one of the two answers, for A and for AAAA, for the whole where the other one fails.
std::optional<DnsQuestion> FollowedName::Parts::question_for_missing(
    const Result<DnsAnswer>& answer) const {
  if (!state.answer || !answer || answer->addresses.empty()) return std::nullopt;
  for (const auto kind : {DnsQuestion::Kind::kOnlyIpv4, DnsQuestion::Kind::kOnlyIpv6}) {
    const auto is_of_it = [kind](const asio::ip::address& address) {
      return kind_of(address) == kind;
    };
    if (std::ranges::any_of(state.answer->addresses, is_of_it) &&
        std::ranges::none_of(answer->addresses, is_of_it))
      return DnsQuestion{kind, question.name};
  }
  return std::nullopt;
}

void FollowedName::Parts::add_missing(DnsAnswer& answer, DnsQuestion::Kind kind,
                                      const Result<DnsAnswer>& found) const {
  if (found) answer.until = std::min(answer.until, found->until);
  const auto& missing = found ? found->addresses : state.answer->addresses;
  std::ranges::copy_if(missing, std::back_inserter(answer.addresses),
                       [kind](const auto& address) { return kind_of(address) == kind; });
}

Clock::time_point FollowedName::Parts::take(Result<DnsAnswer> answer) {
  if (std::exchange(state.is_failing, !answer) != state.is_failing) ++state.changes;
  if (!answer) {
    ++state.failures;
    state.failed_at = Clock::now();
    state.last_error = answer.error().message();
    return *state.failed_at + backoff.next();
  }
  backoff.reset();
  ++state.answers;
  // Servers give the same addresses in turns, which is no change.
  const bool is_same = state.answer && state.answer->services == answer->services &&
                       std::ranges::is_permutation(state.answer->addresses, answer->addresses);
  if (is_same)
    answer->addresses = state.answer->addresses;
  else
    ++state.changes;
  state.answer = std::move(*answer);
  return state.answer->until;
}

FollowedName::FollowedName(std::shared_ptr<Resolver> resolver, DnsQuestion question,
                           std::function<void()> heard)
    : parts_(std::make_shared<Parts>(resolver, resolver->executor(), std::move(question),
                                     std::move(heard))),
      task_(resolver->executor(), follow(parts_), parts_) {}

FollowedName::~FollowedName() { parts_->heard = nullptr; }

awaitable<void> FollowedName::follow(std::shared_ptr<Parts> parts) {
  auto heard_since = Clock::time_point::min();
  for (;;) {
    const auto asked_at = Clock::now();
    auto answer = co_await Resolver::ask(parts->resolver, parts->question, heard_since);
    if (auto missing = parts->question_for_missing(answer)) {
      const auto found = co_await Resolver::ask(parts->resolver, *missing, asked_at);
      parts->add_missing(*answer, missing->kind, found);
    }
    const auto next = parts->take(std::move(answer));
    // By a copy: what is told may destroy its own.
    if (const auto heard = parts->heard) heard();
    parts->pause.expires_at(next);
    co_await parts->pause.async_wait(as_tuple);
    // doubt() cuts the pause short: still not more often than agreed.
    while (Clock::now() < std::min(next, asked_at + kLeastPause)) {
      parts->pause.expires_at(asked_at + kLeastPause);
      co_await parts->pause.async_wait(as_tuple);
    }
    const auto now = Clock::now();
    heard_since = now < next ? now - kLeastPause : Clock::time_point::min();
  }
}

const FollowedName::State& FollowedName::state() const { return parts_->state; }

void FollowedName::doubt() { parts_->pause.cancel(); }

}  // namespace ambbpf
