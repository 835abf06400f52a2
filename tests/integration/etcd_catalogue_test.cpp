// SPDX-License-Identifier: Apache-2.0
// Many services of one etcd: whom a watch is for, and that nobody is hurt by the others.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "tests/integration/etcd_follow.h"
#include "tests/support/fake_http.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

// One catalogue and any number of services, on a loop that turns only while the test waits.
class Fleet {
 public:
  Fleet(EtcdApi api, const EtcdOptions& options)
      : client_(io_.get_executor()),
        catalogue_(std::move(make_etcd_catalogues(api, client_, options,
                                                  std::make_shared<Resolver>(io_.get_executor()))
                                 .front())) {
    auto work = catalogue_->run();
    spawn_stoppable(io_.get_executor(), std::move(work), stop_.slot(), [this] { stopped_ = true; });
  }

  void add(const std::string& service) {
    auto& one = services_[service];
    one.source = catalogue_->source_of(service);
    auto work = one.source->run([&one](std::vector<Endpoint> endpoints, const Cause&) {
      one.published.push_back(std::move(endpoints));
    });
    spawn_stoppable(io_.get_executor(), std::move(work), one.stop.slot(),
                    [&one] { one.ended = true; });
  }

  void remove(const std::string& service) {
    auto& one = services_.at(service);
    one.stop.emit(asio::cancellation_type::terminal);
    ASSERT_TRUE(until([&] { return one.ended; }));
    services_.erase(service);
  }

  bool stop() {
    stop_.emit(asio::cancellation_type::terminal);
    return until([this] { return stopped_; });
  }

  bool until(const std::function<bool()>& condition) {
    const auto deadline = Clock::now() + 20s;
    while (!condition()) {
      if (Clock::now() > deadline) return false;
      io_.run_one_for(20ms);
    }
    return true;
  }

  bool until_set_is(const std::string& service, const Set& addresses) {
    return until([&] { return set(service) == addresses; });
  }

  std::optional<Set> set(const std::string& service) const {
    const auto& published = services_.at(service).published;
    if (published.empty()) return std::nullopt;
    Set addresses;
    for (const auto& endpoint : published.back()) addresses.insert(to_string(endpoint.address));
    return addresses;
  }
  std::size_t publications(const std::string& service) const {
    return services_.at(service).published.size();
  }
  Source& source(const std::string& service) { return *services_.at(service).source; }
  SourceStatus status(const std::string& service) { return source(service).status(); }

 private:
  struct One {
    std::unique_ptr<Source> source;
    std::vector<std::vector<Endpoint>> published;
    asio::cancellation_signal stop;
    bool ended = false;
  };

  asio::io_context io_{1};
  EtcdClient client_;
  asio::cancellation_signal stop_;
  bool stopped_ = false;
  std::unique_ptr<Catalogue> catalogue_;
  std::map<std::string, One> services_;
};

class EtcdCatalogues : public ::testing::TestWithParam<EtcdApi> {
 protected:
  static std::string key_of(const std::string& service) { return "/services/" + service + "/a"; }

  // What etcd itself counts.
  int watchers() const {
    const auto metrics = "\n" + call("GET", etcd.url() + "/metrics").body;
    const std::string name = GetParam() == EtcdApi::kV2 ? "\netcd_debugging_store_watchers "
                                                        : "\netcd_debugging_mvcc_watcher_total ";
    const auto at = metrics.find(name);
    return at == metrics.npos ? -1 : std::stoi(metrics.substr(at + name.size()));
  }
  bool until_watchers_are(Fleet& fleet, int number) {
    return fleet.until([&] { return watchers() == number; });
  }

  void put_each(int services) {
    for (int i = 0; i < services; ++i)
      keys.put(key_of(std::to_string(i)), "10.0.0." + std::to_string(i) + ":80");
  }
  void expect_each(Fleet& fleet, int services) {
    for (int i = 0; i < services; ++i)
      EXPECT_TRUE(fleet.until_set_is(std::to_string(i), {"10.0.0." + std::to_string(i) + ":80"}))
          << i;
  }

