// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/follower.h"

#include <fmt/format.h>

#include "userspace/events/event_log.h"
#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

// An event holds a container's labels.
constexpr std::size_t kLongestEvent = 1024 * 1024;  // bytes

// A stream that ends sooner says nothing about the next one: do not go round in circles with it.
constexpr auto kShortStream = 1s;

std::string name_of(const Containers& containers, const std::string& id) {
  const auto known = containers.find(id);
  return known == containers.end() ? id.substr(0, 12) : printable(known->second.name);
}

}  // namespace

DockerFollower::DockerFollower(asio::any_io_executor executor, DockerAddress address, Pace pace)
    : pace_(pace),
      api_(std::move(executor), std::move(address)),
      known_(pace.signal_ignored),
      inspections_(api_,
                   [this](const std::string& id, Inspections::Answer answer) {
                     take_inspection(id, std::move(answer));
                   }),
      ended_(api_.executor()) {
  status_.from = api_.address().name;
}

// What it has started ends before it does.
awaitable<void> DockerFollower::run() {
  bool following = true;
  auto work = follow_on();
  spawn_stoppable(ended_.get_executor(), std::move(work), stop_.slot(), [this, &following] {
    following = false;
    ended_.cancel();
  });
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await until_cancelled();
  stop_.emit(asio::cancellation_type::terminal);
  while (following) {
    ended_.expires_at(Clock::time_point::max());
    co_await ended_.async_wait(as_tuple);
  }
  co_await inspections_.end();
}

awaitable<void> DockerFollower::follow_on() {
  for (;;) {
    const auto error = co_await follow();
    stream_ = HttpStream();
    listing_.clear();
    const auto delay = delay_after(error);
    if (delay != 0ms) co_await sleep_for(delay);
  }
}

// The stream of events begins first, so that nothing falls between it and the listing.
awaitable<Error> DockerFollower::follow() {
  followed_since_.reset();
  listing_failed_.reset();
  api_.forget_version();
  auto stream = co_await api_.events(events_since_nano_);
  if (!stream) co_return stream.error();
  stream_ = std::move(*stream);
  status_.version = api_.version();
  JsonSplitter splitter(kLongestEvent);
  auto list_at = Clock::now();
  for (;;) {
    if (Clock::now() >= list_at) {
      const auto listed = co_await list();
      if (!listed) co_return listed.error();
      list_at = Clock::now() + pace_.list;
    }
    const auto piece = co_await stream_.read_some(list_at);
    if (listing_failed_) co_return *listing_failed_;
    if (!piece) co_return piece.error();
    if (piece->kind == StreamPiece::Kind::kEnd)
      co_return Error{fmt::format("{} has ended the stream of events", status_.from), {}};
    const auto taken = take_events(splitter, piece->text);
    if (!taken) co_return taken.error();
  }
}

awaitable<Result<void>> DockerFollower::list() {
  const auto ids = co_await api_.list();
  if (!ids) co_return tl::unexpected(ids.error());
  listing_ = known_.to_inspect(*ids);
  any_inspected_ = listing_.empty();
  for (const auto& id : listing_) inspections_.ask(id);
  if (listing_.empty()) listing_done();
  co_return Result<void>{};
}

Result<void> DockerFollower::take_events(JsonSplitter& splitter, std::string_view text) {
  const auto objects = splitter.take(text);
  if (!objects) return fail(fmt::format("events of {}: {}", status_.from, objects.error().what));
  for (const auto& object : *objects) {
    const auto event = decode_docker_event(object);
    if (event)
      take_event(*event);
    else
      log::debug("docker {}: {}", status_.from, event.error().message());
  }
  publish_changes();
  return {};
}

void DockerFollower::take_event(const DockerEvent& event) {
  if (event.kind == DockerEvent::Kind::kOther) return;
  ++status_.events;
  heard();
  // One nanosecond on: the engine gives those of the very time asked for as well.
  if (event.time_nano != 0) events_since_nano_ = event.time_nano + 1;
  const auto name = name_of(known_.containers(), event.id);
  const auto next = known_.heard(event, Clock::now());
  cause_ = {.what = fmt::format("container {}: {}", name, printable(event.action))};
  if (next == KnownContainers::Next::kInspect) {
    heard_.insert_or_assign(event.id, Cause{.what = printable(event.action)});
    inspections_.ask(event.id);
  }
  if (next == KnownContainers::Next::kDoubt) inspections_.doubt(event.id);
}

