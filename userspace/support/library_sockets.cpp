// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/library_sockets.h"

namespace ambbpf {

bool LibrarySockets::watch(int fd, bool reading, bool writing) {
  if (!reading && !writing) {
    // Now, and not when the last reference goes: the library may close the socket and open another
    // under the same number within one turn.
    if (auto gone = watches_.extract(fd)) gone.mapped()->release();
    return true;
  }
  auto& watch = watches_[fd];
  if (!watch) {
    watch = std::make_shared<Watch>(executor_);
    boost::system::error_code error;
    watch->socket.assign(fd, error);
    if (error) {
      watches_.erase(fd);
      return false;
    }
  }
  watch->wants_reading = reading;
  watch->wants_writing = writing;
  wait(watch);
  return true;
}

void LibrarySockets::wait(const std::shared_ptr<Watch>& watch) {
  wait_one(watch, &Watch::reading, &Watch::wants_reading, Event::kReadable);
  wait_one(watch, &Watch::writing, &Watch::wants_writing, Event::kWritable);
}

void LibrarySockets::wait_one(const std::shared_ptr<Watch>& watch, bool Watch::*waiting,
                              bool Watch::*wanted, Event event) {
  if (!((*watch).*wanted) || (*watch).*waiting) return;
  (*watch).*waiting = true;
  const auto kind = event == Event::kReadable ? asio::posix::descriptor_base::wait_read
                                              : asio::posix::descriptor_base::wait_write;
  auto ready = [weak = weak_from_this(), weak_watch = std::weak_ptr(watch), waiting, wanted,
                event](const boost::system::error_code& error) {
    const auto self = weak.lock();
    const auto still_watched = weak_watch.lock();
    if (!self || !still_watched) return;
    (*still_watched).*waiting = false;
    if ((*still_watched).*wanted)
      self->ready_(still_watched->socket.native_handle(), error ? Event::kFailed : event);
    if (still_watched->socket.is_open()) self->wait(still_watched);
  };
  watch->socket.async_wait(kind, std::move(ready));
}

}  // namespace ambbpf
