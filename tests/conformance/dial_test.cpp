// SPDX-License-Identifier: Apache-2.0
// Which endpoint a connection is given, and what happens when it does not answer. No engine has a
// part in this.
#include "userspace/proxy/dial.h"

#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/captured_log.h"
#include "tests/support/peers.h"
#include "tests/support/proxy_under_test.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

// Bound, so that nobody else gets it, but nobody listens.
class RefusingAddress {
 public:
  RefusingAddress() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto size = static_cast<socklen_t>(address_.capacity());
    if (::bind(socket_.get(), address_.data(), size) != 0 ||
        ::getsockname(socket_.get(), address_.data(), &size) != 0)
      throw std::system_error(errno, std::system_category(), "bind");
  }
  const tcp::endpoint& address() const { return address_; }

 private:
  UniqueFd socket_;
  tcp::endpoint address_ = loopback_v4();
};

// A listener whose queue is full: the kernel answers no further SYN.
class BlackHole {
 public:
  BlackHole() : listener_(loopback_v4(), 0) {
    for (int i = 0; i < 4; ++i) {
      UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(socket.get(), address().data(), static_cast<socklen_t>(address().size()));
      waiting_.push_back(std::move(socket));
    }
    std::this_thread::sleep_for(20ms);
  }
  const tcp::endpoint& address() const { return listener_.address(); }

 private:
  Listener listener_;
  std::vector<UniqueFd> waiting_;
};

class Dialling : public ::testing::Test {
 protected:
  void publish(const std::vector<tcp::endpoint>& addresses) {
    std::vector<Endpoint> endpoints;
    for (const auto& address : addresses) endpoints.push_back({.address = address, .found_as = ""});
    publish_(std::move(endpoints));
  }

  tl::expected<Dialled, NotDialled> dial_now() {
    asio::io_context io;
    std::optional<tl::expected<Dialled, NotDialled>> dialled;
    spawn(io, dial_into(dialled, service, options));
    io.run();
    return std::move(*dialled);
  }

  tcp::endpoint dialled_address() {
    auto dialled = dial_now();
    return dialled ? dialled->backend->address() : tcp::endpoint();
  }

  std::shared_ptr<Backend> backend_at(const tcp::endpoint& address) {
    for (const auto& listed : *service.in_force())
      if (listed.backend->address() == address) return listed.backend;
    throw std::out_of_range("not in force: " + to_string(address));
  }

  Service service{"dialled"};
  DialOptions options{.connect_timeout = 300ms, .retries = 3, .hold = 200ms};

 private:
  static awaitable<void> dial_into(std::optional<tl::expected<Dialled, NotDialled>>& dialled,
                                   Service& service, DialOptions options) {
    const UniqueFd no_client;
    dialled.emplace(
        co_await dial(service, options, Client{}, std::nullopt, no_client, std::nullopt));
  }

  Publish publish_ = service.way_in(service.add_source());
};

}  // namespace

TEST_F(Dialling, TakesTheEndpointsInTurn) {
  Listener first(loopback_v4());
  Listener second(loopback_v4());
  Listener third(loopback_v4());
  publish({first.address(), second.address(), third.address()});
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(dialled_address(), first.address());
    EXPECT_EQ(dialled_address(), second.address());
    EXPECT_EQ(dialled_address(), third.address());
  }
  EXPECT_EQ(service.connect_retries, 0U);
}

TEST_F(Dialling, GoesOnToTheNextEndpointAfterARefusal) {
  RefusingAddress refusing;
  Listener answering(loopback_v4());
  publish({refusing.address(), answering.address()});
  EXPECT_EQ(dialled_address(), answering.address());
  EXPECT_EQ(service.connect_retries, 1U);
  EXPECT_EQ(service.gave_up, 0U);
}

TEST_F(Dialling, GoesOnToTheNextEndpointAfterATimeout) {
  BlackHole silent;
  Listener answering(loopback_v4());
  publish({silent.address(), answering.address()});
  EXPECT_EQ(dialled_address(), answering.address());
  EXPECT_EQ(backend_at(silent.address())->failed_connects, 1U);
}

