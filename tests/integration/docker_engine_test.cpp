// SPDX-License-Identifier: Apache-2.0
// That the engine which the other tests use is a real one, and leaves nothing behind.
#include "tests/support/docker_engine.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/etcd_process.h"
#include "tests/support/own_network.h"
#include "tests/support/peers.h"

namespace ambbpf::test {
namespace {

std::string contents(const char* file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string port_of(const DockerEngine& engine, const std::string& container) {
  const auto line = engine.must({"port", container, "80/tcp"});  // 0.0.0.0:32768, and one for IPv6
  const auto first = line.substr(0, line.find('\n'));
  return first.substr(first.rfind(':') + 1);
}

std::string fetch(const std::string& port) { return call("GET", "http://127.0.0.1:" + port).body; }

bool is_running(const DockerEngine& engine, const std::string& container) {
  return engine.must({"inspect", "--format", "{{.State.Running}}", container}) == "true";
}

TEST(DockerEngine, ServesThroughAPublishedPortAndLeavesNothing) {
  enter_own_network({});
  const auto mounts = contents("/proc/mounts");
  std::string groups;
  {
    DockerEngine engine;
    groups = "/sys/fs/cgroup/devices/" + engine.name();
    engine.must({"run", "--detach", "--name", "web", "--hostname", "one", "-p", "80", "small"});
    EXPECT_TRUE(eventually([&] { return fetch(port_of(engine, "web")) == "one\n"; }));
    EXPECT_EQ(engine.must({"info", "--format", "{{.Name}}"}), engine.name());
  }
  EXPECT_EQ(contents("/proc/mounts"), mounts);
  EXPECT_FALSE(std::filesystem::exists(groups));
}

TEST(DockerEngine, ContainersOutliveItAsTheFlagSays) {
  enter_own_network({});
  DockerEngine engine;
  engine.must({"run", "--detach", "--name", "web", "-p", "80", "small"});
  engine.stop();
  EXPECT_NE(engine.docker({"ps"}).code, 0);
  engine.start({.live_restore = true});
  EXPECT_FALSE(is_running(engine, "web"));

  engine.must({"start", "web"});
  const auto pid = engine.must({"inspect", "--format", "{{.State.Pid}}", "web"});
  engine.stop();
  engine.start();
  engine.kill();
  engine.start();
  EXPECT_EQ(engine.must({"inspect", "--format", "{{.State.Pid}}", "web"}), pid);
  EXPECT_TRUE(is_running(engine, "web"));
  engine.remove_all_containers();
  EXPECT_EQ(engine.must({"ps", "--all", "--quiet"}), "");
}

}  // namespace
}  // namespace ambbpf::test
