// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/free_port.h"
#include "tests/support/must.h"
#include "tests/support/named_backend.h"
#include "tests/support/own_bpf_file_system.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "tests/support/status.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {

inline tcp::endpoint peer_of(int socket) {
  tcp::endpoint address;
  auto size = static_cast<socklen_t>(address.capacity());
  must(::getpeername(socket, address.data(), &size) == 0, "getpeername");
  address.resize(size);
  return address;
}

inline UniqueFd new_socket(int family, int protocol = IPPROTO_TCP, int flags = 0) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, protocol));
  must(static_cast<bool>(socket), "socket");
  return socket;
}

inline void connect(int socket, const tcp::endpoint& address) {
  must(::connect(socket, address.data(), static_cast<socklen_t>(address.size())) == 0, "connect");
}

// A program with one service, `web`, in a file. This process is the consumer.
class Direct : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  std::filesystem::path file() const { return place.path() / "ambbpf.toml"; }

  // `endpoints`: as they stand in a list of the file.
  void write(const std::string& endpoints) const {
    std::ofstream(file()) << above << "threads = 1\nfail_static = \"" << fail_static
                          << "\"\nengine = \"" << engine << "\"\nadmin = \"" << admin()
                          << "\"\n[service.web]\nlisten = \""
                          << (wildcard ? ":" + std::to_string(front.port()) : to_string(front))
                          << "\"\ndirect = " << direct << "\nendpoints = [" << endpoints << "]\n"
                          << more;
  }
  static std::string quoted(const NamedBackend& backend) {
    return '"' + to_string(backend.listener().address()) + '"';
  }
  std::vector<std::string> run_it() const { return {"run", "--config", file().string()}; }

  // By the file, until it says that it serves.
  std::unique_ptr<Program> start() const {
    auto started = std::make_unique<Program>(run_it());
    if (!started->says("admin socket"))
      throw std::runtime_error("it does not serve: " + started->err());
    return started;
  }

  rapidjson::Document service() const { return status_at("/processes/0/services/0", admin()); }
  std::uint64_t connects() const { return service()["direct_connects"].GetUint64(); }

  // The first consumers go by the proxy, and have the endpoints asked.
  template <class Dial>
  void wait_until_direct(Dial dial) const {
    const auto before = connects();
    ASSERT_TRUE(eventually([&] {
      dial();
      return connects() > before;
    }));
  }
  void wait_until_direct() const {
    wait_until_direct([this] { ask(front); });
  }

  OwnBpfFileSystem pins;
  TemporaryDirectory place;
  bool wildcard = false;
  std::string fail_static = "60s";
  std::string direct = "true";
  std::string above;  // lines of the process
  std::string more;   // lines of the service
  std::string engine = "auto";
  tcp::endpoint front = free_address();
};

}  // namespace ambbpf::test
