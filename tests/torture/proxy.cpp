// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/proxy.h"

#include <fmt/format.h>

#include <csignal>
#include <stdexcept>

#include "tests/support/free_port.h"
#include "tests/support/program.h"
#include "tests/support/proxy_under_test.h"
#include "userspace/cli/admin_client.h"
#include "userspace/controller/report.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::torture {
namespace {

class InProcess : public Proxy {
 public:
  explicit InProcess(std::unique_ptr<test::ProxyUnderTest> proxy) : proxy_(std::move(proxy)) {}

  const tcp::endpoint& address() const override { return proxy_->address(); }
  StatusReport::Connections counts() override { return report_connections(proxy_->counts()); }
  Result<void> end() override { return {}; }

 private:
  std::unique_ptr<test::ProxyUnderTest> proxy_;
};

class Shipped : public Proxy {
 public:
  Shipped(const Settings& settings, const tcp::endpoint& backend)
      : program_(command(settings, backend)) {}

  Result<void> becomes_ready() {
    if (!program_.says("admin socket")) return fail("ambbpf does not start: " + program_.err());
    return {};
  }

  const tcp::endpoint& address() const override { return address_; }

  StatusReport::Connections counts() override {
    const auto report = ask_process(admin_, "/status").and_then([](const AdminAnswer& answer) {
      return status_report_from_json(answer.body);
    });
    if (!report) throw std::runtime_error("/status: " + report.error().message());
    return report->connections;
  }

  Result<void> end() override {
    program_.signal(SIGTERM);
    if (const int code = program_.wait(); code != 0)
      return fail(fmt::format("ambbpf ended with {}: {}", code, program_.err()));
    return {};
  }

 private:
  std::vector<std::string> command(const Settings& settings, const tcp::endpoint& backend) const {
    std::vector<std::string> words{"forward",   to_string(backend),
                                   "--listen",  to_string(address_),
                                   "--admin",   admin_.string(),
                                   "--threads", std::to_string(settings.threads),
                                   "--engine",  std::string(name_of(settings.engine))};
    if (settings.allowed.proxy_headers)
      words.insert(words.end(), {"--proxy-protocol", "require", "--proxy-trusted", "127.0.0.0/8",
                                 "--send-proxy", "v2"});
    return words;
  }

  const test::TemporaryDirectory directory_;
  const std::filesystem::path admin_ = directory_.path() / "admin.sock";
  const tcp::endpoint address_ = test::free_address();
  test::Program program_;
};

}  // namespace

Result<std::unique_ptr<Proxy>> start_in_process(const Settings& settings,
                                                const std::vector<tcp::endpoint>& backends) {
  test::ProxySettings under_test;
  under_test.relay.engine = settings.engine;
  under_test.threads = settings.threads;
  // By default few of the short connections would enter the map.
  under_test.relay.promotion = {.turns = settings.at_once ? 0U : 6U,
                                .age = std::chrono::milliseconds(settings.at_once ? 0 : 50),
                                .only_where_faster = false};
  if (settings.allowed.proxy_headers)
    under_test.proxy = {.clients = ProxyProtocol::Clients::kMustSend,
                        .trusted = {*Network::parse("127.0.0.0/8")},
                        .to_backend = ProxyVersion::kTwo};
  auto proxy = test::ProxyUnderTest::start(under_test);
  if (!proxy) return tl::unexpected(proxy.error());
  (*proxy)->publish(backends);
  return std::make_unique<InProcess>(std::move(*proxy));
}

Result<std::unique_ptr<Proxy>> start_program(const Settings& settings,
                                             const tcp::endpoint& backend) {
  auto proxy = std::make_unique<Shipped>(settings, backend);
  if (const auto ready = proxy->becomes_ready(); !ready) return tl::unexpected(ready.error());
  return proxy;
}

}  // namespace ambbpf::torture
