// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/datagram_protocol.hpp>
#include <string>

#include "tests/support/program.h"
#include "userspace/support/unix_datagram.h"

namespace ambbpf::test {
namespace {

using DatagramSocket = boost::asio::local::datagram_protocol::socket;

std::string read_from(DatagramSocket& socket) {
  std::string content(100, '\0');
  content.resize(socket.receive(boost::asio::buffer(content)));
  return content;
}

TEST(UnixDatagram, ReachesAFileAndAnAbstractAddress) {
  const TemporaryDirectory place;
  const auto path = (place.path() / "socket").string();
  const auto name = fmt::format("ambbpf-test-{}", ::getpid());
  boost::asio::io_context io;
  DatagramSocket file(io, path);
  DatagramSocket abstract(io, std::string(1, '\0') + name);
  EXPECT_TRUE(send_datagram(path, "to the file"));
  EXPECT_EQ(read_from(file), "to the file");
  EXPECT_TRUE(send_datagram("@" + name, "to the name"));
  EXPECT_EQ(read_from(abstract), "to the name");
}

TEST(UnixDatagram, SaysWhomItDidNotReach) {
  const TemporaryDirectory place;
  const auto path = (place.path() / "socket").string();
  EXPECT_EQ(send_datagram(path, "?").error().message(), path + ": No such file or directory");
  const std::string long_path(200, 'x');
  EXPECT_EQ(send_datagram(long_path, "?").error().code, std::errc::filename_too_long);
}

TEST(UnixDatagram, DoesNotWaitWhereItIsNotToWait) {
  const TemporaryDirectory place;
  const auto path = (place.path() / "socket").string();
  boost::asio::io_context io;
  const DatagramSocket nobody_reads(io, path);
  Result<void> sent;
  while (sent) sent = send_datagram(path, "?", MSG_DONTWAIT);
  EXPECT_EQ(sent.error().code, std::errc::operation_would_block);
}

}  // namespace
}  // namespace ambbpf::test
