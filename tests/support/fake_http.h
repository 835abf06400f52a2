// SPDX-License-Identifier: Apache-2.0
// A server that answers what the test says, byte for byte.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "userspace/support/unique_fd.h"

namespace ambbpf::test {

struct FakeAnswer {
  std::string bytes;        // head and body as they go over the wire
  bool leave_open = false;  // true: the connection stays open and silent; else it is closed
};

// "HTTP/1.1 200 OK", the given header lines (each with its \r\n) and the body, ended by the close.
std::string fake_answer(const std::string& status, const std::string& fields,
                        const std::string& body);

class FakeHttp {
 public:
  // Called in the server's thread with a request's head; requests are served one after the other.
  using Answer = std::function<FakeAnswer(const std::string& head)>;

  explicit FakeHttp(Answer answer);
  ~FakeHttp();

  std::string url() const;
  int requests() const { return requests_; }

  // More bytes on every connection that was left open, and their end.
  void send_on(const std::string& bytes);
  void close_left_open();

 private:
  void serve();

  Answer answer_;
  UniqueFd listener_;
  std::atomic<int> requests_{0};
  std::mutex mutex_;  // guards what follows
  std::vector<UniqueFd> left_open_;
  std::thread thread_;
};

}  // namespace ambbpf::test
