// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/etcd_watch.h"

#include "userspace/etcd/failure.h"
#include "userspace/etcd/v2.h"
#include "userspace/etcd/v3.h"

namespace ambbpf {

using namespace std::chrono_literals;

std::shared_ptr<asio::steady_timer> WakeUp::add_sleeper(const asio::any_io_executor& executor) {
  std::erase_if(sleepers_, [](const auto& sleeper) { return sleeper.expired(); });
  auto timer = std::make_shared<asio::steady_timer>(executor);
  sleepers_.push_back(timer);
  return timer;
}

void WakeUp::all() {
  for (const auto& sleeper : sleepers_)
    if (const auto timer = sleeper.lock()) timer->cancel();
}

template <class Api>
EtcdWatch<Api>::EtcdWatch(EtcdClient& client, std::string directory, const EtcdOptions& options,
                          std::shared_ptr<EtcdOutages> outages, std::shared_ptr<WakeUp> wake_up,
                          Tell tell)
    : follower_(Api::kKind, std::move(directory), options, std::move(outages)),
      api_(client, follower_.directory(), options),
      wake_up_(std::move(wake_up)),
      tell_(std::move(tell)),
      pause_(wake_up_->add_sleeper(client.executor())),
      publication_(client.executor()) {}

template <class Api>
awaitable<void> EtcdWatch<Api>::run() {
  for (;;) {
    const auto delay = listed_ ? co_await watch() : co_await list();
    if (follower_.take_server_changed()) wake_up_->all();
    if (delay == 0ms) continue;
    pause_->expires_after(delay);
    co_await pause_->async_wait(as_tuple);
  }
}

template <class Api>
awaitable<Result<EtcdListing>> EtcdWatch<Api>::list_for_some(std::string directory) {
  const EtcdWanted wanted = [this](std::string_view key) { return follower_.wanted(key); };
  auto listing = co_await api_.list(follower_.url(), directory, wanted);
  if (listing && listing->served && follower_.lacks_keys(*listing))
    listing->misplaced = co_await api_.misplaced(follower_.url(), std::move(directory), wanted);
  co_return listing;
}

template <class Api>
Backoff::Delay EtcdWatch<Api>::list_failed(const Error& error) {
  if (is_too_long(error)) tell_.too_long();
  return follower_.list_failed(error);
}

template <class Api>
awaitable<Backoff::Delay> EtcdWatch<Api>::list() {
  follower_.begin_listing();
  const auto listing = co_await list_for_some(follower_.directory());
  if (!listing) co_return list_failed(listing.error());
  if (!listing->served) co_return follower_.not_served();
  follower_.listed(*listing);
  listed_ = true;
  tell_.listed();
  co_return 0ms;
}

template <class Api>
awaitable<bool> EtcdWatch<Api>::list_asked(Backoff::Delay& delay) {
  const auto listing = co_await list_for_some(follower_.begin_listing_asked());
  if (!listing) {
    delay = list_failed(listing.error());
    co_return false;
  }
  if (!listing->served || !follower_.listed_asked(*listing)) {
    delay = follower_.watch_ended("the server is at another place in its history");
    co_return false;
  }
  tell_.listed();
  co_return true;
}

template <class Api>
awaitable<Backoff::Delay> EtcdWatch<Api>::watch() {
  listed_ = false;
  Backoff::Delay delay{};
  for (;;) {
    if (follower_.is_asked()) {
      if (!co_await list_asked(delay)) break;
      continue;
    }
    const auto deadline = Clock::now() + follower_.options().quiet_before_list;
    const auto news = co_await api_.next(follower_.url(), follower_.position(), deadline);
    if (!news) {
      delay = follower_.watch_failed(news.error());
      break;
    }
    if (!news->list_again.empty()) {
      delay = follower_.watch_ended(news->list_again);
      break;
    }
    follower_.heard(*news);
    publish();
  }
  api_.stop();
  co_return delay;
}

template <class Api>
void EtcdWatch<Api>::publish() {
  const auto next = follower_.publish();
  if (!next) return;
  publication_.expires_at(*next);
  publication_.async_wait([weak = this->weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self && !error) self->publish();
  });
}

template <class Api>
void EtcdWatch<Api>::stop() {
  follower_.remove_all();
  stop_.emit(asio::cancellation_type::terminal);
}

template <class Api>
void EtcdWatch<Api>::add(FollowedService& service) {
  follower_.add(service);
  api_.interrupt();
}

template <class Api>
void EtcdWatch<Api>::look_at(FollowedService& service) {
  follower_.ask_for(service);
  api_.interrupt();
}

template class EtcdWatch<EtcdV2>;
template class EtcdWatch<EtcdV3>;

}  // namespace ambbpf
