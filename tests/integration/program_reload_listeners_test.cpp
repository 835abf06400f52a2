// SPDX-License-Identifier: Apache-2.0
// Listeners and connections while services come, go and move.
#include <gmock/gmock.h>

#include <map>

#include "tests/integration/program_reload.h"

namespace ambbpf::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// The same for one thread, whose listener stands alone, and for several, which share the port.
class ReloadedListeners : public RunByFile, public testing::WithParamInterface<int> {
 protected:
  std::string text(const std::string& services) const {
    return fmt::format("threads = {}\n{}", GetParam(), services);
  }
  Ran reload_with(const std::string& services) const { return reload(text(services)); }
  std::unique_ptr<Program> started(const std::string& services) const {
    write(text(services));
    auto program = std::make_unique<Program>(by_file());
    if (!program->says("admin socket")) throw std::runtime_error(program->err());
    return program;
  }

  NamedBackend one{"one"};
  NamedBackend two{"two"};
  const tcp::endpoint front = free_address();
  const tcp::endpoint second = free_address();
  const tcp::endpoint third = free_address();
};

// The sockets that listen on a port of IPv4, by their numbers.
std::multiset<std::string> listeners_on(const tcp::endpoint& address) {
  std::multiset<std::string> inodes;
  std::ifstream table("/proc/net/tcp");
  const auto port = fmt::format(":{:04X}", address.port());
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
    if (words.size() > 9 && words[1].ends_with(port) && words[3] == "0A") inodes.insert(words[9]);
  }
  return inodes;
}

TEST_P(ReloadedListeners, APortThatIsTakenChangesNothing) {
  const Listener somebody(loopback_v4());
  const auto& taken = somebody.address();
  const auto before = service("web", front, one) + service("db", second, two);
  const auto program = started(before);
  const auto wanted = service("web", front, two, "retries = 1") + service("new", third, one) +
                      service("other", taken, one);
  const auto refused = reload_with(wanted);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.out, IsEmpty());
  EXPECT_THAT(refused.err, StartsWith("ambbpf: " + file().string() + ": "));
  EXPECT_THAT(refused.err, HasSubstr("listen on " + to_string(taken) + ": Address already in use"));
  EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1);
  EXPECT_EQ(generation(), 1U);
  EXPECT_THAT(status().configuration.last_error, HasSubstr(to_string(taken)));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(front), "one");
  EXPECT_EQ(ask(second), "two");
  EXPECT_TRUE(is_refused(third)) << "it came with what was refused";
  EXPECT_EQ(status().services.size(), 2U);

  ASSERT_EQ(reload_with(service("web", front, two) + service("new", third, one)).code, 0);
  EXPECT_EQ(status().configuration.last_error, "");
  EXPECT_EQ(ask(third), "one");
}

TEST_P(ReloadedListeners, APortOfAnotherAmbassadorIsTaken) {
  Program other({"forward", to_string(one.listener().address()), "--listen", to_string(second),
                 "--threads", std::to_string(GetParam()), "--admin",
                 (place.path() / "other.sock").string()});
  ASSERT_TRUE(other.says("admin socket")) << other.err();
  const auto program = started(service("web", front, one));
  const auto refused = reload_with(service("web", front, one) + service("db", second, two));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr(to_string(second)));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(second), "one");
}

TEST_P(ReloadedListeners, WhatStaysFeelsNothing) {
  Listener backend(loopback_v4());
  const auto web = service("web", front, backend.address());
  const auto program = started(web + service("db", second, two));
  OpenConnection open(front, backend);
  const auto listeners = listeners_on(front);
  EXPECT_EQ(listeners.size(), static_cast<std::size_t>(GetParam()));
  ASSERT_TRUE(open.carries("begun"));
  ASSERT_EQ(reload_with(web + service("new", third, one)).code, 0);   // one goes, one comes
  ASSERT_EQ(reload_with(service("new", second, two) + web).code, 0);  // one changes
  ASSERT_EQ(reload_with("[defaults]\nretries = 1\n" + web).code, 0);  // it changes itself
  ASSERT_EQ(reload_with(web + service("db", second, two, "nonsense = 1")).code, 1);
  EXPECT_TRUE(open.carries("as before"));
  EXPECT_EQ(listeners_on(front), listeners);
  const auto told = status_of("web");
  EXPECT_EQ(told.connections_now, 1U);
  EXPECT_EQ(told.connections_total, 1U);
  EXPECT_EQ(told.endpoints.at(0).connections_total, 1U);
  open.end();
}

