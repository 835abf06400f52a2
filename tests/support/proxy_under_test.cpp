// SPDX-License-Identifier: Apache-2.0
#include "tests/support/proxy_under_test.h"

#include <boost/asio/use_future.hpp>
#include <stdexcept>

#include "userspace/proxy/listen.h"

namespace ambbpf::test {

Result<std::unique_ptr<ProxyUnderTest>> ProxyUnderTest::start(const ProxySettings& settings) {
  std::unique_ptr<ProxyUnderTest> proxy(new ProxyUnderTest());
  auto worker = Worker::create(settings.relay, settings.dial);
  if (!worker) return tl::unexpected(worker.error());
  auto listeners = listen_on(settings.listens_on, 1);
  if (!listeners) return tl::unexpected(listeners.error());
  proxy->address_ = listeners->address;
  proxy->worker_ = std::move(*worker);
  proxy->worker_->serve(std::move(listeners->sockets.front()), proxy->service_);
  proxy->worker_->start();
  return proxy;
}

void ProxyUnderTest::publish(const std::vector<tcp::endpoint>& backends) {
  std::vector<Endpoint> endpoints;
  for (const auto& address : backends)
    endpoints.push_back(Endpoint{.address = address, .found_as = "test"});
  publish_(std::move(endpoints));
}

RelayCounts ProxyUnderTest::counts() {
  asio::io_context io;
  auto counts = asio::co_spawn(io, worker_->counts(), asio::use_future);
  io.run_for(kPatience);
  if (counts.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    throw std::runtime_error("the worker does not answer");
  return counts.get();
}

bool ProxyUnderTest::becomes_idle() {
  return eventually(
      [this] { return service_.connections_now == 0 && counts().connections_now == 0; });
}

}  // namespace ambbpf::test
