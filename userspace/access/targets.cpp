// SPDX-License-Identifier: Apache-2.0
#include "userspace/access/targets.h"

#include <fcntl.h>
#include <poll.h>
#include <syslog.h>
#include <unistd.h>

#include "userspace/support/journal.h"

namespace ambbpf {
namespace {

// Pieces up to `separator`, which is taken off.
std::string_view next_piece(std::string_view& rest, std::string_view separator) {
  const auto size = rest.find(separator);
  const auto piece = rest.substr(0, size);
  rest.remove_prefix(size == std::string_view::npos ? rest.size() : size + separator.size());
  return piece;
}

}  // namespace

// Waits a moment for who reads a FIFO, and not for there to be one (ENXIO).
Result<std::size_t> AccessFile::write(std::string_view lines) {
  constexpr mode_t kMode = 0640;
  constexpr int kMoment = 100;  // ms
  if (!file_) {
    constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    file_ = UniqueFd(::open(path_.c_str(), kFlags, kMode));
    if (!file_) return fail_errno(path_);
  }
  auto written = ::write(file_.get(), lines.data(), lines.size());
  if (written < 0 && errno == EAGAIN) {
    pollfd room{.fd = file_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, kMoment);
    written = ::write(file_.get(), lines.data(), lines.size());
  }
  if (written >= 0) return static_cast<std::size_t>(written);
  const int error = errno;
  if (error == EPIPE) file_ = UniqueFd();  // the reader of a FIFO is gone, another may come
  return fail_errno(path_, error);
}

Result<std::size_t> AccessSyslog::write(std::string_view lines) {
  constexpr auto kSocket = "/dev/log";
  // syslog(3) says nothing of a daemon that is not there.
  if (::access(kSocket, W_OK) != 0) return fail_errno(kSocket);
  const auto all = lines.size();
  while (!lines.empty()) {
    const auto line = next_piece(lines, "\n");
    ::syslog(LOG_DAEMON | LOG_INFO, "%.*s", static_cast<int>(line.size()), line.data());
  }
  return all;
}

Result<std::size_t> AccessJournal::write(std::string_view entries) {
  const auto all = entries.size();
  while (!entries.empty()) {
    const auto taken = all - entries.size();
    const auto entry = next_piece(entries, "\n\n");
    if (const auto sent = send_to_journal(std::string(entry) + "\n"); !sent) {
      if (taken > 0) return taken;
      return tl::unexpected(sent.error());
    }
  }
  return all;
}

AccessTarget access_target(const std::string& name) {
  if (name == kSyslog) return AccessSyslog();
  if (name == kJournald) return AccessJournal();
  return AccessFile(name);
}

}  // namespace ambbpf
