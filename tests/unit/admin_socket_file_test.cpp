// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/admin_fixture.h"
#include "userspace/admin/socket_file.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

std::string error_at(const fs::path& path) {
  const auto listening = listen_at(path);
  return listening ? "(none)" : listening.error().message();
}

mode_t mode_of(const fs::path& path) {
  struct stat there {};
  EXPECT_EQ(::lstat(path.c_str(), &there), 0);
  return there.st_mode & 07777;
}

class AdminSocketFile : public testing::Test {
 protected:
  std::string failure(std::string_view why) const {
    return fmt::format("admin socket {}: {}", socket_.native(), why);
  }

  TemporaryDirectory directory_;
  fs::path socket_ = directory_ / "test.sock";
};

TEST_F(AdminSocketFile, AnswersAsLongAsItIsOpenAndIsGoneAfterwards) {
  {
    const auto listening = listen_at(socket_);
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_EQ(*who_answers(socket_), Answer::kSomebody);
  }
  EXPECT_FALSE(fs::exists(fs::symlink_status(socket_)));
}

TEST_F(AdminSocketFile, IsOpenToUserAndGroupWhateverTheUmask) {
  for (const mode_t mask : {0u, 0022u, 0077u, 0777u}) {
    const mode_t before = ::umask(mask);
    const auto listening = listen_at(socket_);
    ::umask(before);
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_EQ(mode_of(socket_), 0660u);
  }
}

TEST_F(AdminSocketFile, ReplacesALeftover) {
  leave_socket(socket_);
  EXPECT_EQ(*who_answers(socket_), Answer::kNobody);
  const auto listening = listen_at(socket_);
  ASSERT_TRUE(listening) << listening.error().message();
  EXPECT_EQ(*who_answers(socket_), Answer::kSomebody);
}

TEST_F(AdminSocketFile, LeavesARunningProcessAlone) {
  const auto other = bind_socket(socket_, true);
  EXPECT_EQ(error_at(socket_), failure("a running process answers there"));
  EXPECT_EQ(*who_answers(socket_), Answer::kSomebody);
}

TEST_F(AdminSocketFile, TakesAProcessWithAFullBacklogForRunning) {
  const auto other = bind_socket(socket_, false);
  ASSERT_EQ(::listen(other.get(), 0), 0);
  const RawClient waiting(socket_);
  EXPECT_EQ(*who_answers(socket_), Answer::kSomebody);
}

TEST_F(AdminSocketFile, LeavesAFileThatIsNoSocketAlone) {
  std::ofstream(socket_) << "precious";
  EXPECT_EQ(error_at(socket_), failure("there is a file that is no socket"));
  EXPECT_EQ(fs::file_size(socket_), 8u);
}

TEST_F(AdminSocketFile, DoesNotFollowASymbolicLink) {
  leave_socket(directory_ / "elsewhere.sock");
  fs::create_symlink(directory_ / "elsewhere.sock", socket_);
  EXPECT_EQ(error_at(socket_), failure("there is a file that is no socket"));
  EXPECT_TRUE(fs::exists(directory_ / "elsewhere.sock"));
}

TEST_F(AdminSocketFile, LeavesASocketOfAnotherTypeAlone) {
  const auto other = bind_socket(socket_, false, SOCK_DGRAM);
  EXPECT_EQ(error_at(socket_), failure("connect: Protocol wrong type for socket"));
  EXPECT_TRUE(fs::exists(socket_));
}

TEST_F(AdminSocketFile, SaysHowLongAPathMayBe) {
  const auto longest = directory_ / std::string(107 - directory_.path().native().size() - 1, 'x');
  EXPECT_EQ(error_at(longest), "(none)");
  EXPECT_EQ(error_at(longest.native() + "y"),
            fmt::format("admin socket {}y: the path has 108 bytes, a socket's can have 107",
                        longest.native()));
  EXPECT_EQ(error_at(""), "admin socket: an empty path");
}

TEST_F(AdminSocketFile, NamesADirectoryThatIsMissingAndMakesNone) {
  const auto path = directory_ / "new" / "test.sock";
  EXPECT_EQ(error_at(path),
            fmt::format("admin socket {}: its directory {}: No such file or directory",
                        path.native(), path.parent_path().native()));
  EXPECT_FALSE(fs::exists(path.parent_path()));
}

TEST_F(AdminSocketFile, SaysThatItsDirectoryIsNone) {
  std::ofstream(directory_ / "file") << "x";
  const auto path = directory_ / "file" / "test.sock";
  EXPECT_EQ(error_at(path), fmt::format("admin socket {}: Not a directory", path.native()));
}

TEST_F(AdminSocketFile, KeepsTheFileThatTookItsPlace) {
  {
    const auto listening = listen_at(socket_);
    ASSERT_TRUE(listening);
    fs::rename(socket_, directory_ / "moved.sock");  // keeps the inode's number taken
    leave_socket(socket_);
  }
  EXPECT_TRUE(fs::exists(fs::symlink_status(socket_)));
}

TEST_F(AdminSocketFile, NamesTheUserWhoseRunningProcessIsThere) {
  if (!is_root()) GTEST_SKIP() << "only root can become another user";
  const auto ours = listen_at(socket_);
  ASSERT_TRUE(ours);
  EXPECT_EQ(as_nobody([this] { return error_at(socket_); }),
            failure("belongs to another user (uid 0): Permission denied"));
}

TEST_F(AdminSocketFile, NamesTheUserWhoseLeftoverIsThere) {
  if (!is_root()) GTEST_SKIP() << "only root can become another user";
  leave_socket(socket_);
  ::chmod(socket_.c_str(), 0777);
  ::chmod(directory_.path().c_str(), 01777);  // as /tmp
  EXPECT_EQ(as_nobody([this] { return error_at(socket_); }),
            failure("belongs to another user (uid 0): Operation not permitted"));
  EXPECT_TRUE(fs::exists(socket_));
}

TEST_F(AdminSocketFile, SaysThatItMayNotWriteThere) {
  if (!is_root()) GTEST_SKIP() << "only root can become another user";
  EXPECT_EQ(as_nobody([this] { return error_at(socket_); }), failure("bind: Permission denied"));
}

TEST_F(AdminSocketFile, SaysThatItMayNotLookThere) {
  if (!is_root()) GTEST_SKIP() << "only root can become another user";
  ::chmod(directory_.path().c_str(), 0700);
  EXPECT_EQ(as_nobody([this] { return error_at(socket_); }),
            failure("not allowed: Permission denied"));
}

}  // namespace
}  // namespace ambbpf
