// SPDX-License-Identifier: Apache-2.0
#include "userspace/dns/followed_name.h"

#include <algorithm>

#include "userspace/support/backoff.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

constexpr auto kLeastPause = 1s;  // between two questions, however much in doubt

}  // namespace

struct FollowedName::Parts {
  Parts(std::shared_ptr<Resolver> asked, const asio::any_io_executor& executor, DnsQuestion what,
        std::function<void()> tell)
      : resolver(std::move(asked)),
        question(std::move(what)),
        heard(std::move(tell)),
        pause(executor) {}

  // Returns when to ask again.
  Clock::time_point take(Result<DnsAnswer> answer);

  const std::shared_ptr<Resolver> resolver;
  const DnsQuestion question;
  std::function<void()> heard;  // empty: nobody is there
  asio::steady_timer pause;
  Backoff backoff{500ms, 10'000ms};
  State state;
};

Clock::time_point FollowedName::Parts::take(Result<DnsAnswer> answer) {
  state.is_failing = !answer;
  if (!answer) {
    ++state.failures;
    state.failed_at = Clock::now();
    state.last_error = answer.error().message();
    return *state.failed_at + backoff.next();
  }
  backoff.reset();
  ++state.answers;
  // Servers give the same addresses in turns, which is no change.
  if (state.answer && std::ranges::is_permutation(state.answer->addresses, answer->addresses))
    answer->addresses = state.answer->addresses;
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
