// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on the controller's loop: whole answers, and answers that go on and on.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

class CurlLoop;
class HttpTransfer;

// How a server is reached and convinced; files are PEM, and read again for every connection.
struct HttpAccess {
  std::string unix_socket;  // path; empty: TCP, to the URL's host
  std::string ca;           // file of the only authorities to trust; empty: the system's
  std::string certificate;  // file of the client's certificate; empty: none is shown
  std::string key;          // file of its key
  bool verify = true;       // false: the server may show any certificate

  bool operator==(const HttpAccess&) const = default;
};

// For HTTP Basic (RFC 7617).
struct HttpUser {
  std::string name;
  std::string password;
};

struct HttpRequest {
  std::string url;
  std::string method = "GET";
  std::string body;                 // sent with every method but GET
  std::vector<std::string> fields;  // "Name: value"
  std::optional<HttpUser> user;
  bool redirects = true;  // false: a redirect is not followed, but is the answer
  // Of those who ask about one server of several:
  std::string connect_to{};        // "10.0.0.1:80": there, whatever the URL's host is; empty: to it
  bool is_own_connection = false;  // neither an earlier request's, nor left to a later one
  bool only_connect = false;       // and shake hands, where it is https: nothing is asked
  bool says_proxy = false;         // the connection begins with a PROXY header, version 1
  std::chrono::milliseconds connect_timeout{2000};
  std::chrono::milliseconds timeout{5000};  // for request() in all, for open() to the head's end
};

// Status and header fields of an answer.
struct HttpHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;

  // The name's case does not matter; the first of several.
  std::optional<std::string_view> field(std::string_view name) const;
};

struct HttpResponse {
  HttpHead head;
  std::string body;
};

// What reading from a stream gave.
struct StreamPiece {
  enum class Kind { kText, kQuiet, kEnd };
  Kind kind;         // kQuiet: the deadline passed or interrupt() was called
  std::string text;  // kText: a line without its end, what has come, or all the rest
};

// An answer whose head has arrived. One reader at a time; to destroy it stops the transfer.
class HttpStream {
 public:
  HttpStream() = default;
  explicit HttpStream(std::shared_ptr<HttpTransfer> transfer) : transfer_(std::move(transfer)) {}

  explicit operator bool() const { return transfer_ != nullptr; }
  const HttpHead& head() const;

  // The last line needs no line end. kEnd: the answer is complete.
  awaitable<Result<StreamPiece>> read_line(Clock::time_point deadline) const;

  // kText: what has arrived, at least a byte. kEnd: the answer is complete.
  awaitable<Result<StreamPiece>> read_some(Clock::time_point deadline) const;

  // kText once the answer is complete; its text may be empty.
  awaitable<Result<StreamPiece>> read_rest(Clock::time_point deadline) const;

  // Makes the reader, now or next, return kQuiet.
  void interrupt() const;

 private:
  std::shared_ptr<HttpTransfer> transfer_;
};

// Follows up to three redirects (each request asks its own URL first again; `user` and a field
// Authorization stay with its host and port, and https is not left for http), keeps connections
// alive, and talks to no proxy whatever the environment says. A body or a line of more than 16 MiB
// is an error (EMSGSIZE), as is an answer that has little content for what it takes to receive it.
// TCP keep-alive finds a vanished server within some 20 s. Errors name method and URL. For one
// thread. It and its streams may be destroyed in any order, at any time.
class HttpClient {
 public:
  static constexpr std::size_t kLongest = 16 * 1024 * 1024;  // bytes

  explicit HttpClient(asio::any_io_executor executor, HttpAccess access = {});

  awaitable<Result<HttpResponse>> request(HttpRequest request);

  // Returns when the head has arrived.
  awaitable<Result<HttpStream>> open(HttpRequest request);

  const asio::any_io_executor& executor() const;

 private:
  std::shared_ptr<CurlLoop> loop_;
  std::shared_ptr<const HttpAccess> access_;
};

}  // namespace ambbpf