TEST_F(Dialling, TellsThatAllHaveTimedOutAndHowOftenItTried) {
  BlackHole silent;
  publish({silent.address()});
  options.retries = 1;
  const auto dialled = dial_now();
  ASSERT_FALSE(dialled);
  EXPECT_EQ(dialled.error().reason, EndReason::kConnectTimeout);
  EXPECT_EQ(dialled.error().attempts, 2U);
}

TEST_F(Dialling, LetsAnEndpointRestThatHasFailed) {
  RefusingAddress refusing;
  Listener answering(loopback_v4());
  publish({refusing.address(), answering.address()});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(dialled_address(), answering.address());
  EXPECT_EQ(backend_at(refusing.address())->failed_connects, 1U);
  EXPECT_TRUE(backend_at(refusing.address())->ejected(Clock::now()));
}

TEST_F(Dialling, TriesAnEjectedEndpointWhenThereIsNoOther) {
  Listener answering(loopback_v4());
  publish({answering.address()});
  service.report(*backend_at(answering.address()), BackendOutcome::kConnectFailed);
  EXPECT_EQ(dialled_address(), answering.address());
  EXPECT_FALSE(backend_at(answering.address())->ejected(Clock::now()));
}

TEST_F(Dialling, GivesUpAfterItsRetriesWhenAllRefuse) {
  RefusingAddress one;
  RefusingAddress another;
  publish({one.address(), another.address()});
  const auto dialled = dial_now();
  ASSERT_FALSE(dialled);
  EXPECT_EQ(dialled.error().error.code, std::errc::connection_refused);
  EXPECT_EQ(dialled.error().reason, EndReason::kConnectFailed);
  EXPECT_EQ(dialled.error().attempts, options.retries + 1);
  EXPECT_EQ(service.gave_up, 1U);
  EXPECT_EQ(service.connect_retries, options.retries);
  EXPECT_EQ(backend_at(one.address())->failed_connects, 2U);
  EXPECT_EQ(backend_at(another.address())->failed_connects, 2U);
}

TEST_F(Dialling, LeavesDescriptorsThatAreNotForItAndBlamesNoBackend) {
  Listener answering(loopback_v4());
  publish({answering.address()});
  options.descriptors_below = 0;
  const CapturedLog log;
  const auto dialled = dial_now();
  ASSERT_FALSE(dialled);
  EXPECT_EQ(dialled.error().error.code, std::errc::too_many_files_open);
  EXPECT_EQ(dialled.error().reason, EndReason::kConnectLimits);
  EXPECT_EQ(backend_at(answering.address())->failed_connects, 0U);
  const auto said = std::ranges::count_if(log.lines(), [](const std::string& line) {
    return line.find("Too many open files") != std::string::npos;
  });
  EXPECT_GE(said, 1);
  EXPECT_LT(said, 1 + static_cast<int>(options.retries)) << "a line for every attempt";
}

TEST_F(Dialling, GivesUpWhenNoEndpointIsPublishedInTime) {
  const auto started = Clock::now();
  const auto dialled = dial_now();
  ASSERT_FALSE(dialled);
  EXPECT_EQ(dialled.error().reason, EndReason::kNoEndpoint);
  EXPECT_EQ(dialled.error().attempts, 0U);
  EXPECT_GE(Clock::now() - started, options.hold);
  EXPECT_EQ(service.held, 1U);
  EXPECT_EQ(service.held_now, 0U);
  EXPECT_EQ(service.no_endpoint, 1U);
}

TEST_F(Dialling, TakesAnEndpointThatIsPublishedWhileAllOthersRefuse) {
  RefusingAddress refusing;
  Listener answering(loopback_v4());
  publish({refusing.address()});
  auto dialling = in_background([&] { return dialled_address(); });
  ASSERT_TRUE(eventually([&] { return backend_at(refusing.address())->failed_connects > 0; }));
  publish({refusing.address(), answering.address()});
  EXPECT_EQ(dialling.get(), answering.address());
}

}  // namespace ambbpf::test
