// SPDX-License-Identifier: Apache-2.0
#include "userspace/access/access_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "tests/support/peers.h"
#include "tests/support/program.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

class AccessLogs : public testing::Test {
 protected:
  std::shared_ptr<AccessLog> begin() const {
    return AccessLog::begin({.target = path().string()}, counts).value();
  }
  std::filesystem::path path() const { return place.path() / "access.log"; }
  static std::vector<std::string> lines_of(const std::filesystem::path& file) {
    std::ifstream text(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  // Those of clients with these ports, in that order.
  void add(AccessLog& log, int from, int to) const {
    for (int port = from; port < to; ++port)
      log.add({.origin = origin,
               .client = {asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)},
               .endpoint = {}});
  }
  static std::string client(std::size_t port) { return fmt::format(" client=127.0.0.1:{} ", port); }

  TemporaryDirectory place;
  std::shared_ptr<AccessCounts> counts = std::make_shared<AccessCounts>();
  std::shared_ptr<const AccessOrigin> origin =
      std::make_shared<const AccessOrigin>(AccessOrigin{"web", loopback_v4()});
};

TEST_F(AccessLogs, HaveALineForEachRecordInTheirOrder) {
  constexpr std::size_t kRecords = 5000;
  const auto log = begin();
  add(*log, 1, 1 + static_cast<int>(kRecords));
  log->finish(20s);
  const auto lines = lines_of(path());
  ASSERT_EQ(lines.size(), kRecords);
  for (std::size_t i = 0; i < kRecords; ++i) ASSERT_THAT(lines[i], HasSubstr(client(1 + i)));
  EXPECT_EQ(counts->lines, kRecords);
  EXPECT_EQ(counts->lost, 0U);
}

TEST_F(AccessLogs, LoseAndDoubleNothingWhenTheFileIsMovedAwayUnderThem) {
  constexpr int kFiles = 5;
  constexpr std::size_t kRecords = 10'000;
  const auto log = begin();
  auto adding = in_background([&] {
    for (int port = 1; port <= static_cast<int>(kRecords); ++port) {
      add(*log, port, port + 1);
      if (port % 50 == 0) std::this_thread::sleep_for(2ms);
    }
  });
  for (int i = 0; i < kFiles; ++i) {
    ASSERT_TRUE(eventually([&] { return !lines_of(path()).empty(); }));
    std::filesystem::rename(path(), fmt::format("{}.{}", path().string(), i));
    EXPECT_TRUE(log->reopen());
  }
  adding.get();
  log->finish(20s);
  std::multiset<std::string> all;
  for (const auto& file : std::filesystem::directory_iterator(place.path()))
    for (auto& line : lines_of(file)) all.insert(line.substr(line.find(" client=")));
  EXPECT_EQ(all.size(), kRecords);
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), kRecords);
}

TEST_F(AccessLogs, AreWrittenWhenTheirDirectoryComesToBe) {
  const auto file = place.path() / "later" / "access.log";
  const auto log = AccessLog::begin({.target = file.string()}, counts).value();
  add(*log, 1, 3);
  ASSERT_TRUE(eventually([&] { return !log->trouble().empty(); }));
  EXPECT_EQ(log->trouble(), file.string() + ": No such file or directory");
  std::filesystem::create_directory(file.parent_path());
  EXPECT_TRUE(eventually([&] { return log->trouble().empty(); }));
  EXPECT_EQ(lines_of(file).size(), 2U);
}

TEST_F(AccessLogs, LoseNoMoreThanFindsNoRoomWhileNobodyReads) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const UniqueFd reader(::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  constexpr std::size_t kMore = 100;
  const auto log = begin();
  // So many that the pipe (64 KiB) and the queue are full.
  std::size_t added = 0;
  for (; counts->lost < kMore; ++added) add(*log, 1, 2);
  ASSERT_TRUE(eventually([&] { return !log->trouble().empty(); }));
  EXPECT_THAT(log->trouble(), HasSubstr("nobody reads it"));
  log->reopen();  // in the middle of a line, which is then begun anew
  std::string read;
  std::vector<char> piece(1 << 20);
  EXPECT_TRUE(eventually([&] {
    const auto got = ::read(reader.get(), piece.data(), piece.size());
    if (got > 0) read.append(piece.data(), static_cast<std::size_t>(got));
    return counts->lines + counts->lost == added && got < 0;
  })) << counts->lines
      << " and " << counts->lost << " of " << added;
  EXPECT_THAT(log->trouble(), IsEmpty());
}

TEST_F(AccessLogs, EndThoughNothingIsTaken) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);  // and there is no reader
  const auto log = begin();
  add(*log, 1, 4);
  log->finish(20s);
  EXPECT_EQ(counts->lost, 3U);
  EXPECT_THAT(log->trouble(), HasSubstr("No such device or address"));
}

}  // namespace
}  // namespace ambbpf::test
