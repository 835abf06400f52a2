// SPDX-License-Identifier: Apache-2.0
// A proxy that has run out of file descriptors waits for better times: it neither spins nor dies.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <thread>
#include <vector>

#include "tests/conformance/expect_service.h"
#include "tests/support/proxy_under_test.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

// While it lives this process can open no more than `left` descriptors.
class ScarceDescriptors {
 public:
  explicit ScarceDescriptors(std::size_t left) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit low{.rlim_cur = 256, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
    for (;;) {
      UniqueFd filler(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!filler) break;
      fillers_.push_back(std::move(filler));
    }
    for (; left > 0; --left) fillers_.pop_back();
  }
  ~ScarceDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  ScarceDescriptors(const ScarceDescriptors&) = delete;
  ScarceDescriptors& operator=(const ScarceDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<UniqueFd> fillers_;
};

std::chrono::microseconds processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto in = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return in(usage.ru_utime) + in(usage.ru_stime);
}

class OutOfDescriptors : public ::testing::Test {
 protected:
  void SetUp() override {
    const RelayOptions relay{.engine = Engine::kSplice, .promotion = {}};
    auto started = ProxyUnderTest::start({.relay = relay, .dial = {}});
    ASSERT_TRUE(started) << started.error().message();
    proxy = std::move(*started);
    proxy->publish({listener.address()});
  }

  // The client takes one of the descriptors that are left.
  void expect_service_with(std::size_t left) {
    Peer client;
    {
      const ScarceDescriptors scarce(left);
      client = Peer::connect_to(proxy->address());
      const auto before = processor_time();
      std::this_thread::sleep_for(500ms);
      EXPECT_LT(processor_time() - before, 250ms) << "it spins";
    }
    expect_service(listener, client);
  }

  Listener listener{loopback_v4()};
  std::unique_ptr<ProxyUnderTest> proxy;
};

}  // namespace

TEST_F(OutOfDescriptors, AcceptsAClientAsSoonAsThereIsADescriptorForIt) { expect_service_with(1); }

TEST_F(OutOfDescriptors, DialsForAClientAsSoonAsThereIsADescriptorForIt) { expect_service_with(2); }

TEST_F(OutOfDescriptors, CopiesWhenThereIsNoPipeToSpliceThrough) {
  const ScarceDescriptors scarce(4);  // client, accepted, dialled, backend
  Peer client = Peer::connect_to(proxy->address());
  expect_service(listener, client);
}

}  // namespace ambbpf::test
