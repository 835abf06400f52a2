// SPDX-License-Identifier: Apache-2.0
// Many services under load while others come, go and change.
#include <gmock/gmock.h>

#include <atomic>
#include <iterator>
#include <map>
#include <sstream>
#include <thread>

#include "tests/integration/program_reload.h"
#include "tests/support/etcd_process.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kOwnAllocator = true;  // freed memory is kept for a while
#else
constexpr bool kOwnAllocator = false;
#endif

// What a process has of the machine.
std::vector<std::string> descriptors_of(const Program& program) {
  std::vector<std::string> targets;
  const auto all = fmt::format("/proc/{}/fd", program.pid());
  for (const auto& entry : std::filesystem::directory_iterator(all)) {
    std::error_code gone;
    targets.push_back(std::filesystem::read_symlink(entry.path(), gone).string());
  }
  return targets;
}

// That which listens there, and what it has accepted.
std::size_t sockets_at(const std::filesystem::path& path) {
  std::size_t found = 0;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);)
    if (line.ends_with(" " + path.string())) ++found;
  return found;
}

std::size_t resident_kib_of(const Program& program) {
  std::ifstream status(fmt::format("/proc/{}/status", program.pid()));
  for (std::string word; status >> word;) {
    if (word != "VmRSS:") continue;
    std::size_t kib = 0;
    status >> kib;
    return kib;
  }
  throw std::runtime_error("the kernel does not tell VmRSS");
}

// Its sockets that are connected to a port of IPv4, by their numbers.
std::set<std::string> connections_to(const Program& program, const std::string& port) {
  const auto own = descriptors_of(program);
  const auto hexadecimal = fmt::format(":{:04X}", std::stoi(port));
  std::set<std::string> found;
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
    if (words.size() < 10 || !words[2].ends_with(hexadecimal) || words[3] != "01") continue;
    const auto socket = fmt::format("socket:[{}]", words[9]);
    if (std::ranges::find(own, socket) != own.end()) found.insert(socket);
  }
  return found;
}

std::string port_of(const EtcdProcess& etcd) {
  return etcd.url().substr(etcd.url().rfind(':') + 1);
}

// How many connections the service at `front` has had.
std::uint64_t served_at(const StatusReport& report, const tcp::endpoint& front) {
  for (const auto& service : report.services)
    if (service.listen == std::vector<std::string>{to_string(front)})
      return service.connections_total;
  return 0;
}

// Asks services in turn, some 200 times a second, as long as it lives.
class Clients {
 public:
  explicit Clients(std::vector<tcp::endpoint> fronts)
      : fronts_(std::move(fronts)), asking_(in_background([this] { ask_all(); })) {}
  ~Clients() { stop(); }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  std::uint64_t answered() const { return answered_; }
  // What went wrong, of all that was asked.
  std::string stop() {
    stopping_ = true;
    if (asking_.valid()) asking_.get();
    return failures_;
  }

 private:
  void ask_all() {
    for (std::size_t turn = 0; !stopping_; ++turn) {
      const auto& front = fronts_[turn % fronts_.size()];
      try {
        if (const auto answer = ask(front); answer != "one")
          failures_ += fmt::format("{}: '{}'\n", to_string(front), answer);
        ++answered_;
      } catch (const std::system_error& failure) {
        failures_ += fmt::format("{}: {}\n", to_string(front), failure.what());
      }
      std::this_thread::sleep_for(5ms);
    }
  }

  const std::vector<tcp::endpoint> fronts_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> answered_{0};
  std::string failures_;
  std::future<void> asking_;
};

class ReloadUnderLoad : public RunByFile {
 protected:
  static constexpr int kBusy = 20;
  static constexpr int kIdle = 10;
  static constexpr int kServices = 500;

  // Of service number `i`: all of these at one port, and no two at one address.
  tcp::endpoint front(int i) const {
    return {asio::ip::make_address_v4(0x7F010000U + static_cast<unsigned>(i)), port};
  }
  std::string numbered(int i, const std::string& more = "") const {
    const bool idle = i >= kBusy && i < kBusy + kIdle;
    return service(fmt::format("s{}", i), front(i),
                   idle ? silent.address() : one.listener().address(), more);
  }
  std::string first_file() const {
    std::string text;
    for (int i = 0; i < kServices; ++i) text += numbered(i);
    return text;
  }
  // Another one for each `round`: of those that are neither busy nor idle, some are missing, some
  // are changed, and some are new.
  std::string other_file(int round) const {
    std::string text;
    for (int i = 0; i < kBusy + kIdle; ++i) text += numbered(i);
    for (int i = kBusy + kIdle; i < kServices + 20; ++i) {
      const int group = (i + round) % 10;
      if (group != 0) text += numbered(i, group == 1 ? fmt::format("retries = {}", round) : "");
    }
    return text;
  }
  bool reload_at_once(const std::string& text) const {
    write(text);
    const auto answer = ask_process(admin(), "/reload", Method::kPost);
    if (!answer) throw std::runtime_error("no answer: " + answer.error().message());
    return answer->code == 200;
  }

