// SPDX-License-Identifier: Apache-2.0
// Following a service over TLS, and what is said where that does not work.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/etcd_follow.h"
#include "tests/support/program.h"

namespace ambbpf::test {
namespace {

using State = SourceStatus::State;

HttpAccess trusting(const std::string& ca, const Certificate& own = {}) {
  return {.unix_socket = {}, .ca = ca, .certificate = own.certificate, .key = own.key};
}

class EtcdTlsTest : public ::testing::Test {
 protected:
  // Without client certificates being asked for.
  EtcdFlags serving(const Certificate& server) {
    return {.enable_v2 = true, .tls = EtcdTls{.server = server, .clients_ca = {}, .client = {}}};
  }
  EtcdFlags asking_for_certificates() {
    const EtcdTls tls{.server = authority.issue(),
                      .clients_ca = authority.certificate(),
                      .client = authority.issue()};
    return {.enable_v2 = true, .tls = tls};
  }

  std::string refusal(const EtcdProcess& etcd, EtcdApi api, const HttpAccess& access) {
    Follow web(api, options_for({etcd.url()}), "web", access);
    if (!web.until_state_is(State::kFailing)) return "no refusal";
    EXPECT_FALSE(web.has_published());
    return web.status().last_error;
  }

  void expect_refusal(const EtcdProcess& etcd, const HttpAccess& access, const std::string& words) {
    for (const auto api : {EtcdApi::kV2, EtcdApi::kV3}) {
      const auto said = refusal(etcd, api, access);
      EXPECT_NE(said.find(etcd.url()), std::string::npos) << said;
      EXPECT_NE(said.find(words), std::string::npos) << said;
      EXPECT_EQ(said.find('\n'), std::string::npos) << said;
    }
  }

  Authority authority;
  TemporaryDirectory place;
};

TEST_F(EtcdTlsTest, FollowsWithTheAuthorityThatSignedTheServer) {
  EtcdProcess etcd(serving(authority.issue()));
  for (const auto api : {EtcdApi::kV2, EtcdApi::kV3}) {
    const Keys keys{etcd, api};
    keys.put("/services/web/web-1", "10.0.0.1:80");
    Follow web(api, options_for({etcd.url()}), "web", trusting(authority.certificate()));
    ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
    keys.put("/services/web/web-1", "10.0.0.2:80");
    EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
    EXPECT_EQ(web.status().failures, 0U);
  }
}

TEST_F(EtcdTlsTest, RefusesAServerThatItsAuthorityDoesNotKnow) {
  EtcdProcess etcd(serving(authority.issue()));
  Authority other;
  const auto words = "unable to get local issuer certificate";
  expect_refusal(etcd, trusting(""), words);
  expect_refusal(etcd, trusting(other.certificate()), words);
}

TEST_F(EtcdTlsTest, RefusesAServerOfAnotherName) {
  EtcdProcess etcd(
      serving(authority.issue({.common_name = {}, .names = "DNS:other.example", .days = 1})));
  expect_refusal(etcd, trusting(authority.certificate()),
                 "no alternative certificate subject name matches target host name '127.0.0.1'");
}

TEST_F(EtcdTlsTest, RefusesAServerWhoseCertificateHasExpired) {
  EtcdProcess etcd(
      serving(authority.issue({.common_name = {}, .names = "IP:127.0.0.1", .days = -1})));
  expect_refusal(etcd, trusting(authority.certificate()), "certificate has expired");
}

TEST_F(EtcdTlsTest, NamesTheFileThatIsWrong) {
  EtcdProcess etcd(asking_for_certificates());
  const auto ca = authority.certificate();
  const auto own = authority.issue();
  const auto another = authority.issue();
  const auto missing = (place.path() / "missing.pem").string();
  const auto no_pem = (place.path() / "no.pem").string();
  std::ofstream(no_pem) << "nonsense\n";

  const std::string not_there = ": No such file or directory";
  expect_refusal(etcd, trusting(missing), "CA file " + missing + not_there);
  expect_refusal(etcd, trusting(no_pem), "CA file " + no_pem + ": no certificate in PEM in it");
  expect_refusal(etcd, trusting(ca, {missing, own.key}), "certificate " + missing + not_there);
  expect_refusal(etcd, trusting(ca, {no_pem, own.key}),
                 "certificate " + no_pem + ": no certificate in PEM in it");
  expect_refusal(etcd, trusting(ca, {own.certificate, missing}),
                 "private key " + missing + not_there);
  const auto not_its_key = ": not an unencrypted PEM key, or not that of the certificate ";
  expect_refusal(etcd, trusting(ca, {own.certificate, no_pem}),
                 "private key " + no_pem + not_its_key + own.certificate);
  expect_refusal(etcd, trusting(ca, {own.certificate, another.key}),
                 "private key " + another.key + not_its_key + own.certificate);
}

TEST_F(EtcdTlsTest, ShowsItsCertificateWhereOneIsWanted) {
  EtcdProcess etcd(asking_for_certificates());
  const auto ca = authority.certificate();
  for (const auto api : {EtcdApi::kV2, EtcdApi::kV3}) {
    Keys{etcd, api}.put("/services/web/web-1", "10.0.0.1:80");
    Follow web(api, options_for({etcd.url()}), "web", trusting(ca, authority.issue()));
    EXPECT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
  }
  Authority stranger;
  expect_refusal(etcd, trusting(ca), "perhaps the server wants a client certificate");
  expect_refusal(etcd, trusting(ca, stranger.issue()),
                 "perhaps the server refuses the client certificate");
}

// A file is read again for every connection, so a certificate can be renewed without a restart.
TEST_F(EtcdTlsTest, KeepsTheSetWhileTheAuthorityIsTheWrongOne) {
  EtcdProcess etcd(serving(authority.issue()));
  Authority other;
  const auto ca = place.path() / "ca.pem";
  const auto trust = [&](const Authority& one) {
    std::filesystem::copy_file(one.certificate(), ca,
                               std::filesystem::copy_options::overwrite_existing);
  };
  for (const auto api : {EtcdApi::kV2, EtcdApi::kV3}) {
    trust(authority);
    const Keys keys{etcd, api};
    keys.put("/services/web/web-1", "10.0.0.1:80");
    Follow web(api, options_for({etcd.url()}), "web", trusting(ca.string()));
    ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
    trust(other);
    etcd.kill();
    etcd.start();
    ASSERT_TRUE(web.until([&] {
      return web.status().last_error.find("local issuer") != std::string::npos;
    })) << web.status().last_error;
    ASSERT_TRUE(web.until_state_is(State::kFailing));
    EXPECT_EQ(web.publications(), 1U);
    EXPECT_EQ(web.status().endpoints, 1U);
    trust(authority);
    ASSERT_TRUE(web.until_state_is(State::kFollowing)) << web.status().last_error;
    keys.put("/services/web/web-1", "10.0.0.2:80");
    EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  }
}

}  // namespace
}  // namespace ambbpf::test
