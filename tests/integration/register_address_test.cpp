// SPDX-License-Identifier: Apache-2.0
// Which address and port a registrar writes.
#include <fmt/format.h>

#include "tests/integration/registration.h"
#include "tests/support/free_port.h"

namespace ambbpf::test {
namespace {

std::string json(const std::string& host, unsigned port) {
  return fmt::format(R"({{"port":{},"host":"{}"}})", port, host);
}

class RegisterAddress : public Registration {
 protected:
  Words at(const std::string& address) const {
    return advertising({"web-1", "80", "web"}, address);
  }
};

TEST_F(RegisterAddress, AContainerInTheHostsNetworkHasItsOwnPort) {
  const auto port = free_port();
  run_container("web-1", {"--network", "host", "--env", fmt::format("PORT={}", port)});
  Program registrar(advertising({"web-1", std::to_string(port), "web"}));
  EXPECT_TRUE(becomes(kKey, json(kAddress, port))) << registrar.err();
}

TEST_F(RegisterAddress, AContainerInAnothersNetworkHasTheOthersPort) {
  run_container("owner", {"-p", "80", "-p", "81"});
  run_container("web-1", {"--network", "container:owner", "--env", "PORT=81"});
  Program registrar(advertising({"web-1", "81", "web"}));
  const auto wanted = json(kAddress, std::stoul(published("owner", "81")));
  EXPECT_TRUE(becomes(kKey, wanted)) << registrar.err();
  engine.must({"kill", "web-1"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
}

TEST_F(RegisterAddress, OfSeveralBindingsTheOneAtTheAdvertisedAddress) {
  run_container("web-1", {"-p", "127.0.0.1:3001:80", "-p", "127.0.0.2:3002:80"});
  {
    Program registrar(at("127.0.0.2"));
    EXPECT_TRUE(becomes(kKey, json("127.0.0.2", 3002))) << registrar.err();
  }
  Program registrar(at("127.0.0.1"));
  EXPECT_TRUE(becomes(kKey, json("127.0.0.1", 3001))) << registrar.err();
}

TEST_F(RegisterAddress, ABindingToAllAddressesServesTheAdvertisedOne) {
  run_container("web-1", {"-p", "127.0.0.1:3001:80", "-p", "0.0.0.0:3002:80"});
  Program registrar(at("10.9.9.9"));
  EXPECT_TRUE(becomes(kKey, json("10.9.9.9", 3002))) << registrar.err();
}

TEST_F(RegisterAddress, EachFamilyHasItsOwnPort) {
  run_container("web-1", {"-p", "0.0.0.0:3004:80", "-p", "[::]:3006:80"});
  {
    Program registrar(at("10.9.9.9"));
    EXPECT_TRUE(becomes(kKey, json("10.9.9.9", 3004))) << registrar.err();
  }
  Program registrar(at("fd00::9"));
  EXPECT_TRUE(becomes(kKey, json("fd00::9", 3006))) << registrar.err();
}

TEST_F(RegisterAddress, ABindingToOneAddressNeedsNoAdvertisedOne) {
  run_container("web-1", {"-p", "127.0.0.2:3001:80"});
  Program registrar(registering({"web-1", "80", "web"}));
  EXPECT_TRUE(becomes(kKey, json("127.0.0.2", 3001))) << registrar.err();
}

TEST_F(RegisterAddress, TheAddressThatReachesEtcdIsTheDefault) {
  run_container("web-1");
  Program registrar(registering({"web-1", "80", "web"}));
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

TEST_F(RegisterAddress, CoreosSaysWhichAddressIsTheHosts) {
  run_container("web-1");
  Program registrar(registering({"web-1", "80", "web"}),
                    {.environment = {"COREOS_PRIVATE_IPV4=10.1.2.3"}});
  EXPECT_TRUE(becomes(kKey, value_of("web-1", "", "10.1.2.3"))) << registrar.err();
}

TEST_F(RegisterAddress, APortThatIsNotPublishedIsNamed) {
  run_container("web-1", {});
  Program registrar(at(kAddress));
  ASSERT_TRUE(registrar.says("publish")) << registrar.err();
  EXPECT_NE(registrar.err().find("web-1"), std::string::npos) << registrar.err();
  EXPECT_NE(registrar.err().find("80"), std::string::npos) << registrar.err();
  EXPECT_EQ(value(kKey), "");
  EXPECT_TRUE(registrar.running());
  engine.must({"rm", "--force", "web-1"});
  run_container("web-1");
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

}  // namespace
}  // namespace ambbpf::test
