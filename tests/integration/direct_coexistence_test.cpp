// SPDX-License-Identifier: Apache-2.0
// Zero hop beside other kernel programs on the same cgroup.
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <csignal>
#include <optional>

#include "other_programs.skel.h"
#include "tests/support/free_port.h"
#include "tests/support/must.h"
#include "tests/support/named_backend.h"
#include "tests/support/own_bpf_file_system.h"
#include "tests/support/own_cgroup.h"
#include "tests/support/program.h"
#include "tests/support/status.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

constexpr int kConsumers = 20;

class OtherPrograms {
 public:
  explicit OtherPrograms(const std::filesystem::path& cgroup)
      : programs_(other_programs__open_and_load()),
        cgroup_(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    must(programs_ && cgroup_, "load other programs, for the cgroup " + cgroup.string());
  }
  ~OtherPrograms() {
    for (auto* link : links_) bpf_link__destroy(link);
    other_programs__destroy(programs_);
  }
  OtherPrograms(const OtherPrograms&) = delete;
  OtherPrograms& operator=(const OtherPrograms&) = delete;

  void watch() {
    attach(programs_->progs.sees_connects);
    attach(programs_->progs.sees_connections);
  }
  void filter() { attach(programs_->progs.lets_out_to_loopback_only); }
  const auto& seen() const { return *programs_->bss; }

 private:
  void attach(bpf_program* program) {
    links_.push_back(bpf_program__attach_cgroup(program, cgroup_.get()));
    must(links_.back() != nullptr, "attach another program");
  }

  other_programs* programs_;
  UniqueFd cgroup_;
  std::vector<bpf_link*> links_;
};

class DirectBesideOthers : public testing::Test {
 protected:
  std::vector<std::string> forward(const NamedBackend& backend) const {
    return {"forward",
            to_string(backend.listener().address()),
            "--listen",
            to_string(front),
            "--admin",
            admin(),
            "--direct",
            "--direct-cgroup",
            cgroup.path().string()};
  }
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  rapidjson::Document endpoint() const {
    return status_at("/processes/0/services/0/endpoints/0", admin());
  }
  std::uint64_t sent_on() const { return endpoint()["direct_total"].GetUint64(); }
  bool goes_direct() const {
    return eventually([&, before = sent_on()] {
      ask(front);
      return sent_on() > before;
    });
  }

  TemporaryDirectory place;
  OwnBpfFileSystem pins;
  OwnCgroup cgroup;
  tcp::endpoint front = free_address();
};

enum class Attached { kBefore, kAfter };

class DirectBesideOthersAttached : public DirectBesideOthers,
                                   public testing::WithParamInterface<Attached> {};

// Who was attached before sees what a consumer dials, who was attached later where it is sent.
TEST_P(DirectBesideOthersAttached, BothSeeEveryConnection) {
  NamedBackend backend("web");
  OtherPrograms others(cgroup.path());
  if (GetParam() == Attached::kBefore) others.watch();
  Program ambassador(forward(backend));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  if (GetParam() == Attached::kAfter) others.watch();
  ASSERT_TRUE(goes_direct()) << ambassador.err();

  const auto sent_before = sent_on();
  const auto were = others.seen();
  for (int i = 0; i < kConsumers; ++i) EXPECT_EQ(ask(front), "web");
  EXPECT_TRUE(eventually([&] { return sent_on() == sent_before + kConsumers; }));
  EXPECT_TRUE(eventually([&] { return endpoint()["direct_now"].GetUint64() == 0; }));
  const auto seen = others.seen();
  EXPECT_GE(seen.connects, were.connects + kConsumers);
  EXPECT_GE(seen.established, were.established + kConsumers);
  EXPECT_GE(seen.round_trips, were.round_trips + kConsumers) << "it has asked for them";
  EXPECT_EQ(seen.last_port,
            GetParam() == Attached::kBefore ? front.port() : backend.listener().address().port());
}

INSTANTIATE_TEST_SUITE_P(Each, DirectBesideOthersAttached,
                         testing::Values(Attached::kBefore, Attached::kAfter),
                         [](const auto& attached) {
                           return attached.param == Attached::kBefore ? "Before" : "After";
                         });

TEST_F(DirectBesideOthers, ProgramsThatWatchGoOnWhenTheAmbassadorGoes) {
  NamedBackend backend("web");
  OtherPrograms before(cgroup.path());
  before.watch();
  Program ambassador(forward(backend));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  OtherPrograms after(cgroup.path());
  after.watch();
  ASSERT_TRUE(goes_direct()) << ambassador.err();
  ambassador.signal(SIGTERM);
  EXPECT_EQ(ambassador.wait(), 0);

  for (const auto* others : {&before, &after}) {
    const auto were = others->seen();
    for (int i = 0; i < kConsumers; ++i) EXPECT_EQ(ask(backend.listener().address()), "web");
    EXPECT_EQ(others->seen().connects, were.connects + kConsumers);
    EXPECT_EQ(others->seen().established, were.established + kConsumers);
  }
}

TEST_F(DirectBesideOthers, ProgramsThatGoLeaveItAlone) {
  NamedBackend backend("web");
  std::optional<OtherPrograms> others(cgroup.path());
  others->watch();
  Program ambassador(forward(backend));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(goes_direct()) << ambassador.err();
  others.reset();
  const auto before = sent_on();
  for (int i = 0; i < kConsumers; ++i) EXPECT_EQ(ask(front), "web");
  EXPECT_TRUE(eventually([&] { return sent_on() == before + kConsumers; }));
}

// What the filter would do to a connect that is sent on: drop it without a word.
TEST_F(DirectBesideOthers, ConsumersWithAPacketFilterGoByTheProxy) {
  const tcp::endpoint elsewhere(asio::ip::make_address("198.51.100.9"), 0);
  ASSERT_EQ(std::system("ip address replace 198.51.100.9/32 dev lo"), 0);
  cgroup.leave();
  NamedBackend backend("web", elsewhere);
  auto words = forward(backend);
  words.back() = cgroup.path().parent_path();
  Program ambassador(words);
  cgroup.enter();
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(goes_direct()) << ambassador.err();
  {
    OtherPrograms others(cgroup.path());
    others.filter();
    const auto before = sent_on();
    for (int i = 0; i < kConsumers; ++i) EXPECT_EQ(ask(front), "web") << i;
    EXPECT_EQ(sent_on(), before);
  }
  EXPECT_TRUE(goes_direct()) << "the filter is gone";
}

}  // namespace
}  // namespace ambbpf::test
