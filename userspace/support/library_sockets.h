// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>

#include "userspace/support/asio.h"

namespace ambbpf {

// Sockets that a library owns (libcurl, c-ares), watched on an Asio executor for as long as the
// library says. For one thread.
class LibrarySockets : public std::enable_shared_from_this<LibrarySockets> {
 public:
  enum class Event { kReadable, kWritable, kFailed };
  using Ready = std::function<void(int fd, Event event)>;

  // `ready` may call watch(); it is not called any more when *this has gone.
  LibrarySockets(asio::any_io_executor executor, Ready ready)
      : executor_(std::move(executor)), ready_(std::move(ready)) {}

  // What is waited for at a socket from now on. Neither: the library is about to close it. False:
  // it cannot be watched.
  bool watch(int fd, bool reading, bool writing);

 private:
  struct Watch {
    explicit Watch(const asio::any_io_executor& executor) : socket(executor) {}
    ~Watch() { release(); }
    void release() {  // the library closes it
      if (socket.is_open()) socket.release();
    }

    asio::posix::stream_descriptor socket;
    bool wants_reading = false;
    bool wants_writing = false;
    bool reading = false;  // a wait is under way
    bool writing = false;  // …
  };
  void wait(const std::shared_ptr<Watch>& watch);
  void wait_one(const std::shared_ptr<Watch>& watch, bool Watch::*waiting, bool Watch::*wanted,
                Event event);

  const asio::any_io_executor executor_;
  const Ready ready_;
  std::map<int, std::shared_ptr<Watch>> watches_;
};

}  // namespace ambbpf
