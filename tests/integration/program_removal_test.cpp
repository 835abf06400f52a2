// SPDX-License-Identifier: Apache-2.0
// Open connections to an endpoint that is removed, through the proxy and without one.
#include <chrono>
#include <thread>

#include "tests/integration/direct_fixture.h"

namespace ambbpf::test {
namespace {

enum class Way { kProxy, kDirect };

class Removal : public Direct, public testing::WithParamInterface<Way> {
 protected:
  Removal() {
    direct = GetParam() == Way::kDirect ? "true" : "false";
    stays = std::make_unique<NamedBackend>("stays");
  }

  void begin(const std::string& policy) {
    more = policy;
    write('"' + to_string(goes.address()) + '"');
    ambassador = start();
    ASSERT_TRUE(eventually([this] {
      const auto before = connects();
      connect();
      return GetParam() == Way::kProxy || connects() > before;
    })) << ambassador->err();
  }
  // The ambassador asks the endpoint as well, and has nothing to say.
  void connect() {
    const auto question = std::to_string(++questions);
    consumer = Peer::connect_to(front);
    consumer.send(question);
    do served = goes.accept();
    while (served.read_some(question.size()) != question);
  }
  void list_only(const std::string& endpoint) const {
    write(endpoint);
    ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  }
  void expect_reset() {
    // Whose socket is destroyed reads ECONNABORTED (tcp_diag_destroy() of Linux).
    EXPECT_EQ(consumer.read_until_end().error, GetParam() == Way::kProxy
                                                   ? std::errc::connection_reset
                                                   : std::errc::connection_aborted)
        << ambassador->err();
    EXPECT_EQ(served.read_until_end().error, std::errc::connection_reset);
  }
  void expect_open() {
    served.send_and_finish("answer");
    EXPECT_EQ(consumer.read_all(), "answer");
  }

  Listener goes{loopback_v4()};
  std::unique_ptr<NamedBackend> stays;
  std::unique_ptr<Program> ambassador;
  int questions = 100;
  Peer consumer;
  Peer served;
};

INSTANTIATE_TEST_SUITE_P(By, Removal, testing::Values(Way::kProxy, Way::kDirect),
                         [](const auto& way) {
                           return way.param == Way::kProxy ? "TheProxy" : "ZeroHop";
                         });

TEST_P(Removal, LetsOpenConnectionsGoOnUnlessToldOtherwise) {
  begin("");
  list_only(quoted(*stays));
  EXPECT_TRUE(eventually([this] { return ask(front) == "stays"; }));
  expect_open();
}

TEST_P(Removal, ResetsThemAtOnce) {
  begin("on_removal = \"reset\"\n");
  list_only(quoted(*stays));
  expect_reset();
}

TEST_P(Removal, ResetsThemByHandAndServesNewOnes) {
  begin("");
  EXPECT_EQ(run({"reset", "web", to_string(goes.address()), "--admin", admin()}).code, 0);
  expect_reset();
  connect();
  expect_open();
}

TEST_P(Removal, ResetsByHandWhatIsLeftOfThoseThatHaveGone) {
  begin("");
  list_only(quoted(*stays));
  EXPECT_EQ(run({"drain", "web", to_string(goes.address()), "--admin", admin()}).code, 1);
  EXPECT_EQ(run({"reset", "web", to_string(goes.address()), "--admin", admin()}).code, 0);
  expect_reset();
}

TEST_P(Removal, DrainsByHand) {
  begin("");
  list_only('"' + to_string(goes.address()) + "\", " + quoted(*stays));
  EXPECT_EQ(run({"drain", "web", to_string(goes.address()), "--admin", admin()}).code, 0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "stays");
  expect_open();
}

TEST_P(Removal, ResetsThemWhenTheirTimeToDrainIsOver) {
  begin("on_removal = \"drain\"\ndrain_timeout = \"2s\"\n");
  list_only(quoted(*stays));
  consumer.send("more");
  EXPECT_EQ(served.read(4), "more") << "it goes on";
  expect_reset();
}

TEST_P(Removal, EndpointThatComesBackKeepsItsConnections) {
  begin("on_removal = \"drain\"\ndrain_timeout = \"4s\"\n");  // two reloads take less
  list_only(quoted(*stays));
  list_only('"' + to_string(goes.address()) + '"');
  std::this_thread::sleep_for(std::chrono::milliseconds(4500));  // for what must not happen
  expect_open();
}

TEST_P(Removal, EndpointThatCameBackAndGoesAgainTakesItsFormerConnectionsAlong) {
  begin("on_removal = \"drain\"\ndrain_timeout = \"1s\"\n");
  list_only(quoted(*stays));
  list_only('"' + to_string(goes.address()) + '"');
  list_only(quoted(*stays));
  expect_reset();
}

}  // namespace
}  // namespace ambbpf::test
