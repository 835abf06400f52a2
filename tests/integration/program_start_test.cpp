// SPDX-License-Identifier: Apache-2.0
// Starting the program as a user does: what it refuses, and that it refuses whole.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/free_port.h"
#include "tests/support/must.h"
#include "tests/support/own_bpf_file_system.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

void expect_one_line(const Ran& ran, int code, const std::string& named) {
  EXPECT_EQ(ran.code, code) << ran.err;
  EXPECT_NE(ran.err.find(named), std::string::npos) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_EQ(ran.out, "");
}

std::vector<std::string> forward_to(const tcp::endpoint& target, const std::string& admin,
                                    const std::string& listen = "127.0.0.1:1") {
  return {"forward", to_string(target), "--listen", listen, "--admin", admin};
}

class ProgramStart : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }

  TemporaryDirectory place;
  Listener nobody_cares{loopback_v4()};
};

TEST_F(ProgramStart, WrongOptionsExitWithTwoAndOneLine) {
  expect_one_line(run({"proxy", "web", "http"}), 2, "'http'");
  expect_one_line(run({"proxy", "web", "80", "--engine", "warp"}), 2, "warp");
  expect_one_line(run({"proxy", "web", "80"}, {.environment = {"AMBBPF_RETRIES=x"}}), 2,
                  "AMBBPF_RETRIES: 'x' is not a number from 0 to 100");
  expect_one_line(run({"forward"}, {.environment = {"FORWARD_ADDR=host"}}), 2, "host");
}

TEST_F(ProgramStart, APortThatIsTakenIsNamed) {
  const Listener taken(loopback_v4());
  expect_one_line(run(forward_to(nobody_cares.address(), admin(), to_string(taken.address()))), 1,
                  "listen on " + to_string(taken.address()) + ": Address already in use");
  EXPECT_FALSE(std::filesystem::exists(admin())) << "half started";
}

TEST_F(ProgramStart, APortOfAnotherAmbassadorIsTakenAsWell) {
  const auto port = to_string(free_address());
  Program first(forward_to(nobody_cares.address(), admin(), port));
  ASSERT_TRUE(first.says("admin socket")) << first.err();
  const auto other = (place.path() / "other.sock").string();
  expect_one_line(run(forward_to(nobody_cares.address(), other, port)), 1,
                  "Address already in use");
}

TEST_F(ProgramStart, AnAddressOfAnotherMachineIsNamed) {
  expect_one_line(run(forward_to(nobody_cares.address(), admin(), "192.0.2.1:8080")), 1,
                  "listen on 192.0.2.1:8080");
}

TEST_F(ProgramStart, AnAdminSocketInUseIsLeftAlone) {
  Program first(forward_to(nobody_cares.address(), admin(), to_string(free_address())));
  ASSERT_TRUE(first.says("admin socket")) << first.err();
  expect_one_line(run(forward_to(nobody_cares.address(), admin(), to_string(free_address()))), 1,
                  admin());
  EXPECT_EQ(run({"status", "--admin", admin()}).code, 0);
}

TEST_F(ProgramStart, AFileWhereTheAdminSocketShouldBeIsLeftAlone) {
  std::ofstream(admin()) << "precious";
  expect_one_line(run(forward_to(nobody_cares.address(), admin(), to_string(free_address()))), 1,
                  admin());
  EXPECT_EQ(std::filesystem::file_size(admin()), 8U);
}

TEST_F(ProgramStart, NobodyIsLetInBeforeItIsSureToServe) {
  std::ofstream(admin()) << "precious";
  const auto front = free_address();
  std::atomic<bool> over = false;
  auto let_in = in_background([&] {
    int connections = 0;
    while (!over) connections += is_refused(front) ? 0 : 1;
    return connections;
  });
  expect_one_line(run(forward_to(nobody_cares.address(), admin(), to_string(front))), 1, admin());
  over = true;
  EXPECT_EQ(let_in.get(), 0);
}

TEST_F(ProgramStart, AnAdminSocketThatCannotBeMadeIsNamed) {
  const auto deep = (place.path() / "file" / "admin.sock").string();
  std::ofstream(place.path() / "file") << "not a directory";
  expect_one_line(run(forward_to(nobody_cares.address(), deep, to_string(free_address()))), 1,
                  deep);
}

TEST_F(ProgramStart, NoDirectoryIsMadeForAnAdminSocketThatWasNamed) {
  const auto missing = place.path() / "missing";
  expect_one_line(run(forward_to(nobody_cares.address(), (missing / "admin.sock").string(),
                                 to_string(free_address()))),
                  1, "its directory " + missing.string() + ": No such file or directory");
  EXPECT_FALSE(std::filesystem::exists(missing));
}

