// SPDX-License-Identifier: Apache-2.0
// The program with an etcd behind TLS that wants a client certificate and a user.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

constexpr auto* kPassword = "deep-secret";

class ProgramEtcdAccess : public testing::Test {
 protected:
  ProgramEtcdAccess() {
    std::ofstream(password_file()) << kPassword << '\n';
    etcd.enable_auth_v2();
    etcd.enable_auth_v3();
    etcd.add_user_v2("amb", kPassword);
    etcd.add_user_v3("amb", kPassword);
  }
  EtcdFlags flags() {
    const EtcdTls tls{
        .server = authority.issue(), .clients_ca = authority.certificate(), .client = own};
    return {.enable_v2 = true, .tls = tls};
  }
  std::string password_file() const { return (place.path() / "password").string(); }
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  std::vector<std::string> proxy(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"proxy",    "web",       std::to_string(front.port()),
                                   "--listen", "127.0.0.1", "--etcd",
                                   etcd.url(), "--admin",   admin()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // Serves what is in etcd, in either API, and tells nobody the password.
  void expect_served(const std::vector<std::string>& words, const ProgramSetting& setting) {
    Listener old_api(loopback_v4());
    Listener new_api(loopback_v4());
    etcd.put_v2("/services/web/web-2", to_string(old_api.address()));
    etcd.put_v3("/services/web/web-3", to_string(new_api.address()));
    Program ambassador(words, setting);
    ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
    const auto status = [&] { return run({"status", "--admin", admin()}); };
    const auto shows = [](const Ran& ran, const Listener& backend) {
      return ran.out.find(to_string(backend.address())) != std::string::npos;
    };
    EXPECT_TRUE(eventually([&] {
      const auto ran = status();
      return ran.code == 0 && shows(ran, old_api) && shows(ran, new_api);
    })) << status().out
        << ambassador.err();
    Peer first = Peer::connect_to(front);
    Peer second = Peer::connect_to(front);
    first.send("!");
    second.send("!");
    EXPECT_EQ(old_api.accept().read(1), "!");
    EXPECT_EQ(new_api.accept().read(1), "!");
    const auto json = run({"status", "--json", "--admin", admin()});
    for (const auto& told : {json.out, status().out, ambassador.err(), ambassador.out()})
      EXPECT_EQ(told.find(kPassword), std::string::npos) << told;
  }

  Authority authority;
  Certificate own = authority.issue();
  EtcdProcess etcd{flags()};
  TemporaryDirectory place;
  tcp::endpoint front = free_address();
};

TEST_F(ProgramEtcdAccess, ServesWithOptions) {
  expect_served(proxy({"--etcd-ca", authority.certificate(), "--etcd-cert", own.certificate,
                       "--etcd-key", own.key, "--etcd-user", "amb", "--etcd-password-file",
                       password_file(), "--log-level", "debug"}),
                {});
}

TEST_F(ProgramEtcdAccess, ServesWithTwinsInTheEnvironment) {
  const ProgramSetting setting{.environment = {"AMBBPF_ETCD_CA=" + authority.certificate(),
                                               "AMBBPF_ETCD_CERT=" + own.certificate,
                                               "AMBBPF_ETCD_KEY=" + own.key, "AMBBPF_ETCD_USER=amb",
                                               std::string("AMBBPF_ETCD_PASSWORD=") + kPassword}};
  expect_served(proxy(), setting);
}

TEST_F(ProgramEtcdAccess, WithoutTheAuthorityStatusSaysWhy) {
  Program ambassador(proxy({"--etcd-user", "amb", "--etcd-password-file", password_file()}));
  ASSERT_TRUE(ambassador.says("cannot be followed")) << ambassador.err();
  const auto status = run({"status", "--admin", admin()});
  EXPECT_EQ(status.code, 1);
  EXPECT_NE(status.out.find("unable to get local issuer certificate"), std::string::npos)
      << status.out;
}

}  // namespace
}  // namespace ambbpf::test
