// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_http.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <stdexcept>

namespace ambbpf::test {
namespace {

void send_all(int client, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto went = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (went <= 0) break;
    sent += static_cast<std::size_t>(went);
  }
}

}  // namespace

std::string fake_answer(const std::string& status, const std::string& fields,
                        const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + fields + "Connection: close\r\n\r\n" + body;
}

FakeHttp::FakeHttp(Answer answer)
    : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in any_port{};
  any_port.sin_family = AF_INET;
  any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* address = reinterpret_cast<const sockaddr*>(&any_port);
  if (::bind(listener_.get(), address, sizeof any_port) != 0 || ::listen(listener_.get(), 16) != 0)
    throw std::runtime_error("fake http server cannot listen");
  thread_ = std::thread([this] { serve(); });
}

FakeHttp::~FakeHttp() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

std::string FakeHttp::url() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

void FakeHttp::send_on(const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  for (const auto& client : left_open_) send_all(client.get(), bytes);
}

void FakeHttp::close_left_open() {
  const std::lock_guard lock(mutex_);
  left_open_.clear();
}

void FakeHttp::serve() {
  for (;;) {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const auto got = ::recv(client.get(), buffer, sizeof buffer, 0);
      if (got <= 0) break;
      head.append(buffer, static_cast<std::size_t>(got));
    }
    if (head.empty()) continue;
    ++requests_;
    const auto answer = answer_(head);
    send_all(client.get(), answer.bytes);
    if (answer.leave_open) {
      const std::lock_guard lock(mutex_);
      left_open_.push_back(std::move(client));
    } else {
      // A close with the request's body unread would reset the connection before the answer is in.
      ::shutdown(client.get(), SHUT_WR);
      while (::recv(client.get(), buffer, sizeof buffer, 0) > 0) {
      }
    }
  }
}

}  // namespace ambbpf::test