TEST_F(ProgramStart, AnAdminSocketOfAnotherUserIsNamed) {
  Program of_root(forward_to(nobody_cares.address(), admin(), to_string(free_address())));
  ASSERT_TRUE(of_root.says("admin socket")) << of_root.err();
  const ProgramSetting nobody{.environment = {}, .privileged = false};
  const auto refused =
      run(forward_to(nobody_cares.address(), admin(), to_string(free_address())), nobody);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find(admin()), std::string::npos) << refused.err;
  EXPECT_EQ(run({"status", "--admin", admin()}, nobody).code, 4);
}

TEST_F(ProgramStart, AnEngineThatIsAskedForAndRefusedIsAnError) {
  const ProgramSetting nobody{.environment = {}, .privileged = false};
  std::filesystem::permissions(place.path(), std::filesystem::perms(0777));
  auto words = forward_to(nobody_cares.address(), admin(), to_string(free_address()));
  words.insert(words.end(), {"--engine", "sockmap"});
  expect_one_line(run(words, nobody), 1, "--engine sockmap: load the kernel program");
}

TEST_F(ProgramStart, StatusOfNothingSaysSo) {
  const auto ran = run({"status", "--admin", admin()});
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_NE(ran.err.find(admin()), std::string::npos) << ran.err;
}

TEST_F(ProgramStart, CheckNamesEveryMistakeOfAFile) {
  const auto file = (place.path() / "a.toml").string();
  std::ofstream(file) << "[etcd.main]\n[service.web]\nlisten = \":8080\"\n";
  const auto good = run({"check", file});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.out, file + ": 1 service, 1 source, 0 registrations; all is well\n");
  EXPECT_EQ(good.err, "");
  std::ofstream(file, std::ios::app) << "hodl = \"3s\"\nretries = 101\n";
  const auto bad = run({"check", file});
  EXPECT_EQ(bad.code, 1);
  EXPECT_EQ(bad.out, file + ":4: service.web.hodl: unknown key; did you mean 'hold'?\n" + file +
                         ":5: service.web.retries: '101' is not a number from 0 to 100\n");
}

TEST_F(ProgramStart, DoctorFindsTheBestEngine) {
  const auto ran = run({"doctor"});
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_NE(ran.out.find("--engine auto takes: sockmap"), std::string::npos) << ran.out;
}

// Each ability by itself: what this process may is not lost for what it may not.
TEST_F(ProgramStart, DoctorNamesWhatZeroHopLacks) {
  const OwnBpfFileSystem pins;
  const auto all = run({"doctor"}).out;
  Ran ran;
  std::jthread([&ran] {  // what the bounding set lacks is this thread's loss, and its child's
    must(::prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) == 0, "drop CAP_SYS_ADMIN");
    ran = run({"doctor"});
  })
      .join();
  EXPECT_NE(ran.out.find("direct   works"), std::string::npos) << ran.out;
  for (const auto* both : {"  ok   a listener on every address\n", "  ok   fail_static\n"}) {
    EXPECT_NE(all.find(both), std::string::npos) << all;
    EXPECT_NE(ran.out.find(both), std::string::npos) << ran.out;
  }
  EXPECT_NE(all.find("  ok   consumers in other network namespaces\n"), std::string::npos) << all;
  const std::string lacks =
      "  FAIL consumers in other network namespaces: enter a network namespace: Operation not "
      "permitted\n       it takes CAP_SYS_ADMIN";
  EXPECT_NE(ran.out.find(lacks), std::string::npos) << ran.out;
}

TEST_F(ProgramStart, DoctorSaysWhatIsMissing) {
  const auto ran = run({"doctor"}, {.environment = {}, .privileged = false});
  EXPECT_EQ(ran.code, 0) << "splice works: " << ran.out;
  EXPECT_NE(ran.out.find("--engine auto takes: splice"), std::string::npos) << ran.out;
  const std::string lacks = "it lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN;";
  EXPECT_NE(ran.out.find(lacks), std::string::npos) << ran.out;
  for (const auto* command : {"setcap cap_bpf,cap_perfmon,cap_net_admin+ep /", "--cap-add BPF",
                              "AmbientCapabilities=CAP_BPF"})
    EXPECT_NE(ran.out.find(command), std::string::npos) << ran.out;
}

}  // namespace
}  // namespace ambbpf::test
