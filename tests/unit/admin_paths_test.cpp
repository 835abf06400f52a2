// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/admin_paths.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/admin_fixture.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// As a process that crashed a while ago leaves it behind.
void leave_old_socket(const fs::path& path) {
  leave_socket(path);
  const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago, 0), 0);
}

class AdminPathsPromises : public testing::Test {
 protected:
  AdminPathsPromises() {
    places_.system = directory_ / "run";
    places_.runtime = directory_ / "user";
    places_.temporary = directory_ / "tmp";
  }

  // The directory of default_admin_path(), or its error.
  std::string chosen() const {
    const auto path = default_admin_path("proxy", places_);
    return path ? path->parent_path().filename().native() : path.error().message();
  }

  // Places under it can neither be made nor exist.
  fs::path impossible(std::string_view name) const { return directory_ / "missing" / name; }

  TemporaryDirectory directory_;
  AdminPlaces places_;
};

TEST_F(AdminPathsPromises, NameVerbAndProcess) {
  EXPECT_EQ(*default_admin_path("proxy", places_),
            places_.system / fmt::format("proxy-{}.sock", ::getpid()));
}

TEST_F(AdminPathsPromises, MakeThePlaceOfAGivenSocketAndNoOtherDirectory) {
  const auto elsewhere = directory_ / "elsewhere" / "a.sock";
  EXPECT_EQ(*admin_path(elsewhere, "proxy", places_), elsewhere);
  EXPECT_FALSE(fs::exists(elsewhere.parent_path()));
  const auto in_place = places_.system / "a.sock";
  EXPECT_EQ(*admin_path(in_place, "proxy", places_), in_place);
  EXPECT_TRUE(fs::exists(places_.system));
  EXPECT_EQ(*admin_path({}, "proxy", places_), *default_admin_path("proxy", places_));
}

TEST_F(AdminPathsPromises, TakeTheFirstPlaceThatIsUsable) {
  EXPECT_EQ(chosen(), "run");
  places_.system = impossible("run");
  EXPECT_EQ(chosen(), "user");
  places_.runtime.clear();
  EXPECT_EQ(chosen(), "tmp");
}

TEST_F(AdminPathsPromises, MakeThePrivatePlacePrivate) {
  places_.system = impossible("run");
  places_.runtime = impossible("user");
  ASSERT_EQ(chosen(), "tmp");
  EXPECT_EQ(fs::status(places_.temporary).permissions(), fs::perms::owner_all);
  EXPECT_EQ(chosen(), "tmp") << "again";
}

TEST_F(AdminPathsPromises, RefuseAPrivatePlaceThatIsOpenToOthers) {
  places_.system = impossible("run");
  places_.runtime.clear();
  fs::create_directory(places_.temporary);
  ::chmod(places_.temporary.c_str(), 0755);
  EXPECT_THAT(chosen(), HasSubstr("its mode is 0755, not 0700"));
}

TEST_F(AdminPathsPromises, RefuseAPrivatePlaceThatIsALink) {
  places_.system = impossible("run");
  places_.runtime.clear();
  fs::create_directory(directory_ / "target");
  ::chmod((directory_ / "target").c_str(), 0700);
  fs::create_directory_symlink(directory_ / "target", places_.temporary);
  EXPECT_THAT(chosen(), HasSubstr("is no directory"));
}

TEST_F(AdminPathsPromises, NeitherUseNorSearchAPrivatePlaceOfAnother) {
  if (!is_root()) GTEST_SKIP() << "only root can give a directory away";
  places_.system = impossible("run");
  places_.runtime.clear();
  fs::create_directory(places_.temporary);
  leave_socket(places_.temporary / "proxy-1.sock");
  ::chmod(places_.temporary.c_str(), 0700);
  ASSERT_EQ(known_admin_sockets(places_).size(), 1u);
  ASSERT_EQ(::chown(places_.temporary.c_str(), 65534, 65534), 0);
  EXPECT_THAT(chosen(), HasSubstr("belongs to another user (uid 65534)"));
  EXPECT_THAT(known_admin_sockets(places_), testing::IsEmpty());
}

TEST_F(AdminPathsPromises, PassOverAPlaceThatMayNotBeWrittenTo) {
  if (!is_root()) GTEST_SKIP() << "only root can become another user";
  fs::create_directory(places_.system);
  ::chmod(directory_.path().c_str(), 0777);
  EXPECT_EQ(as_nobody([this] { return chosen(); }), "user");
}