  const unsigned short port = free_port();
  NamedBackend one{"one"};
  Listener silent{loopback_v4()};
};

TEST_F(ReloadUnderLoad, WhatIsNotTouchedFeelsNothing) {
  const Listener somebody({asio::ip::make_address_v4(0x7F020000U), port});
  write(first_file());
  Program program(by_file());
  ASSERT_TRUE(program.says("admin socket")) << program.err();

  std::vector<OpenConnection> idle;
  for (int i = 0; i < 100; ++i) idle.emplace_back(front(kBusy + i % kIdle), silent);
  std::vector<tcp::endpoint> busy;
  for (int i = 0; i < kBusy; ++i) busy.push_back(front(i));
  const auto at_rest = [&] {
    return status().connections.now == idle.size() &&
           eventually([&] { return sockets_at(admin()) == 1; });
  };
  const auto descriptors = [&] { return descriptors_of(program).size(); };
  // Before anything is measured, what is kept for the next time is there.
  std::optional<Clients> clients(busy);
  for (int round = 1; round <= 10; ++round) ASSERT_TRUE(reload_at_once(other_file(round)));
  ASSERT_TRUE(reload_at_once(first_file()));
  EXPECT_EQ(clients->stop(), "");
  const auto answered_before = clients->answered();
  ASSERT_TRUE(eventually(at_rest));
  const auto descriptors_before = descriptors();
  const auto resident_before = resident_kib_of(program);
  const auto generation_before = generation();

  clients.emplace(busy);
  std::uint64_t put_in_force = 0;
  for (int round = 1; round <= 50; ++round) {
    const auto answered = clients->answered();
    auto text = other_file(round);
    if (round % 5 == 0) text += "hodl = \"1s\"\n";
    if (round % 5 == 1) text += service("taken", somebody.address(), one);
    const bool good = round % 5 > 1;
    ASSERT_EQ(reload_at_once(text), good) << program.err();
    if (good) ++put_in_force;
    ASSERT_TRUE(eventually([&] { return clients->answered() > answered + 10; }));
  }
  EXPECT_EQ(generation(), generation_before + put_in_force);
  ASSERT_TRUE(reload_at_once(first_file()));
  EXPECT_EQ(clients->stop(), "");
  const auto answered = clients->answered();

  for (auto& connection : idle) EXPECT_TRUE(connection.carries("as before"));
  ASSERT_TRUE(eventually(at_rest));
  const auto told = status();
  EXPECT_EQ(told.services.size(), static_cast<std::size_t>(kServices));
  EXPECT_EQ(told.connections.resets, 0U);
  std::uint64_t counted = 0;
  for (const auto& front_of : busy) counted += served_at(told, front_of);
  EXPECT_EQ(counted, answered_before + answered) << "no counter begins anew";
  EXPECT_TRUE(eventually([&] { return descriptors() == descriptors_before; }))
      << descriptors() << " in place of " << descriptors_before;
  // 500 services are some 7 MiB: neither a second set of them is left, nor 40 KiB of each reload.
  const auto resident = resident_kib_of(program);
  EXPECT_TRUE(kOwnAllocator || resident <= resident_before + 2048)
      << resident << " KiB in place of " << resident_before;
  RecordProperty("answered", std::to_string(answered));
  RecordProperty("resident_kib", fmt::format("{} {}", resident_before, resident));
  fmt::print("measured: {} answers in 50 reloads; resident {} KiB before, {} after\n", answered,
             resident_before, resident);
}

