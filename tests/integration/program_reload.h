// SPDX-License-Identifier: Apache-2.0
// What the tests of reloading have: a configuration file, and the built program that runs by it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/free_port.h"
#include "tests/support/named_backend.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/admin/status_report.h"
#include "userspace/cli/admin_client.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {

// [service.NAME] on `front`, from one backend; `more`: further lines.
inline std::string service(const std::string& name, const tcp::endpoint& front,
                           const tcp::endpoint& backend, const std::string& more = "") {
  return fmt::format("[service.{}]\nlisten = \"{}\"\nendpoints = [\"{}\"]\n{}\n", name,
                     to_string(front), to_string(backend), more);
}
inline std::string service(const std::string& name, const tcp::endpoint& front,
                           const NamedBackend& backend, const std::string& more = "") {
  return service(name, front, backend.listener().address(), more);
}

class RunByFile : public testing::Test {
 protected:
  std::filesystem::path file() const { return place.path() / "ambbpf.toml"; }
  std::filesystem::path admin() const { return place.path() / "admin.sock"; }

  // Its first line names the admin socket.
  void write(const std::string& text) const {
    std::ofstream(file()) << "admin = \"" << admin().string() << "\"\n" << text;
  }
  std::vector<std::string> by_file() const { return {"run", "--config", file()}; }

  Ran reload() const { return run({"reload", "--admin", admin()}); }
  Ran reload(const std::string& text) const {
    write(text);
    return reload();
  }

  // What the command tells, at less cost.
  StatusReport status() const {
    const auto answer = ask_process(admin(), "/status");
    if (!answer) throw std::runtime_error("no status: " + answer.error().message());
    return status_report_from_json(answer->body).value();
  }
  StatusReport::Service status_of(const std::string& service) const {
    for (auto& one : status().services)
      if (one.name == service) return one;
    throw std::runtime_error("status knows no service " + service);
  }
  std::uint64_t generation() const { return status().configuration.generation; }

  TemporaryDirectory place;
};

// A connection through the program, and its other end.
struct OpenConnection {
  OpenConnection(const tcp::endpoint& front, Listener& backend)
      : client(Peer::connect_to(front)), server(backend.accept()) {}
  bool carries(const std::string& bytes) {
    client.send(bytes);
    server.send(bytes);
    return server.read(bytes.size()) == bytes && client.read(bytes.size()) == bytes;
  }
  void end() {
    client.finish();
    EXPECT_EQ(server.read_all(), "");
    server.finish();
    EXPECT_EQ(client.read_all(), "");
  }

  Peer client;
  Peer server;
};

}  // namespace ambbpf::test
