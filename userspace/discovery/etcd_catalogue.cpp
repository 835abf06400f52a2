// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/etcd_catalogue.h"

#include "userspace/etcd/directory.h"
#include "userspace/etcd/v2.h"
#include "userspace/etcd/v3.h"
#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {

template <class Api>
class EtcdCatalogue<Api>::OneService final : public Source {
 public:
  OneService(EtcdCatalogue& catalogue, std::string name, std::string directory)
      : catalogue_(catalogue),
        service_(std::move(name), std::move(directory), catalogue.resolver_) {
    catalogue_.add(service_);
  }
  ~OneService() override { catalogue_.remove(service_); }

  awaitable<void> run(Publish publish) override {
    service_.publish_to(publish);
    co_await until_cancelled();
    service_.publish_to({});
  }
  SourceStatus status() const override { return catalogue_.status_of(service_); }
  void doubt() override { catalogue_.doubt(service_); }

 private:
  EtcdCatalogue& catalogue_;
  FollowedService service_;
};

template <class Api>
EtcdCatalogue<Api>::EtcdCatalogue(EtcdClient& client, EtcdOptions options,
                                  std::shared_ptr<EtcdOutages> outages,
                                  std::shared_ptr<WakeUp> wake_up,
                                  std::shared_ptr<Resolver> resolver)
    : client_(client),
      options_(std::move(options)),
      prefix_(etcd_directory(options_.prefix, "")),
      outages_(std::move(outages)),
      wake_up_(std::move(wake_up)),
      resolver_(std::move(resolver)),
      review_(client.executor()) {}

template <class Api>
std::unique_ptr<Source> EtcdCatalogue<Api>::source_of(std::string service) {
  auto directory = etcd_directory(options_.prefix, service);
  return std::make_unique<OneService>(*this, std::move(service), std::move(directory));
}

template <class Api>
void EtcdCatalogue<Api>::add(FollowedService& service) {
  services_.push_back(&service);
  review();
}

template <class Api>
void EtcdCatalogue<Api>::remove(FollowedService& service) {
  for (const auto& [directory, watch] : watches_) watch->follower().remove(service);
  std::erase(services_, &service);
  review();
}

template <class Api>
void EtcdCatalogue<Api>::doubt(FollowedService& service) {
  service.doubt_names();
  if (service.fresh()) return;
  for (const auto& [directory, watch] : watches_)
    if (service.follower() == &watch->follower()) watch->look_at(service);
}

template <class Api>
SourceStatus EtcdCatalogue<Api>::status_of(const FollowedService& service) const {
  SourceStatus status;
  status.kind = Api::kKind;
  status.from = options_.urls.front();
  for (const auto& [directory, watch] : watches_) {
    const auto& follower = watch->follower();
    const bool follows = service.follower() == &follower;
    if (follows || follower.has(service)) status = follower.status();
    if (follows) break;
  }
  return service.status(std::move(status));
}

template <class Api>
std::map<std::string, std::vector<FollowedService*>> EtcdCatalogue<Api>::wanted_watches() const {
  std::map<std::string, std::vector<FollowedService*>> each;
  for (auto* service : services_) each[service->directory()].push_back(service);
  if (each.size() <= kFewServices || too_long_) return each;
  each = {{prefix_, services_}};
  return each;
}

template <class Api>
void EtcdCatalogue<Api>::review() {
  reviewed_ = false;
  review_.cancel();
}

template <class Api>
void EtcdCatalogue<Api>::start(const std::string& directory,
                               const std::vector<FollowedService*>& services) {
  typename Watch::Tell tell;
  tell.listed = [this] { review(); };
  tell.too_long = [this, directory] {
    if (directory != prefix_ || too_long_) return;
    too_long_ = true;
    log::warn("{}: {} is too long for one listing: each service is watched by itself", Api::kKind,
              printable(directory));
    review();
  };
  auto watch = std::make_shared<Watch>(client_, directory, options_, outages_, wake_up_, tell);
  for (auto* service : services) watch->add(*service);
  watches_.emplace(directory, watch);
  ++running_;
  auto slot = watch->stopped_by();
  auto work = watch->run();
  spawn_stoppable(client_.executor(), std::move(work), slot, [this, watch = std::move(watch)] {
    --running_;
    review();
  });
}

template <class Api>
void EtcdCatalogue<Api>::start_and_stop_watches() {
  const auto wanted = wanted_watches();
  for (const auto& [directory, services] : wanted) {
    const auto watch = watches_.find(directory);
    if (watch == watches_.end()) {
      start(directory, services);
      continue;
    }
    for (auto* service : services)
      if (!watch->second->follower().has(*service)) watch->second->add(*service);
  }
  for (auto each = watches_.begin(); each != watches_.end();) {
    const auto& [directory, watch] = *each;
    const bool needed = wanted.contains(directory) || watch->follower().feeds_any();
    if (!needed) watch->stop();
    each = needed ? std::next(each) : watches_.erase(each);
  }
}

template <class Api>
void EtcdCatalogue<Api>::stop_all() {
  for (const auto& [directory, watch] : watches_) watch->stop();
  watches_.clear();
}

// Everything that it has started ends before it does.
template <class Api>
awaitable<void> EtcdCatalogue<Api>::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  reviewed_ = false;
  while (cancellation.cancelled() == asio::cancellation_type::none) {
    if (!std::exchange(reviewed_, true)) {
      start_and_stop_watches();
      continue;
    }
    review_.expires_at(Clock::time_point::max());
    co_await review_.async_wait(as_tuple);
  }
  stop_all();
  while (running_ > 0) {
    review_.expires_at(Clock::time_point::max());
    co_await review_.async_wait(as_tuple);
  }
}

template class EtcdCatalogue<EtcdV2>;
template class EtcdCatalogue<EtcdV3>;

std::vector<std::unique_ptr<Catalogue>> make_etcd_catalogues(EtcdApi api, EtcdClient& client,
                                                             const EtcdOptions& options,
                                                             std::shared_ptr<Resolver> resolver) {
  const auto outages = std::make_shared<EtcdOutages>();
  const auto wake_up = std::make_shared<WakeUp>();
  std::vector<std::unique_ptr<Catalogue>> catalogues;
  if (api != EtcdApi::kV3)
    catalogues.push_back(
        std::make_unique<EtcdCatalogue<EtcdV2>>(client, options, outages, wake_up, resolver));
  if (api != EtcdApi::kV2)
    catalogues.push_back(std::make_unique<EtcdCatalogue<EtcdV3>>(client, options, outages, wake_up,
                                                                 std::move(resolver)));
  return catalogues;
}

}  // namespace ambbpf