TEST_P(ReloadedListeners, AnAddressMovesFromOneServiceToAnother) {
  Listener backend(loopback_v4());
  const auto program =
      started(service("web", front, backend.address()) + service("db", second, two));
  OpenConnection open(front, backend);
  const auto listeners = listeners_on(front);
  const auto moved =
      reload_with(service("web", third, backend.address()) + service("db", front, two));
  ASSERT_EQ(moved.code, 0) << moved.err;
  EXPECT_TRUE(eventually([&] { return ask(front) == "two"; }));
  EXPECT_EQ(listeners_on(front), listeners) << "it takes connections all the time";
  EXPECT_TRUE(eventually([&] { return is_refused(second); }));
  EXPECT_TRUE(open.carries("as before"));
  OpenConnection another(third, backend);
  EXPECT_TRUE(another.carries("web"));
  EXPECT_EQ(status_of("web").listen, std::vector<std::string>{to_string(third)});
  EXPECT_EQ(status_of("web").connections_now, 2U);
  EXPECT_EQ(status_of("db").listen, std::vector<std::string>{to_string(front)});
}

TEST_P(ReloadedListeners, TwoServicesChangePlaces) {
  const auto program = started(service("web", front, one) + service("db", second, two));
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(reload_with(service("web", second, one) + service("db", front, two)).code, 0);
    EXPECT_TRUE(eventually([&] { return ask(front) == "two" && ask(second) == "one"; }));
    ASSERT_EQ(reload_with(service("web", front, one) + service("db", second, two)).code, 0);
    EXPECT_TRUE(eventually([&] { return ask(front) == "one" && ask(second) == "two"; }));
  }
}

TEST_P(ReloadedListeners, EveryAddressAndOneReplaceEachOther) {
  Listener backend(loopback_v4());
  const auto on = [&](const std::string& listen) {
    return fmt::format("[service.web]\nlisten = \"{}\"\nendpoints = [\"{}\"]\n", listen,
                       to_string(backend.address()));
  };
  const auto every = on(fmt::format(":{}", front.port()));
  const auto program = started(every);
  std::vector<std::unique_ptr<OpenConnection>> open;
  const auto connects = [&] {
    open.push_back(std::make_unique<OpenConnection>(front, backend));
    return open.back()->carries("new");
  };
  EXPECT_TRUE(connects());
  for (int i = 0; i < 3; ++i) {
    auto changed = reload_with(on(to_string(front)));
    ASSERT_EQ(changed.code, 0) << changed.err;
    EXPECT_EQ(status_of("web").listen, std::vector<std::string>{to_string(front)});
    EXPECT_TRUE(connects());
    changed = reload_with(every);
    ASSERT_EQ(changed.code, 0) << changed.err;
    EXPECT_EQ(status_of("web").listen,
              std::vector<std::string>{fmt::format("[::]:{}", front.port())});
    EXPECT_TRUE(connects());
  }
  for (const auto& one_of_them : open) EXPECT_TRUE(one_of_them->carries("as before"));
}

TEST_P(ReloadedListeners, WhatAServiceHasOpenGoesOnWhenItIsRemoved) {
  Listener backend(loopback_v4());
  const auto program =
      started(service("web", front, one) + service("db", second, backend.address()));
  OpenConnection open(second, backend);
  ASSERT_EQ(reload_with(service("web", front, one)).code, 0);
  EXPECT_TRUE(eventually([&] { return listeners_on(second).empty(); }));
  EXPECT_TRUE(is_refused(second));
  EXPECT_TRUE(open.carries("as before"));
  auto removed = status_of("db");
  EXPECT_TRUE(removed.removed);
  EXPECT_THAT(removed.listen, IsEmpty());
  EXPECT_EQ(removed.connections_now, 1U);
  EXPECT_THAT(run({"status", "--admin", admin()}).out, HasSubstr("removed"));

  // A new one of that name is another.
  ASSERT_EQ(reload_with(service("web", front, one) + service("db", third, two)).code, 0);
  EXPECT_EQ(ask(third), "two");
  EXPECT_EQ(status().services.size(), 3U);
  open.end();
  EXPECT_TRUE(eventually([&] { return status().services.size() == 2; }));
  EXPECT_FALSE(status_of("db").removed);
}

TEST_P(ReloadedListeners, TheFirstServiceMayComeLater) {
  const auto registration = fmt::format(
      "[docker.none]\nhost = \"unix://{}/none.sock\"\n[etcd.none]\nurls = \"http://{}\"\n"
      "[register.all]\nadvertise = \"127.0.0.1\"\n",
      place.path().string(), to_string(free_address()));
  const auto program = started(registration);
  const Listener somebody(loopback_v4());
  EXPECT_EQ(reload_with(registration + service("web", somebody.address(), one)).code, 1);
  EXPECT_THAT(status().services, IsEmpty());
  const auto come = reload_with(registration + service("web", front, one));
  ASSERT_EQ(come.code, 0) << come.err;
  EXPECT_EQ(ask(front), "one");
  EXPECT_EQ(status().threads, static_cast<std::uint64_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Threads, ReloadedListeners, testing::Values(1, 2));

}  // namespace
}  // namespace ambbpf::test
