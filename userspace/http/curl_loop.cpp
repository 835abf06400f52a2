// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/curl_loop.h"

#include <new>

namespace ambbpf {
namespace {

CURLM* new_multi() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = ready == CURLE_OK ? curl_multi_init() : nullptr;
  if (!multi) throw std::bad_alloc();
  return multi;
}

}  // namespace

CurlLoop::CurlLoop(asio::any_io_executor executor)
    : executor_(std::move(executor)), timer_(executor_), multi_(new_multi()) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

CurlLoop::~CurlLoop() {
  // Handlers still to come find the loop gone; libcurl needs no socket watched for a clean end.
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
  for (const auto& [transfer, finished] : transfers_) curl_multi_remove_handle(multi_, transfer);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
  watches_.clear();
  curl_multi_cleanup(multi_);
}

void CurlLoop::add(CURL* transfer, Finished finished) {
  transfers_.emplace(transfer, std::move(finished));
  curl_multi_add_handle(multi_, transfer);  // asks for a timer of 0 ms, and so is begun
}

void CurlLoop::remove(CURL* transfer) {
  if (transfers_.erase(transfer) != 0) curl_multi_remove_handle(multi_, transfer);
}

int CurlLoop::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& loop = *static_cast<CurlLoop*>(self);
  if (what == CURL_POLL_REMOVE) {
    // Now, and not when the last reference goes: libcurl may close the socket and open another
    // under the same number within one turn.
    if (auto gone = loop.watches_.extract(fd)) gone.mapped()->release();
    return 0;
  }
  auto& watch = loop.watches_[fd];
  if (!watch) {
    watch = std::make_shared<Watch>(loop.executor_);
    boost::system::error_code error;
    watch->socket.assign(fd, error);
    if (error) return -1;
  }
  watch->wanted = what;
  loop.wait(watch);
  return 0;
}

void CurlLoop::wait(const std::shared_ptr<Watch>& watch) {
  if (watch->wanted & CURL_POLL_IN) wait_one(watch, &Watch::reading, CURL_CSELECT_IN);
  if (watch->wanted & CURL_POLL_OUT) wait_one(watch, &Watch::writing, CURL_CSELECT_OUT);
}

void CurlLoop::wait_one(const std::shared_ptr<Watch>& watch, bool Watch::*waiting, int event) {
  if ((*watch).*waiting) return;
  (*watch).*waiting = true;
  const auto kind = event == CURL_CSELECT_IN ? asio::posix::descriptor_base::wait_read
                                             : asio::posix::descriptor_base::wait_write;
  auto ready = [weak_loop = weak_from_this(), weak_watch = std::weak_ptr(watch), waiting,
                event](const boost::system::error_code& error) {
    const auto loop = weak_loop.lock();
    const auto still_watched = weak_watch.lock();
    if (!loop || !still_watched) return;
    (*still_watched).*waiting = false;
    const int wanted = event == CURL_CSELECT_IN ? CURL_POLL_IN : CURL_POLL_OUT;
    if (still_watched->wanted & wanted)
      loop->act(still_watched->socket.native_handle(), error ? CURL_CSELECT_ERR : event);
    if (still_watched->socket.is_open()) loop->wait(still_watched);
  };
  watch->socket.async_wait(kind, std::move(ready));
}

int CurlLoop::on_timer(CURLM*, long milliseconds, void* self) {
  auto& loop = *static_cast<CurlLoop*>(self);
  loop.timer_.cancel();
  if (milliseconds < 0) return 0;
  loop.timer_.expires_after(std::chrono::milliseconds(milliseconds));
  loop.timer_.async_wait([weak = loop.weak_from_this()](const boost::system::error_code& error) {
    const auto self_again = weak.lock();
    if (!error && self_again) self_again->act(CURL_SOCKET_TIMEOUT, 0);
  });
  return 0;
}

void CurlLoop::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* transfer = message->easy_handle;
    const CURLcode result = message->data.result;  // `message` does not outlive the removal
    auto done = transfers_.extract(transfer);
    curl_multi_remove_handle(multi_, transfer);
    if (done) done.mapped()(result);
  }
}

}  // namespace ambbpf
