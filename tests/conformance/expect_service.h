// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "tests/support/peers.h"

namespace ambbpf::test {

// A question of `client` reaches a backend that `listener` accepts, and the answer comes back.
inline void expect_service(Listener& listener, Peer& client) {
  Peer backend = listener.accept();
  client.send("question");
  EXPECT_EQ(backend.read(8), "question");
  backend.send_and_finish("answer");
  EXPECT_EQ(client.read_all(), "answer");
}

}  // namespace ambbpf::test