  EtcdProcess etcd;
  Keys keys{etcd, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Api, EtcdCatalogues, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(EtcdCatalogues, FewServicesHaveAWatchEachAndManyOneTogether) {
  put_each(5);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  EXPECT_TRUE(until_watchers_are(fleet, 0));
  for (const auto* service : {"0", "1"}) fleet.add(service);
  expect_each(fleet, 2);
  EXPECT_TRUE(until_watchers_are(fleet, 2));
  EXPECT_EQ(fleet.status("0").from, etcd.url() + " /services/0");

  for (const auto* service : {"2", "3", "4"}) fleet.add(service);
  expect_each(fleet, 5);
  EXPECT_TRUE(until_watchers_are(fleet, 1));
  EXPECT_EQ(fleet.publications("0"), 1U) << "the change of watches is no news";
  EXPECT_EQ(fleet.status("4").from, etcd.url() + " /services/4");
  EXPECT_EQ(fleet.status("4").state, SourceStatus::State::kFollowing);
  keys.put(key_of("0"), "10.0.1.0:80");
  keys.remove(key_of("4"));
  EXPECT_TRUE(fleet.until_set_is("0", {"10.0.1.0:80"}));
  EXPECT_TRUE(fleet.until_set_is("4", {}));
  EXPECT_EQ(fleet.publications("1"), 1U);

  for (const auto* service : {"2", "3", "4"}) fleet.remove(service);
  EXPECT_TRUE(until_watchers_are(fleet, 2));
  EXPECT_EQ(fleet.publications("1"), 1U);
  for (const auto* service : {"0", "1"}) fleet.remove(service);
  EXPECT_TRUE(until_watchers_are(fleet, 0)) << "nobody is there to watch for";
}

TEST_P(EtcdCatalogues, ServiceThatComesLaterLeavesTheWatchAlone) {
  put_each(5);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (int i = 0; i < 4; ++i) fleet.add(std::to_string(i));
  expect_each(fleet, 4);
  ASSERT_TRUE(until_watchers_are(fleet, 1));
  const auto lists = fleet.status("0").lists;
  fleet.add("4");
  ASSERT_TRUE(fleet.until_set_is("4", {"10.0.0.4:80"}));
  EXPECT_EQ(fleet.status("0").lists, lists + 1) << "of the new one alone";
  EXPECT_EQ(fleet.publications("0"), 1U);
  keys.put(key_of("4"), "10.0.1.4:80");
  keys.put(key_of("0"), "10.0.1.0:80");
  EXPECT_TRUE(fleet.until_set_is("4", {"10.0.1.4:80"}));
  EXPECT_TRUE(fleet.until_set_is("0", {"10.0.1.0:80"}));
  EXPECT_EQ(fleet.status("0").lists, lists + 1);
  EXPECT_EQ(fleet.status("0").failures, 0U);
}

TEST_P(EtcdCatalogues, ServicesComeAndGoWhileKeysChange) {
  put_each(6);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (int round = 0; round < 20; ++round) {
    const auto number = std::to_string(round % 6);
    const auto address = "10.0.9." + std::to_string(round) + ":80";
    keys.put(key_of(number), address);
    fleet.add(number);
    ASSERT_TRUE(fleet.until_set_is(number, {address})) << round;
    if (round >= 5) fleet.remove(std::to_string((round + 1) % 6));
  }
}

TEST_P(EtcdCatalogues, CatalogueStopsWithAllThatItStarted) {
  put_each(4);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (int i = 0; i < 4; ++i) fleet.add(std::to_string(i));
  expect_each(fleet, 4);
  ASSERT_TRUE(until_watchers_are(fleet, 1));
  EXPECT_TRUE(fleet.stop());
  EXPECT_TRUE(until_watchers_are(fleet, 0));
  EXPECT_EQ(fleet.set("3"), Set{"10.0.0.3:80"});
}

TEST_P(EtcdCatalogues, StopsWhileEtcdHangs) {
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  etcd.pause();
  for (int i = 0; i < 4; ++i) fleet.add(std::to_string(i));
  for (int turns = 0; turns < 10; ++turns)
    fleet.until([left = 1]() mutable { return left-- == 0; });
  fleet.remove("0");
  EXPECT_TRUE(fleet.stop());
  etcd.resume();
}

TEST_P(EtcdCatalogues, DoubtOfOneServiceListsThisOneAlone) {
  put_each(4);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (int i = 0; i < 4; ++i) fleet.add(std::to_string(i));
  expect_each(fleet, 4);
  ASSERT_TRUE(until_watchers_are(fleet, 1));
  const auto lists = fleet.status("0").lists;
  ASSERT_TRUE(fleet.until([&] {
    fleet.source("1").doubt();  // not at once: it was listed a moment ago
    return fleet.status("0").lists > lists;
  }));
  keys.put(key_of("1"), "10.0.1.1:80");
  EXPECT_TRUE(fleet.until_set_is("1", {"10.0.1.1:80"}));
  EXPECT_EQ(fleet.status("0").lists, lists + 1);
  EXPECT_TRUE(until_watchers_are(fleet, 1));
}

TEST_P(EtcdCatalogues, SetIsKeptForEachServiceByItself) {
  put_each(3);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (int i = 0; i < 3; ++i) fleet.add(std::to_string(i));
  expect_each(fleet, 3);
  etcd.kill();
  etcd.wipe();
  etcd.start();
  keys.put(key_of("1"), "10.0.1.1:80");
  EXPECT_TRUE(fleet.until_set_is("1", {"10.0.1.1:80"}));
  ASSERT_TRUE(fleet.until([&] { return !fleet.status("0").note.empty(); }));
  EXPECT_EQ(fleet.set("0"), Set{"10.0.0.0:80"});
  EXPECT_EQ(fleet.set("2"), Set{"10.0.0.2:80"});
  EXPECT_EQ(fleet.status("1").note, "");
  keys.put(key_of("2"), "10.0.1.2:80");
  keys.remove(key_of("2"));
  EXPECT_TRUE(fleet.until_set_is("2", {}));
  EXPECT_EQ(fleet.set("0"), Set{"10.0.0.0:80"});
}

// More than one answer may hold: API v3 reads it in pages, v2 cannot and watches each by itself.
TEST_P(EtcdCatalogues, SizeOfOthersHurtsNobody) {
  const std::string big(1 << 20, 'x');
  for (int i = 0; i < 18; ++i) keys.put("/services/foreign/" + std::to_string(i), big);
  put_each(4);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (int i = 0; i < 4; ++i) fleet.add(std::to_string(i));
  expect_each(fleet, 4);
  EXPECT_TRUE(until_watchers_are(fleet, GetParam() == EtcdApi::kV2 ? 4 : 1));
  keys.put("/services/foreign/0", big + "y");
  keys.put(key_of("3"), "10.0.1.3:80");
  EXPECT_TRUE(fleet.until_set_is("3", {"10.0.1.3:80"}));
  EXPECT_EQ(fleet.publications("0"), 1U);
}

TEST_P(EtcdCatalogues, KeyInTheDirectorysPlaceHurtsNobody) {
  put_each(3);
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (int i = 0; i < 3; ++i) fleet.add(std::to_string(i));
  expect_each(fleet, 3);
  ASSERT_TRUE(until_watchers_are(fleet, 1));
  if (GetParam() == EtcdApi::kV2) {
    const auto directory = etcd.url() + "/v2/keys/services/0";
    ASSERT_EQ(call("PUT", directory, "dir=true&prevExist=true&ttl=600").status, 200);
  } else {
    keys.put("/services/0", "10.0.0.9:80");
    keys.remove("/services/0");
  }
  keys.put("/services/0/b", "10.0.0.8:80");
  ASSERT_TRUE(fleet.until_set_is("0", {"10.0.0.0:80", "10.0.0.8:80"}));
  EXPECT_EQ(fleet.publications("0"), 2U);
}

TEST_P(EtcdCatalogues, ServiceWithinAnotherIsFoundToo) {
  keys.put("/services/team/a", "10.0.0.1:80");
  keys.put("/services/team/db/a", "10.0.0.2:80");
  Fleet fleet(GetParam(), options_for({etcd.url()}));
  for (const auto* service : {"team", "team/db", "other"}) fleet.add(service);
  EXPECT_TRUE(fleet.until_set_is("team", {"10.0.0.1:80"}));
  EXPECT_TRUE(fleet.until_set_is("team/db", {"10.0.0.2:80"}));
  EXPECT_TRUE(fleet.until_set_is("other", {}));
  keys.remove("/services/team/db", true);
  EXPECT_TRUE(fleet.until_set_is("team/db", {}));
  EXPECT_EQ(fleet.publications("team"), 1U);
}

const std::string kHeader =
    R"("header":{"cluster_id":"6012025715201963436","revision":"3","raft_term":"2"})";

TEST(EtcdBurst, ManyChangesAtOnceArePublishedTogether) {
  std::string lines;
  constexpr int kLast = 20'000;
  for (int revision = 4; revision <= kLast; ++revision)  // "10.0.0.1:80" and "10.0.0.2:80" in turn
    lines += R"({"result":{"header":{"cluster_id":"6012025715201963436","revision":")" +
             std::to_string(revision) +
             R"("},"events":[{"kv":{"key":"L3NlcnZpY2VzL3dlYi93ZWItMg==","mod_revision":")" +
             std::to_string(revision) + R"(","value":"MTAuMC4wLj)" +
             (revision % 2 == 0 ? "I" : "E") + R"(6ODA="}}]}})" + "\n";
  FakeHttp server([&](const std::string& head) {
    if (head.find("/watch") == std::string::npos)
      return FakeAnswer{fake_answer("200 OK", "", "{" + kHeader + "}")};
    return FakeAnswer{"HTTP/1.1 200 OK\r\n\r\n" + lines, true};
  });
  Follow web(EtcdApi::kV3, options_for({server.url()}));
  ASSERT_TRUE(web.until([&] { return web.status().events == kLast - 3; }));
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_LT(web.publications(), std::size_t{kLast / 10});
}

}  // namespace
}  // namespace ambbpf::test
