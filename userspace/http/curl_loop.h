// SPDX-License-Identifier: Apache-2.0
// libcurl's multi interface on an Asio executor: Asio waits for sockets and time, libcurl does the
// rest. For one thread; http_client.h is the way in.
#pragma once

#include <curl/curl.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>

#include "userspace/support/asio.h"

namespace ambbpf {

class CurlLoop : public std::enable_shared_from_this<CurlLoop> {
 public:
  // Called at most once, from within libcurl's turn: it must not remove or destroy a transfer, nor
  // resume a coroutine on the spot.
  using Finished = std::function<void(CURLcode)>;

  explicit CurlLoop(asio::any_io_executor executor);
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  const asio::any_io_executor& executor() const { return executor_; }

  // The caller goes on owning `transfer` and takes it out again before it frees it, unless the loop
  // has gone first.
  void add(CURL* transfer, Finished finished);
  void remove(CURL* transfer);

 private:
  // A socket of libcurl's, watched for as long as libcurl says.
  struct Watch {
    explicit Watch(const asio::any_io_executor& executor) : socket(executor) {}
    ~Watch() { release(); }
    void release() {  // libcurl owns the socket and closes it
      if (socket.is_open()) socket.release();
    }

    asio::posix::stream_descriptor socket;
    int wanted = 0;  // CURL_POLL_IN, _OUT or _INOUT
    bool reading = false;
    bool writing = false;
  };

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_timer(CURLM*, long milliseconds, void* self);
  void wait(const std::shared_ptr<Watch>& watch);
  void wait_one(const std::shared_ptr<Watch>& watch, bool Watch::*waiting, int event);
  void act(curl_socket_t fd, int events);

  asio::any_io_executor executor_;
  asio::steady_timer timer_;
  CURLM* multi_;
  std::map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  std::map<CURL*, Finished> transfers_;
};

}  // namespace ambbpf
