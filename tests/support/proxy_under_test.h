// SPDX-License-Identifier: Apache-2.0
// A whole proxy in this process: workers on threads of their own, one service, one source.
#pragma once

#include <memory>
#include <vector>

#include "tests/support/peers.h"
#include "userspace/proxy/worker.h"

namespace ambbpf::test {

struct ProxySettings {
  RelayOptions relay;
  DialOptions dial;
  KeepalivePolicy keepalive{};
  tcp::endpoint listens_on = loopback_v4();
  ProxyProtocol proxy{};
  std::shared_ptr<ClientLimits> clients{};
  TimeLimits time_limits{};
  Refuse refuse = Refuse::kReset;
  std::size_t threads = 1;  // the kernel gives a connection to any of them
};

class ProxyUnderTest {
 public:
  // Fails where the kernel refuses the engine.
  static Result<std::unique_ptr<ProxyUnderTest>> start(const ProxySettings& settings);

  const tcp::endpoint& address() const { return address_; }
  Service& service() { return *service_; }

  // The addresses replace those published before.
  void publish(const std::vector<tcp::endpoint>& backends);

  // Of all threads together.
  RelayCounts counts() const;

  // Closes what is open with a reset.
  void reset_all();

  // Whether the proxy comes to have no connection, neither relayed nor waiting for an endpoint.
  bool becomes_idle();

 private:
  ProxyUnderTest() = default;

  const std::shared_ptr<Service> service_ = std::make_shared<Service>("under-test");
  const Publish publish_ = service_->way_in(service_->add_source());
  tcp::endpoint address_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace ambbpf::test
