// SPDX-License-Identifier: Apache-2.0
#include "userspace/dns/resolver.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <optional>

#include "userspace/dns/channel.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

constexpr auto kAgeOfFailures = 200ms;  // less than anybody's pause before he asks again
constexpr auto kBetweenClearings = 10s;

// Of an address, which is its own answer; none: it is a name.
std::optional<Result<DnsAnswer>> answer_at_once(const DnsQuestion& question) {
  if (question.kind == DnsQuestion::Kind::kServices) return std::nullopt;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(question.name, error);
  if (error) return std::nullopt;
  const bool needs_zone = question.name.find('%') != std::string::npos;
  if (needs_zone && address.to_v6().scope_id() == 0)
    return fail(fmt::format("resolve {}: there is no such interface", question.name));
  DnsAnswer answer;
  answer.addresses.push_back(address);
  set_age(answer, kLongestAge.count(), Clock::now());
  return answer;
}

}  // namespace

struct Resolver::Asked {
  explicit Asked(const asio::any_io_executor& executor)
      : answered(executor, Clock::time_point::max()) {}

  std::optional<Result<DnsAnswer>> answer;
  asio::steady_timer answered;  // the answer cancels it
  bool is_at_work = false;
};

Resolver::Resolver(asio::any_io_executor executor) : executor_(std::move(executor)) {}
Resolver::~Resolver() = default;

void Resolver::use_servers(std::vector<tcp::endpoint> servers) {
  if (servers_ == servers) return;
  servers_ = std::move(servers);
  if (channel_) replaced_.push_back(std::exchange(channel_, nullptr));
  known_.clear();
}

awaitable<Result<DnsAnswer>> Resolver::ask(std::shared_ptr<Resolver> self, DnsQuestion question,
                                           Clock::time_point heard_since) {
  if (auto answer = answer_at_once(question)) co_return std::move(*answer);
  if (const auto known = self->known_.find(question); known != self->known_.end() &&
                                                      known->second.heard >= heard_since &&
                                                      known->second.until > Clock::now())
    co_return known->second.answer;
  const auto asked = self->asked(question);
  while (!asked->answer) co_await asked->answered.async_wait(as_tuple);
  co_return *asked->answer;
}

std::shared_ptr<Resolver::Asked> Resolver::asked(const DnsQuestion& question) {
  auto& place = asked_[question];
  auto asked = place.lock();
  if (asked) return asked;
  asked = std::make_shared<Asked>(executor_);
  place = asked;
  waiting_.push_back(question);
  // In a later turn: who asks waits by then.
  asio::post(executor_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->ask_some();
  });
  return asked;
}

void Resolver::ask_some() {
  while (at_work_ < kMostAtOnce && !waiting_.empty()) {
    const auto question = std::move(waiting_.front());
    waiting_.pop_front();
    const auto place = asked_.find(question);
    if (place == asked_.end()) continue;
    const auto asked = place->second.lock();
    if (!asked)
      asked_.erase(place);  // nobody waits for it any more
    else if (!std::exchange(asked->is_at_work, true))
      ask_now(question);
  }
}

void Resolver::ask_now(const DnsQuestion& question) {
  auto open = channel();
  if (!open) {
    answered(question, tl::unexpected(open.error()));
    return;
  }
  ++at_work_;
  ++questions_;
  (*open)->ask(question, [weak = weak_from_this(), question](Result<DnsAnswer> answer) {
    const auto self = weak.lock();
    if (!self) return;
    --self->at_work_;
    self->answered(question, std::move(answer));
    self->ask_some();
  });
}

void Resolver::answered(const DnsQuestion& question, Result<DnsAnswer> answer) {
  const auto now = Clock::now();
  forget_what_has_aged(now);
  const auto until = answer ? answer->until : now + kAgeOfFailures;
  if (auto place = asked_.extract(question)) {
    if (const auto asked = place.mapped().lock()) {
      asked->answer = answer;
      asked->answered.cancel();
    }
  }
  known_.insert_or_assign(question, Known{std::move(answer), now, until});
}

void Resolver::forget_what_has_aged(Clock::time_point now) {
  std::erase_if(replaced_, [](const auto& channel) { return channel->is_idle(); });
  if (now < forgot_at_ + kBetweenClearings) return;
  forgot_at_ = now;
  std::erase_if(known_, [now](const auto& known) { return known.second.until <= now; });
}

// c-ares reads the files once, a host may get others while it runs.
Result<std::shared_ptr<DnsChannel>> Resolver::channel() {
  const auto now = stamp();
  if (channel_ && now != stamp_) replaced_.push_back(std::exchange(channel_, nullptr));
  if (channel_) return channel_;
  auto opened = DnsChannel::open(executor_, servers_);
  if (!opened) return opened;
  channel_ = std::move(*opened);
  stamp_ = now;
  return channel_;
}

Resolver::Stamp Resolver::stamp() {
  struct stat file {};
  if (::stat("/etc/resolv.conf", &file) < 0) return {};
  return {file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_ino};
}

}  // namespace ambbpf
