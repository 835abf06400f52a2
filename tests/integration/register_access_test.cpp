// SPDX-License-Identifier: Apache-2.0
// Servers that want to be convinced: an etcd with users, a Docker Engine behind TLS.
#include <algorithm>
#include <csignal>

#include "tests/integration/registration.h"

namespace ambbpf::test {
namespace {

constexpr auto kPassword = "deep-secret";

class RegisterAccess : public RegistrationInBoth {
 protected:
  void demand_a_user() {
    if (api() == "v2") {
      etcd.enable_auth_v2();
      etcd.add_user_v2("amb", kPassword);
    } else {
      etcd.enable_auth_v3();
      etcd.add_user_v3("amb", kPassword);
    }
  }
  Words web() const { return advertising({"web-1", "80", "web", "--etcd-user", "amb"}); }
  static ProgramSetting with_password(const std::string& password) {
    return {.environment = {"AMBBPF_ETCD_PASSWORD=" + password}};
  }
};

TEST_P(RegisterAccess, AUserOfEtcdKeepsAndRemovesKeys) {
  demand_a_user();
  run_container("web-1");
  Program registrar(web(), with_password(kPassword));
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  // Longer than the TTL, so that it is kept by what a user may do.
  EXPECT_TRUE(stays(kKey, value_of("web-1"), after(std::chrono::seconds(7)))) << registrar.err();
  registrar.signal(SIGTERM);
  EXPECT_EQ(registrar.wait(), 0);
  EXPECT_TRUE(keys().empty());
  EXPECT_EQ(registrar.err().find(kPassword), std::string::npos);
}

TEST_P(RegisterAccess, AWrongPasswordIsSaidAndDoesNotEndIt) {
  demand_a_user();
  run_container("web-1");
  Program registrar(web(), with_password("wrong-secret"));
  EXPECT_TRUE(registrar.says(api() == "v2" ? "refused" : "authenticate as 'amb'"))
      << registrar.err();
  EXPECT_TRUE(registrar.running());
  EXPECT_EQ(registrar.err().find("wrong-secret"), std::string::npos);
  EXPECT_TRUE(keys().empty());
}

TEST_P(RegisterAccess, DockerBehindTlsIsFollowedWithACertificate) {
  Authority authority;
  const auto own = authority.issue();
  engine.stop();
  engine.start({.tls = DockerTls{authority.issue(), authority.certificate()}});
  run_container("web-1");
  auto words = advertising({"web-1", "80", "web", "--docker-ca", authority.certificate()});
  std::replace(words.begin(), words.end(), engine.url(), std::string(DockerTls::kUrl));
  {
    Program without(words);
    EXPECT_TRUE(without.says("certificate")) << without.err();
    EXPECT_TRUE(keys().empty());
  }
  Program registrar(words + Words{"--docker-cert", own.certificate, "--docker-key", own.key});
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.must({"kill", "web-1"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
}

INSTANTIATE_TEST_SUITE_P(Etcd, RegisterAccess, testing::Values("v2", "v3"), name_of_api);

}  // namespace
}  // namespace ambbpf::test
