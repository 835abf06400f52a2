// SPDX-License-Identifier: Apache-2.0
// The signals that ask for nothing the program could do, and must not end it either.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

class ProgramSignals : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }

  // Each of them costs a line that names it, and nothing else.
  void expect_ignored(Program& program) {
    for (const auto& [number, name] : {std::pair(SIGHUP, "SIGHUP is ignored: there is no"),
                                       {SIGUSR1, "SIGUSR1 is ignored"},
                                       {SIGUSR2, "SIGUSR2 is ignored"}}) {
      program.signal(number);
      EXPECT_TRUE(program.says(name)) << program.err();
    }
    EXPECT_TRUE(program.running());
  }

  TemporaryDirectory place;
  Listener backend{loopback_v4()};
  tcp::endpoint front = free_address();
};

TEST_F(ProgramSignals, AreIgnoredUnderAnOpenConnectionThatSigtermThenDrains) {
  Program ambassador(
      {"forward", to_string(backend.address()), "--listen", to_string(front), "--admin", admin()});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Peer client = Peer::connect_to(front);
  Peer server = backend.accept();
  expect_ignored(ambassador);
  client.send("begun");
  EXPECT_EQ(server.read(5), "begun");
  EXPECT_EQ(run({"status", "--admin", admin()}).code, 0);

  ambassador.signal(SIGTERM);
  ASSERT_TRUE(ambassador.says("stopping; 1 open connection may")) << ambassador.err();
  server.send_and_finish("finished");
  EXPECT_EQ(client.read_all(), "finished");
  client.finish();
  EXPECT_EQ(server.read_all(), "");
  EXPECT_EQ(ambassador.wait(), 0);
}

TEST_F(ProgramSignals, AreIgnoredByAProxy) {
  Program ambassador({"proxy", "web", std::to_string(front.port()), "--listen", "127.0.0.1",
                      "--etcd", "http://127.0.0.1:1", "--admin", admin()});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  expect_ignored(ambassador);
}

TEST_F(ProgramSignals, AreIgnoredByARegistrar) {
  Program registrar({"register", "--all", "--docker", "unix:///nosuch", "--etcd",
                     "http://127.0.0.1:1", "--advertise", "127.0.0.1", "--admin", admin()});
  ASSERT_TRUE(registrar.says("admin socket")) << registrar.err();
  expect_ignored(registrar);
  registrar.signal(SIGTERM);
  EXPECT_EQ(registrar.wait(), 0);
}

}  // namespace
}  // namespace ambbpf::test
