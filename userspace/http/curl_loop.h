// SPDX-License-Identifier: Apache-2.0
// libcurl's multi interface on an Asio executor: Asio waits for sockets and time, libcurl does the
// rest. For one thread; http_client.h is the way in.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <map>
#include <memory>

#include "userspace/support/asio.h"
#include "userspace/support/library_sockets.h"

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
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_timer(CURLM*, long milliseconds, void* self);
  void act(curl_socket_t fd, int events);

  asio::any_io_executor executor_;
  asio::steady_timer timer_;
  CURLM* multi_;
  std::map<CURL*, Finished> transfers_;
  std::shared_ptr<LibrarySockets> sockets_;  // calls *this
};

}  // namespace ambbpf