TEST_F(AdminPathsPromises, SayWhyNoPlaceIsUsable) {
  places_.system = impossible("run");
  places_.runtime.clear();
  std::ofstream(places_.temporary) << "x";
  EXPECT_EQ(chosen(), fmt::format("no directory for the admin socket: make {}: No such file or "
                                  "directory; {}: is no directory",
                                  places_.system.native(), places_.temporary.native()));
}

TEST_F(AdminPathsPromises, ClearThePlaceOfLeftovers) {
  fs::create_directory(places_.system);
  fs::create_directory(places_.runtime);
  leave_old_socket(places_.system / "proxy-1.sock");
  leave_old_socket(places_.system / "notours");
  leave_old_socket(places_.runtime / "proxy-2.sock");
  leave_socket(places_.system / "starting.sock");
  std::ofstream(places_.system / "file.sock") << "x";
  const auto alive = bind_socket(places_.system / "alive.sock", true);
  const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (places_.system / "alive.sock").c_str(), long_ago, 0), 0);

  ASSERT_EQ(chosen(), "run");
  EXPECT_FALSE(fs::exists(places_.system / "proxy-1.sock"));
  for (const auto* kept : {"notours", "starting.sock", "file.sock", "alive.sock"})
    EXPECT_TRUE(fs::exists(places_.system / kept)) << kept;
  EXPECT_TRUE(fs::exists(places_.runtime / "proxy-2.sock")) << "not the place of this process";
}

TEST_F(AdminPathsPromises, ListTheSocketsOfAllPlaces) {
  for (const auto& place : places_.all()) fs::create_directory(place);
  ::chmod(places_.temporary.c_str(), 0700);
  leave_socket(places_.system / "b.sock");
  leave_socket(places_.system / "a.sock");
  leave_socket(places_.system / "other");
  std::ofstream(places_.system / "file.sock") << "x";
  leave_socket(places_.runtime / "c.sock");
  leave_socket(places_.temporary / "d.sock");
  EXPECT_THAT(known_admin_sockets(places_),
              ElementsAre(places_.system / "a.sock", places_.system / "b.sock",
                          places_.runtime / "c.sock", places_.temporary / "d.sock"));
}

TEST_F(AdminPathsPromises, ListTheSocketsInDirectoriesOfServices) {
  for (const auto* service : {"web", "db", "db/deeper"})
    fs::create_directories(places_.system / service);
  fs::create_directories(places_.runtime / "web");
  leave_socket(places_.system / "z.sock");
  leave_socket(places_.system / "web" / "b.sock");
  leave_socket(places_.system / "db" / "a.sock");
  leave_socket(places_.system / "db" / "deeper" / "c.sock");
  leave_socket(places_.runtime / "web" / "d.sock");
  fs::create_directory_symlink(places_.runtime / "web", places_.system / "link");
  EXPECT_THAT(known_admin_sockets(places_),
              ElementsAre(places_.system / "z.sock", places_.system / "db" / "a.sock",
                          places_.system / "web" / "b.sock"));
}

TEST_F(AdminPathsPromises, ListTheUnitsOwnDirectoryOnce) {
  places_.runtime = places_.system / "web";
  fs::create_directories(places_.runtime);
  leave_socket(places_.runtime / "a.sock");
  EXPECT_THAT(known_admin_sockets(places_), ElementsAre(places_.runtime / "a.sock"));
}

TEST_F(AdminPathsPromises, ListNothingWherePlacesAreMissing) {
  EXPECT_THAT(known_admin_sockets(places_), testing::IsEmpty());
}

TEST_F(AdminPathsPromises, AreUsuallyThese) {
  ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  const auto temporary = fmt::format("/tmp/ambbpf-{}", ::geteuid());
  EXPECT_THAT(AdminPlaces::usual().all(),
              ElementsAre("/run/ambbpf", "/run/user/7/ambbpf", temporary));
  ::setenv("XDG_RUNTIME_DIR", "relative", 1);
  EXPECT_THAT(AdminPlaces::usual().all(), ElementsAre("/run/ambbpf", temporary));
  ::setenv("RUNTIME_DIRECTORY", "/run/ambbpf/run:/run/other", 1);
  EXPECT_THAT(AdminPlaces::usual().all(), ElementsAre("/run/ambbpf", "/run/ambbpf/run", temporary));
  ::unsetenv("RUNTIME_DIRECTORY");
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_THAT(AdminPlaces::usual().all(), ElementsAre("/run/ambbpf", temporary));
}

}  // namespace
}  // namespace ambbpf
