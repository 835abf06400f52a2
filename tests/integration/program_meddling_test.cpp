// SPDX-License-Identifier: Apache-2.0
// What an operator sees when a byte was lost on its way through the program.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/borrowed_socket.h"
#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {

TEST(ProgramMeddledWith, SaysThatAByteWasLostInItsLogAndItsStatus) {
  TemporaryDirectory place;
  const auto admin = (place.path() / "admin.sock").string();
  const auto front = free_address();
  Listener listener(loopback_v4());
  Program ambassador({"forward", to_string(listener.address()), "--listen", to_string(front),
                      "--engine", "copy", "--admin", admin});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();

  Peer client = Peer::connect_to(front);
  Peer backend = listener.accept();
  client.send_until_stalled(bytes_from_seed(1, 32 * kMiB));
  const auto proxys = borrow_socket(ambassador.pid(), remote_address(client.socket()),
                                    local_address(client.socket()));
  char stolen = 0;
  ASSERT_EQ(::recv(proxys.get(), &stolen, 1, MSG_DONTWAIT), 1);
  client.finish();
  backend.read_all();
  backend.finish();  // the accounting is checked when both have ended

  EXPECT_TRUE(ambassador.says("do not agree with the sockets' own counts")) << ambassador.err();
  const auto text = run({"status", "--admin", admin});
  EXPECT_EQ(text.code, 1) << text.err;
  EXPECT_NE(text.out.find("BYTES LOST OR DOUBLED: 1 times"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("degraded   bytes received and sent on did not agree, 1 time"),
            std::string::npos)
      << text.out;
  const auto json = run({"status", "--json", "--admin", admin});
  EXPECT_NE(json.out.find("\"mismatches\":1"), std::string::npos) << json.out;
  EXPECT_NE(json.out.find("\"degraded\":true"), std::string::npos) << json.out;
}

}  // namespace ambbpf::test