TEST_F(ReloadUnderLoad, AnEtcdThatIsNotTouchedIsAskedNothing) {
  const EtcdProcess etcd;
  std::string of_etcd = fmt::format("[etcd.main]\nurls = \"{}\"\n", etcd.url());
  for (int i = 0; i < 50; ++i) {
    etcd.put_v3(fmt::format("/services/s{}/a", i), registered(one.listener().address()));
    of_etcd += fmt::format("[service.s{}]\nlisten = \"{}\"\nsource = \"etcd.main\"\n", i,
                           to_string(front(i)));
  }
  const auto with_others = [&](int round) {
    auto text = of_etcd;
    for (int i = 60; i < 80; ++i)
      if ((i + round) % 3 != 0) text += numbered(i, fmt::format("retries = {}", round));
    return text;
  };
  write(with_others(0));
  Program program(by_file());
  const auto all_answer = [&] {
    for (int i = 0; i < 50; ++i)
      if (ask(front(i)) != "one") return false;
    return true;
  };
  ASSERT_TRUE(program.says("admin socket")) << program.err();
  ASSERT_TRUE(all_answer());
  struct Asked {
    std::uint64_t lists = 0;
    std::uint64_t failures = 0;
    bool operator==(const Asked&) const = default;
  };
  const auto asked = [&] {
    std::map<std::string, Asked> all;
    for (const auto& service : status().services)
      for (const auto& source : service.sources)
        if (source.kind != "static")
          all[service.name + " " + source.kind] = {source.lists, source.failures};
    return all;
  };
  const auto all_follow = [&] {
    for (const auto& service : status().services)
      for (const auto& source : service.sources)
        if (source.state != "following") return false;
    return true;
  };
  const auto connections = [&] { return connections_to(program, port_of(etcd)); };
  ASSERT_TRUE(eventually(all_follow));
  ASSERT_TRUE(eventually([&] { return connections().size() == 2; }))
      << connections().size() << " connections: one watch for each API is enough";
  const auto asked_before = asked();
  const auto connections_before = connections();
  ASSERT_EQ(asked_before.size(), 100U);

  for (int round = 1; round <= 20; ++round) {
    ASSERT_EQ(reload_at_once(with_others(round) + (round % 4 == 0 ? "hodl = 1\n" : "")),
              round % 4 != 0);
    ASSERT_TRUE(all_answer());
  }
  EXPECT_EQ(asked(), asked_before);
  EXPECT_EQ(connections(), connections_before);
  etcd.put_v3("/services/s7/b", registered(silent.address()));
  EXPECT_TRUE(eventually([&] { return status_of("s7").endpoints.size() == 2; }));
  EXPECT_EQ(connections(), connections_before);

  // One more is read for itself, and nothing else is read again.
  etcd.put_v3("/services/s50/a", registered(one.listener().address()));
  ASSERT_TRUE(reload_at_once(
      of_etcd + fmt::format("[service.s50]\nlisten = \"{}\"\n", to_string(front(50)))));
  EXPECT_EQ(ask(front(50)), "one");
  for (const auto& [source, now] : asked()) {
    if (source.starts_with("s50 ")) continue;
    EXPECT_EQ(now.lists, asked_before.at(source).lists + 1) << source;
    EXPECT_EQ(now.failures, asked_before.at(source).failures) << source;
  }
}

TEST_F(ReloadUnderLoad, AnEtcdThatIsUsedNoLongerIsLetGo) {
  const EtcdProcess former;
  const EtcdProcess latter;
  for (const auto* etcd : {&former, &latter})
    etcd->put_v3("/services/web/a", registered(one.listener().address()));
  const auto from = [&](const EtcdProcess& etcd) {
    return fmt::format("[etcd.main]\nurls = \"{}\"\n[service.web]\nlisten = \"{}\"\n", etcd.url(),
                       to_string(front(0)));
  };
  write(from(former));
  Program program(by_file());
  ASSERT_TRUE(program.says("admin socket")) << program.err();
  EXPECT_EQ(ask(front(0)), "one");
  const auto connected_to = [&](const EtcdProcess& etcd) {
    return !connections_to(program, port_of(etcd)).empty();
  };
  ASSERT_TRUE(connected_to(former));
  const auto backend = [&] { return status_of("web").endpoints.at(0).connections_total; };
  EXPECT_EQ(backend(), 1U);
  ASSERT_TRUE(reload_at_once(from(latter)));
  EXPECT_TRUE(eventually([&] { return connected_to(latter) && !connected_to(former); }));
  EXPECT_EQ(ask(front(0)), "one");
  EXPECT_EQ(backend(), 2U) << "the endpoint was the same all the time";
}

}  // namespace
}  // namespace ambbpf::test