void DockerFollower::take_inspection(const std::string& id, Inspections::Answer answer) {
  if (answer) {
    heard();
    any_inspected_ = true;
    uninspected_.erase(id);
    const auto name_before = name_of(known_.containers(), id);
    const bool is_gone = !answer->has_value();
    known_.inspected(id, std::move(*answer), Clock::now());
    inspected_because_of(id, is_gone ? name_before : name_of(known_.containers(), id));
  } else {
    heard_.erase(id);
    failed(answer.error());
    complain_of(id);
  }
  if (listing_.erase(id) != 0 && listing_.empty()) listing_done();
  publish_changes();
}

void DockerFollower::inspected_because_of(const std::string& id, const std::string& name) {
  auto heard = heard_.extract(id);
  cause_ = heard.empty() ? Cause{.what = "inspection"} : std::move(heard.mapped());
  cause_.what = fmt::format("container {}: {}", name, cause_.what);
}

// A container that cannot be inspected stays what it was; if none can be, that is an outage.
void DockerFollower::listing_done() {
  if (!any_inspected_) {
    listing_failed_ = Error{status_.last_error, {}};
    stream_.interrupt();
    return;
  }
  ++status_.lists;
  heard();
  if (!followed_since_) {
    followed_since_ = Clock::now();
    cause_ = {.what = "listing of " + status_.from};
  }
  end_outage();
  publish_changes();
}

// Before the first listing is done the set is not whole.
void DockerFollower::publish_changes() {
  if (status_.lists == 0 || published_ == known_.containers()) return;
  published_ = known_.containers();
  status_.containers = published_->size();
  std::erase_if(subscribers_, [](const auto& subscriber) { return subscriber.expired(); });
  const auto subscribers = subscribers_;  // who is told may bring others
  for (const auto& subscriber : subscribers)
    if (const auto kept = subscriber.lock()) (*kept)(*published_);
}

std::shared_ptr<const DockerFollower::Subscriber> DockerFollower::subscribe(Subscriber subscriber) {
  auto kept = std::make_shared<const Subscriber>(std::move(subscriber));
  subscribers_.push_back(kept);
  if (published_) (*kept)(*published_);
  return kept;
}

void DockerFollower::heard() { status_.heard_at = Clock::now(); }

void DockerFollower::failed(const Error& error) {
  ++status_.failures;
  status_.failed_at = Clock::now();
  status_.last_error = error.message();
  log::debug("docker {}: {}", status_.from, status_.last_error);
}

void DockerFollower::complain_of(const std::string& id) {
  if (!followed_since_ || !uninspected_.insert(id).second) return;
  log::warn("docker {}: container {} cannot be inspected and stays what it was: {}", status_.from,
            id.substr(0, 12), status_.last_error);
}

Backoff::Delay DockerFollower::delay_after(const Error& error) {
  failed(error);
  if (!followed_since_) return begin_outage();
  if (Clock::now() - *followed_since_ < kShortStream) return backoff_.next();
  backoff_.reset();
  return 0ms;
}

Backoff::Delay DockerFollower::begin_outage() {
  if (!outage_since_) {
    outage_since_ = Clock::now();
    log::warn("docker {} cannot be followed: {}; {} containers stay in force", status_.from,
              status_.last_error, status_.containers);
    event_log().record({.kind = std::string(event_kind::kSourceLost),
                        .cause = status_.last_error,
                        .outcome = fmt::format("docker {}: {} containers stay in force",
                                               status_.from, status_.containers)});
  }
  status_.state = DockerStatus::State::kFailing;
  return backoff_.next();
}

void DockerFollower::end_outage() {
  if (outage_since_) {
    const std::chrono::duration<double> away = Clock::now() - *outage_since_;
    log::info("docker {} is followed again after {:.1f} s", status_.from, away.count());
    event_log().record(
        {.kind = std::string(event_kind::kSourceBack),
         .cause = "it lists again",
         .outcome = fmt::format("docker {} after {:.1f} s", status_.from, away.count())});
    outage_since_.reset();
  }
  status_.state = DockerStatus::State::kFollowing;
}

}  // namespace ambbpf
