// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/etcd_source.h"

#include "userspace/etcd/directory.h"
#include "userspace/etcd/v2.h"
#include "userspace/etcd/v3.h"

namespace ambbpf {

using namespace std::chrono_literals;

std::shared_ptr<asio::steady_timer> WakeUp::add_sleeper(const asio::any_io_executor& executor) {
  auto timer = std::make_shared<asio::steady_timer>(executor);
  sleepers_.push_back(timer);
  return timer;
}

void WakeUp::all() {
  for (const auto& sleeper : sleepers_)
    if (const auto timer = sleeper.lock()) timer->cancel();
}

template <class Api>
EtcdSource<Api>::EtcdSource(EtcdClient& client, std::string_view service, EtcdOptions options,
                            std::shared_ptr<EtcdOutages> outages, std::shared_ptr<WakeUp> wake_up)
    : follower_(Api::kKind, etcd_directory(options.prefix, service), options, std::move(outages)),
      api_(client, follower_.directory(), options),
      wake_up_(std::move(wake_up)),
      pause_(wake_up_->add_sleeper(client.executor())) {}

template <class Api>
awaitable<void> EtcdSource<Api>::run(Publish publish) {
  follower_.publish_to(std::move(publish));
  for (;;) {
    const auto delay = listed_ ? co_await watch() : co_await list();
    if (follower_.take_server_changed()) wake_up_->all();
    if (delay == 0ms) continue;
    pause_->expires_after(delay);
    co_await pause_->async_wait(as_tuple);
  }
}

template <class Api>
awaitable<Backoff::Delay> EtcdSource<Api>::list() {
  auto listing = co_await api_.list(follower_.url());
  if (!listing) co_return follower_.list_failed(listing.error());
  if (!listing->served) co_return follower_.not_served();
  follower_.listed(*listing);
  listed_ = true;
  co_return 0ms;
}

template <class Api>
awaitable<Backoff::Delay> EtcdSource<Api>::watch() {
  listed_ = false;
  doubted_ = false;
  Backoff::Delay delay{};
  for (;;) {
    const auto deadline = Clock::now() + follower_.options().quiet_before_list;
    auto news = co_await api_.next(follower_.url(), follower_.position(), deadline);
    if (!news) {
      delay = follower_.watch_failed(news.error());
      break;
    }
    if (news->list_again.empty()) follower_.heard(*news);
    if (doubted_ && news->list_again.empty()) news->list_again = "its endpoints are in doubt";
    if (!news->list_again.empty()) {
      delay = follower_.watch_ended(news->list_again);
      break;
    }
  }
  api_.stop();
  co_return delay;
}

template <class Api>
void EtcdSource<Api>::doubt() {
  if (follower_.fresh()) return;
  doubted_ = true;
  api_.interrupt();
}

template class EtcdSource<EtcdV2>;
template class EtcdSource<EtcdV3>;

std::vector<std::unique_ptr<Source>> make_etcd_sources(
    EtcdApi api, EtcdClient& client, std::string_view service, const EtcdOptions& options,
    const std::shared_ptr<EtcdOutages>& outages) {
  std::vector<std::unique_ptr<Source>> sources;
  const auto wake_up = std::make_shared<WakeUp>();
  if (api != EtcdApi::kV3)
    sources.push_back(
        std::make_unique<EtcdSource<EtcdV2>>(client, service, options, outages, wake_up));
  if (api != EtcdApi::kV2)
    sources.push_back(
        std::make_unique<EtcdSource<EtcdV3>>(client, service, options, outages, wake_up));
  return sources;
}

}  // namespace ambbpf
