// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/admin_paths.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "userspace/admin/socket_file.h"

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

// A socket is bound a moment before anyone answers on it; a starting process must not take that of
// another starting one for a leftover.
constexpr std::time_t kYoungest = 10;  // seconds

// In a directory that everybody may write to, somebody else may have made ours.
Result<void> check_private(const fs::path& directory) {
  struct stat there {};
  if (::lstat(directory.c_str(), &there) != 0) return fail_errno(directory.native());
  if (!S_ISDIR(there.st_mode)) return fail(directory.native() + ": is no directory");
  if (there.st_uid != ::geteuid())
    return fail(
        fmt::format("{}: belongs to another user (uid {})", directory.native(), there.st_uid));
  if ((there.st_mode & 07777) != 0700)
    return fail(
        fmt::format("{}: its mode is {:04o}, not 0700", directory.native(), there.st_mode & 07777));
  return {};
}

Result<void> make_usable(const fs::path& directory, mode_t mode) {
  if (::mkdir(directory.c_str(), mode) != 0 && errno != EEXIST)
    return fail_errno("make " + directory.native());
  struct stat there {};
  if (::stat(directory.c_str(), &there) != 0) return fail_errno(directory.native());
  if (!S_ISDIR(there.st_mode)) return fail(directory.native() + ": is no directory");
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    return fail_errno("write to " + directory.native());
  return {};
}

// Others than root must find the way to the sockets of the system's processes.
mode_t mode_of(const fs::path& place, const AdminPlaces& places) {
  return place == places.system ? 0755 : 0700;
}

Result<fs::path> first_usable(const AdminPlaces& places) {
  std::string reasons;
  for (const auto& place : places.all()) {
    auto usable = make_usable(place, mode_of(place, places));
    if (usable && place == places.temporary) usable = check_private(place);
    if (usable) return place;
    reasons += (reasons.empty() ? "" : "; ") + usable.error().message();
  }
  return fail("no directory for the admin socket: " + reasons);
}

// Sorted. A directory that is missing or closed to us has nothing.
template <class Predicate>
std::vector<fs::path> entries_in(const fs::path& directory, Predicate&& wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (wanted(entry->path(), entry->symlink_status(gone))) found.push_back(entry->path());
  }
  std::ranges::sort(found);
  return found;
}

std::vector<fs::path> sockets_in(const fs::path& directory) {
  return entries_in(directory, [](const fs::path& path, fs::file_status status) {
    return path.extension() == ".sock" && fs::is_socket(status);
  });
}

std::vector<fs::path> directories_in(const fs::path& directory) {
  return entries_in(directory,
                    [](const fs::path&, fs::file_status status) { return is_directory(status); });
}

void remove_leftovers(const fs::path& directory) {
  for (const auto& path : sockets_in(directory)) {
    struct stat there {};
    if (::lstat(path.c_str(), &there) != 0 || std::time(nullptr) - there.st_mtime < kYoungest)
      continue;
    const auto answer = who_answers(path);
    if (answer && *answer == Answer::kNobody) ::unlink(path.c_str());
  }
}

}  // namespace

AdminPlaces AdminPlaces::usual() {
  AdminPlaces places;
  const char* of_unit = std::getenv("RUNTIME_DIRECTORY");
  const char* of_user = std::getenv("XDG_RUNTIME_DIR");
  if (of_unit && *of_unit == '/')
    places.runtime = std::string(of_unit, std::strcspn(of_unit, ":"));
  else if (of_user && *of_user == '/')
    places.runtime = fs::path(of_user) / "ambbpf";
  places.temporary = fmt::format("/tmp/ambbpf-{}", ::geteuid());
  return places;
}

std::vector<fs::path> AdminPlaces::all() const {
  std::vector<fs::path> result;
  for (const auto& place : {system, runtime, temporary})
    if (!place.empty()) result.push_back(place);
  return result;
}

Result<fs::path> admin_path(const std::optional<fs::path>& given, std::string_view verb,
                            const AdminPlaces& places) {
  if (!given) return default_admin_path(verb, places);
  for (const auto& place : places.all())
    if (given->parent_path() == place)
      if (const auto usable = make_usable(place, mode_of(place, places)); !usable)
        return tl::unexpected(usable.error());
  return *given;
}

Result<fs::path> default_admin_path(std::string_view verb, const AdminPlaces& places) {
  auto place = first_usable(places);
  if (!place) return place;
  remove_leftovers(*place);
  return *place / fmt::format("{}-{}.sock", verb, ::getpid());
}

std::vector<fs::path> known_admin_sockets(const AdminPlaces& places) {
  std::vector<fs::path> all;
  for (const auto& place : places.all()) {
    if (place == places.temporary && !check_private(place)) continue;
    if (place.parent_path() == places.system) continue;  // has been looked into, as one below it
    std::ranges::move(sockets_in(place), std::back_inserter(all));
    if (place != places.system) continue;
    for (const auto& service : directories_in(place))
      std::ranges::move(sockets_in(service), std::back_inserter(all));
  }
  return all;
}

}  // namespace ambbpf
