// SPDX-License-Identifier: Apache-2.0
// A log that cannot be written holds up nothing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/named_backend.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

// A pipe with no room left.
class FullPipe {
 public:
  FullPipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe2");
    read_ = UniqueFd(ends[0]);
    write_ = UniqueFd(ends[1]);
    const std::string filler(4096, '.');
    while (::write(write_.get(), filler.data(), filler.size()) > 0) continue;
    ::fcntl(write_.get(), F_SETFL, 0);  // blocking again, for whoever gets it
  }

  int write_end() const { return write_.get(); }

  // What has been written so far, and not been read.
  std::string drain() const {
    std::string text;
    char piece[4096];
    for (ssize_t size = 0; (size = ::read(read_.get(), piece, sizeof piece)) > 0;)
      text.append(piece, static_cast<std::size_t>(size));
    return text;
  }

 private:
  UniqueFd read_;
  UniqueFd write_;
};

class ProgramStderr : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  int status() const { return run({"status", "--admin", admin()}).code; }

  TemporaryDirectory place;
  tcp::endpoint front = free_address();
};

TEST_F(ProgramStderr, ClosedStandardDescriptorsBecomeNothingElse) {
  Listener backend(loopback_v4());
  const Program ambassador(
      {"forward", to_string(backend.address()), "--listen", to_string(front), "--admin", admin()},
      {.environment = {}, .closed = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}});
  ASSERT_TRUE(eventually([&] { return status() == 0; }));
  const auto descriptors = std::filesystem::path("/proc") / std::to_string(ambassador.pid()) / "fd";
  for (const auto* number : {"0", "1", "2"})
    EXPECT_EQ(std::filesystem::read_symlink(descriptors / number), "/dev/null") << number;
}

TEST_F(ProgramStderr, ThatNobodyReadsStopsNothing) {
  EtcdProcess etcd;
  NamedBackend one("one");
  NamedBackend two("two");
  etcd.put_v3("/services/web/web", registered(one.listener().address()));
  const FullPipe unread;
  Program ambassador({"proxy", "web", std::to_string(front.port()), "--listen", "127.0.0.1",
                      "--etcd", etcd.url(), "--admin", admin()},
                     {.environment = {}, .err = unread.write_end()});
  ASSERT_TRUE(eventually([&] { return status() == 0; }));
  EXPECT_EQ(ask(front), "one");
  etcd.put_v3("/services/web/web", registered(two.listener().address()));
  EXPECT_TRUE(eventually([&] { return ask(front) == "two"; }));
  EXPECT_EQ(status(), 0);
  ambassador.signal(SIGTERM);
  EXPECT_EQ(ambassador.wait(), 0);
}

TEST_F(ProgramStderr, TellsHowManyLinesWereLostWhenItIsReadAgain) {
  constexpr int kMoreThanAreKept = 1500;
  Listener backend(loopback_v4());
  const FullPipe unread;
  Program ambassador({"forward", to_string(backend.address()), "--listen", to_string(front),
                      "--admin", admin(), "--log-level", "debug"},
                     {.environment = {}, .err = unread.write_end()});
  ASSERT_TRUE(eventually([&] { return status() == 0; }));
  for (int i = 0; i < kMoreThanAreKept; ++i) {
    Peer client = Peer::connect_to(front);
    const Peer server = backend.accept();
    client.reset();
  }
  std::string read;
  EXPECT_TRUE(eventually([&] {
    read += unread.drain();
    return read.find("lines of the log are lost here") != std::string::npos;
  })) << read;
  ambassador.signal(SIGTERM);
  EXPECT_EQ(ambassador.wait(), 0);
  EXPECT_NE(unread.drain().find("stopping"), std::string::npos) << "the last lines are written";
}

}  // namespace
}  // namespace ambbpf::test
