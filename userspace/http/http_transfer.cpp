// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/http_transfer.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <new>

#include "userspace/http/transfer_failure.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr std::size_t kLongestHead = 256 * 1024;  // bytes

// What may be received for the content: a chunk of one byte takes six. Extensions of chunks may be
// as long as they like, and libcurl skips them without a word.
constexpr std::uint64_t kMostForNothing = 256 * 1024;  // bytes, and
constexpr std::uint64_t kMostForAByte = 8;             // for each byte of content

// A server that vanished without a word is noticed after 10 + 3 * 3 s, and unacknowledged data
// after 20 s; libcurl 7.88 has no option for the number of probes, hence the socket options here.
void set_keep_alive(int fd) {
  const auto set = [fd](int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 3);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
}

}  // namespace

HttpTransfer::HttpTransfer(const std::shared_ptr<CurlLoop>& loop,
                           std::shared_ptr<const HttpAccess> access, HttpRequest request)
    : loop_(loop),
      access_(std::move(access)),
      request_(std::move(request)),
      easy_(curl_easy_init()),
      changed_(loop->executor()) {
  if (!easy_) throw std::bad_alloc();
  set_options();
  set_access();
  set_connection();
  set_method();
  loop->add(easy_.get(), [this](CURLcode result) { finished(result); });
}

HttpTransfer::~HttpTransfer() {
  if (const auto loop = loop_.lock()) loop->remove(easy_.get());
}

void HttpTransfer::set_options() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "ambbpf/" AMBBPF_VERSION);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
                   request_.url.starts_with("https:") ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request_.redirects ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 3L);
  curl_easy_setopt(easy, CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_ALL));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request_.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // do not block the loop on a slow name server
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &HttpTransfer::open_socket);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why_.data());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  watch_overhead();
}

// Only its debug callback is shown the body as it comes, and only its progress callback can end it.
void HttpTransfer::watch_overhead() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, &HttpTransfer::on_debug);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, this);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &HttpTransfer::on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, this);
}

void HttpTransfer::set_access() {
  CURL* easy = easy_.get();
  const auto set = [easy](CURLoption option, const std::string& value) {
    if (!value.empty()) curl_easy_setopt(easy, option, value.c_str());
  };
  set(CURLOPT_UNIX_SOCKET_PATH, access_->unix_socket);
  set(CURLOPT_CAINFO, access_->ca);
  set(CURLOPT_SSLCERT, access_->certificate);
  set(CURLOPT_SSLKEY, access_->key);
  curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "");  // else OpenSSL asks at the terminal for one
  if (!access_->verify) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!access_->ca.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);  // the system's would be trusted as well
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
  }
  if (!request_.user) return;
  curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
  curl_easy_setopt(easy, CURLOPT_USERNAME, request_.user->name.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, request_.user->password.c_str());
}

void HttpTransfer::set_connection() {
  CURL* easy = easy_.get();
  if (!request_.connect_to.empty()) {
    connect_to_.reset(curl_slist_append(nullptr, ("::" + request_.connect_to).c_str()));
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to_.get());
  }
  if (request_.is_own_connection) {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  if (request_.only_connect) curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  if (request_.says_proxy) curl_easy_setopt(easy, CURLOPT_HAPROXYPROTOCOL, 1L);
}

void HttpTransfer::set_method() {
  for (const auto& field : request_.fields)
    fields_.reset(curl_slist_append(fields_.release(), field.c_str()));
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, fields_.get());
  if (request_.method == "GET") return;
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(request_.body.size()));
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDS, request_.body.data());
  curl_easy_setopt(easy_.get(), CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

curl_socket_t HttpTransfer::open_socket(void*, curlsocktype, curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  set_keep_alive(fd);
  return fd;
}

std::size_t HttpTransfer::on_header(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  transfer.head_size_ += size;
  if (transfer.head_size_ > kLongestHead) {
    transfer.refusal_ = fmt::format("a head of more than {} bytes", kLongestHead);
    return 0;
  }
  std::string_view line(data, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  transfer.take_header_line(line);
  return size;
}

void HttpTransfer::take_header_line(std::string_view line) {
  if (line.starts_with("HTTP/")) {  // after a redirect or a 100 the next head begins
    head_ = HttpHead{};
    const auto status = line.substr(std::min(line.find(' ') + 1, line.size()));
    std::from_chars(status.data(), status.data() + status.size(), head_.status);
  } else if (line.empty()) {
    const bool redirect =
        request_.redirects && head_.status >= 300 && head_.status < 400 && head_.field("Location");
    head_complete_ = head_complete_ || (head_.status >= 200 && !redirect);
    changed_.cancel();
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    head_.fields.emplace_back(line.substr(0, colon), value);
  }
}

std::size_t HttpTransfer::on_body(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  if (transfer.unread_.size() + size > HttpClient::kLongest) {
    transfer.refusal_ = fmt::format("more than {} bytes", HttpClient::kLongest);
    transfer.refused_as_ = std::make_error_code(std::errc::message_size);
    return size + 1;  // anything but `size` fails the transfer
  }
  transfer.content_ += size;
  const auto old_size = transfer.unread_.size();
  transfer.unread_.append(data, size);
  if (!transfer.has_whole_line()) transfer.find_line_end(old_size);
  transfer.changed_.cancel();
  return size;
}

int HttpTransfer::on_debug(CURL*, curl_infotype type, char*, std::size_t size, void* self) {
  if (type == CURLINFO_DATA_IN) static_cast<HttpTransfer*>(self)->received_ += size;
  return 0;
}

int HttpTransfer::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  if (transfer.received_ <= kMostForNothing + kMostForAByte * transfer.content_) return 0;
  transfer.refusal_ = fmt::format("{} bytes received for {} bytes of content", transfer.received_,
                                  transfer.content_);
  return 1;
}

void HttpTransfer::find_line_end(std::size_t from) { line_end_ = unread_.find('\n', from); }

void HttpTransfer::finished(CURLcode result) {
  over_ = true;
  changed_.cancel();
  if (result == CURLE_OK) return;
  const std::string reason = !refusal_.empty() ? refusal_
                                               : transfer_failure(easy_.get(), result, why_.data(),
                                                                  *access_, head_size_ > 0);
  error_ = Error{fmt::format("{}: {}", what(), printable(reason)), refused_as_};
}

std::string HttpTransfer::what() const {
  return fmt::format("{} {}", request_.only_connect ? "connect to" : request_.method, request_.url);
}

Error HttpTransfer::no_answer() const {
  return Error{fmt::format("{}: no answer within {} ms", what(), request_.timeout.count()), {}};
}

StreamPiece HttpTransfer::take_line() {
  if (!has_whole_line()) {
    if (unread_.empty()) return {StreamPiece::Kind::kEnd, {}};
    return take_rest();
  }
  std::string line = unread_.substr(line_begin_, line_end_ - line_begin_);
  line_begin_ = line_end_ + 1;
  find_line_end(line_begin_);
  if (!has_whole_line()) unread_.erase(0, std::exchange(line_begin_, 0));
  return {StreamPiece::Kind::kText, std::move(line)};
}

StreamPiece HttpTransfer::take_rest() {
  unread_.erase(0, std::exchange(line_begin_, 0));
  line_end_ = std::string::npos;
  return {StreamPiece::Kind::kText, std::exchange(unread_, {})};
}

void HttpTransfer::interrupt() {
  interrupted_ = true;
  changed_.cancel();
}

awaitable<void> HttpTransfer::wait_for_change(Clock::time_point deadline) {
  changed_.expires_at(deadline);
  co_await changed_.async_wait(as_tuple);
}

}  // namespace ambbpf
