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

int select_of(LibrarySockets::Event event) {
  if (event == LibrarySockets::Event::kFailed) return CURL_CSELECT_ERR;
  return event == LibrarySockets::Event::kReadable ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
}

}  // namespace

CurlLoop::CurlLoop(asio::any_io_executor executor)
    : executor_(std::move(executor)),
      timer_(executor_),
      multi_(new_multi()),
      sockets_(std::make_shared<LibrarySockets>(
          executor_, [this](int fd, LibrarySockets::Event event) { act(fd, select_of(event)); })) {
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
  sockets_.reset();
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
  const auto& sockets = static_cast<CurlLoop*>(self)->sockets_;
  const bool reading = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
  const bool writing = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
  return sockets->watch(fd, reading, writing) ? 0 : -1;
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
