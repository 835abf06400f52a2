// SPDX-License-Identifier: Apache-2.0
#include "tests/support/proxy_under_test.h"

#include "userspace/proxy/listen.h"

namespace ambbpf::test {

Result<std::unique_ptr<ProxyUnderTest>> ProxyUnderTest::start(const ProxySettings& settings) {
  std::unique_ptr<ProxyUnderTest> proxy(new ProxyUnderTest());
  auto listeners = listen_on(settings.listens_on, settings.threads);
  if (!listeners) return tl::unexpected(listeners.error());
  proxy->address_ = listeners->address;
  for (auto& socket : listeners->sockets) {
    auto worker = Worker::create(settings.relay);
    if (!worker) return tl::unexpected(worker.error());
    (*worker)->serve(1, std::move(socket),
                     {proxy->service_, settings.dial, settings.keepalive, settings.proxy,
                      settings.clients, settings.time_limits, settings.refuse});
    proxy->workers_.push_back(std::move(*worker));
  }
  for (const auto& worker : proxy->workers_) worker->start();
  return proxy;
}

void ProxyUnderTest::publish(const std::vector<tcp::endpoint>& backends) {
  std::vector<Endpoint> endpoints;
  for (const auto& address : backends)
    endpoints.push_back(Endpoint{.address = address, .found_as = "test"});
  publish_(std::move(endpoints));
}

RelayCounts ProxyUnderTest::counts() const {
  RelayCounts all;
  for (const auto& worker : workers_) all += worker->counts();
  return all;
}

void ProxyUnderTest::reset_all() {
  for (const auto& worker : workers_) worker->reset_all();
}

bool ProxyUnderTest::becomes_idle() {
  return eventually(
      [this] { return service_->connections_now == 0 && counts().connections_now == 0; });
}

}  // namespace ambbpf::test
