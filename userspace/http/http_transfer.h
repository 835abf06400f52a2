// SPDX-License-Identifier: Apache-2.0
// One request under way; http_client.h is the way in.
#pragma once

#include <curl/curl.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "userspace/http/curl_loop.h"
#include "userspace/http/http_client.h"

namespace ambbpf {

// Owned by its reader. libcurl writes into it; every change wakes the reader through a timer, so
// that no coroutine goes on inside of libcurl's turn.
class HttpTransfer {
 public:
  HttpTransfer(const std::shared_ptr<CurlLoop>& loop, std::shared_ptr<const HttpAccess> access,
               HttpRequest request);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  bool has_head() const { return head_complete_ || over_; }
  bool has_line() const { return has_whole_line() || over_; }
  bool has_whole_line() const { return line_end_ != std::string::npos; }
  bool has_some() const { return unread_.size() > line_begin_ || over_; }
  bool is_over() const { return over_; }

  const HttpHead& head() const { return head_; }
  std::optional<Error> error() const { return error_; }
  Error no_answer() const;  // for a caller who has waited long enough
  StreamPiece take_line();
  StreamPiece take_rest();

  void interrupt();
  bool take_interrupt() { return std::exchange(interrupted_, false); }

  // Ends at the deadline or at any change before it.
  awaitable<void> wait_for_change(Clock::time_point deadline);

 private:
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void set_options();
  void set_access();
  void set_connection();
  void set_method();
  void watch_overhead();
  void take_header_line(std::string_view line);
  void find_line_end(std::size_t from);
  void finished(CURLcode result);
  std::string what() const;  // is asked
  static curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address);
  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self);
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self);
  static int on_debug(CURL*, curl_infotype type, char*, std::size_t size, void* self);
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

  std::weak_ptr<CurlLoop> loop_;
  std::shared_ptr<const HttpAccess> access_;
  HttpRequest request_;  // libcurl sends the body from here
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> fields_;
  std::unique_ptr<curl_slist, FreeList> connect_to_;
  std::array<char, CURL_ERROR_SIZE> why_{};  // libcurl's words for a failure
  asio::steady_timer changed_;

  HttpHead head_;
  std::size_t head_size_ = 0;
  bool head_complete_ = false;
  std::string unread_;
  std::size_t line_begin_ = 0;  // of the first line in unread_ that is not yet read
  std::size_t line_end_ = std::string::npos;
  std::uint64_t received_ = 0;  // bytes of the body as they came
  std::uint64_t content_ = 0;   // bytes of the answer's content
  std::string refusal_;         // why we put an end to it
  std::error_code refused_as_;  // where a caller may want to know
  bool interrupted_ = false;
  bool over_ = false;
  std::optional<Error> error_;
};

}  // namespace ambbpf
