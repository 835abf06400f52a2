// SPDX-License-Identifier: Apache-2.0
// Zero hop, and consumers whose connects fail for reasons of their own.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "tests/integration/direct_fixture.h"

namespace ambbpf::test {
namespace {

// The backend drops what is signed (RFC 2385).
void sign(int socket, const tcp::endpoint& to, bool on) {
  tcp_md5sig key{};
  std::memcpy(&key.tcpm_addr, to.data(), to.size());
  key.tcpm_keylen = on ? 1 : 0;
  key.tcpm_key[0] = 'x';
  must(::setsockopt(socket, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) == 0, "TCP_MD5SIG");
}

// A process in a cgroup of its own, whose SYNs to `backend` are dropped: by the backend, as they
// are signed (RFC 2385), which stands for a firewall of that cgroup.
class LonelyConsumer {
 public:
  LonelyConsumer(const tcp::endpoint& front, const tcp::endpoint& backend) {
    std::filesystem::create_directory(cgroup_);
    const auto processes = cgroup_ / "cgroup.procs";
    process_ = ::fork();
    must(process_ >= 0, "fork");
    if (process_ == 0) dial(processes.c_str(), front, backend);
  }
  ~LonelyConsumer() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    std::error_code none;
    EXPECT_TRUE(eventually([&] { return std::filesystem::remove(cgroup_, none); }));
  }
  LonelyConsumer(const LonelyConsumer&) = delete;
  LonelyConsumer& operator=(const LonelyConsumer&) = delete;

  // After its first connect, which is dropped, it connects again and again, and ends with the first
  // one that succeeds.
  bool gets_through() const {
    int status = 0;
    return ::waitpid(process_, &status, WNOHANG) == process_ && status == 0;
  }

 private:
  // Asks for no memory, after fork(2).
  [[noreturn]] static void dial(const char* processes, const tcp::endpoint& front,
                                const tcp::endpoint& backend) {
    const UniqueFd cgroup(::open(processes, O_WRONLY | O_CLOEXEC));
    if (::write(cgroup.get(), "0", 1) != 1) ::_exit(3);
    for (;;) {
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      tcp_md5sig key{};
      std::memcpy(&key.tcpm_addr, backend.data(), backend.size());
      key.tcpm_keylen = 1;
      key.tcpm_key[0] = 'x';
      if (::setsockopt(socket, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) != 0) ::_exit(2);
      ::connect(socket, front.data(), static_cast<socklen_t>(front.size()));
      pollfd writable{socket, POLLOUT, 0};
      int error = 0;
      socklen_t size = sizeof error;
      if (::poll(&writable, 1, 3000) == 1 &&
          ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        ::_exit(0);
      ::close(socket);
    }
  }

  const std::filesystem::path cgroup_ =
      "/sys/fs/cgroup/unified/ambbpf-test-" + std::to_string(::getpid());
  pid_t process_ = -1;
};

TEST_F(Direct, ConsumerThatCannotConnectTakesTheEndpointFromNobodyElse) {
  NamedBackend backend("web", {asio::ip::make_address("127.0.0.9"), 0});
  write(quoted(backend));
  const auto ambassador = start();
  wait_until_direct();
  const LonelyConsumer lonely(front, backend.listener().address());
  ASSERT_TRUE(ambassador->says("those in there go by the proxy for an hour")) << ambassador->err();
  EXPECT_TRUE(eventually([&] { return lonely.gets_through(); })) << "by the proxy";
  const auto before = connects();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(front), "web");
  EXPECT_EQ(connects(), before + 20);
  EXPECT_EQ(service()["endpoints"][0]["failed_connects"].GetUint64(), 0U) << ambassador->err();
}

// A packet that is lost now and then is no reason to blame anybody, or to send consumers another
// way.
TEST_F(Direct, ConnectWhoseFirstPacketIsLostBlamesNobody) {
  NamedBackend backend("web");
  write(quoted(backend));
  const auto ambassador = start();
  wait_until_direct();
  Peer consumer(UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
  sign(consumer.socket(), backend.listener().address(), true);
  ::connect(consumer.socket(), front.data(), static_cast<socklen_t>(front.size()));
  sign(consumer.socket(), backend.listener().address(), false);
  pollfd writable{consumer.socket(), POLLOUT, 0};
  ASSERT_EQ(::poll(&writable, 1, 20'000), 1);
  tcp_info info{};
  socklen_t size = sizeof info;
  ::getsockopt(consumer.socket(), IPPROTO_TCP, TCP_INFO, &info, &size);
  EXPECT_EQ(info.tcpi_total_retrans, 1U);
  must(::fcntl(consumer.socket(), F_SETFL, 0) == 0, "fcntl");
  consumer.send("?");
  EXPECT_EQ(consumer.read_all(), "web");
  consumer.finish();

  EXPECT_EQ(service()["endpoints"][0]["failed_connects"].GetUint64(), 0U) << ambassador->err();
  wait_until_direct();
  EXPECT_EQ(ambassador->err().find("could not connect"), std::string::npos) << ambassador->err();
}

}  // namespace
}  // namespace ambbpf::test
