// SPDX-License-Identifier: Apache-2.0
// What a server says in place of etcd, through libcurl: read as a whole and line by line, in one
// piece and in small ones.
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/write.hpp>
#include <optional>
#include <string>

#include "tests/fuzz/require.h"
#include "userspace/http/http_client.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::fuzz {
namespace {

using namespace std::chrono_literals;

// Redirects are followed: not out of here.
void leave_the_network() {
  require(::unshare(CLONE_NEWNET) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0,
          "this target may make itself a network namespace");
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::copy_n("lo", 3, loopback.ifr_name);
  loopback.ifr_flags = IFF_UP;
  require(::ioctl(socket.get(), SIOCSIFFLAGS, &loopback) == 0, "loopback is there");
}

// One for all runs: a port each would be used up within a minute, as TIME_WAIT keeps it that long.
int listening_socket() {
  static const UniqueFd socket = [] {
    asio::io_context io;
    tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    return UniqueFd(acceptor.release());
  }();
  return socket.get();
}

// Says the same to everyone, once the request's head is there.
awaitable<void> answer(tcp::socket client, std::string_view bytes, std::size_t piece) {
  std::array<char, 4096> request;
  const auto [unread, size] = co_await client.async_read_some(asio::buffer(request), as_tuple);
  if (unread) co_return;
  client.set_option(tcp::no_delay(true));
  while (!bytes.empty()) {
    const auto next = bytes.substr(0, piece);
    const auto [unsent, sent] = co_await asio::async_write(client, asio::buffer(next), as_tuple);
    if (unsent) co_return;
    bytes.remove_prefix(sent);
  }
}

awaitable<void> serve(tcp::acceptor& acceptor, std::string_view bytes, std::size_t piece) {
  for (;;) {
    auto [error, client] = co_await acceptor.async_accept(as_tuple);
    if (error) co_return;
    spawn(acceptor.get_executor(), answer(std::move(client), bytes, piece));
  }
}

struct Answer {
  int status = 0;
  std::string body;
};

HttpRequest request_to(const tcp::acceptor& acceptor) {
  HttpRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/";
  return request;
}

awaitable<void> read_whole(HttpClient& http, tcp::acceptor& acceptor, std::optional<Answer>& read) {
  auto request = request_to(acceptor);
  auto response = co_await http.request(std::move(request));
  if (response) read.emplace(Answer{response->head.status, std::move(response->body)});
  if (!response) require(is_plain(response.error().message()), "a plain error");
  acceptor.close();
}

awaitable<void> read_lines(HttpClient& http, tcp::acceptor& acceptor, std::optional<Answer>& read) {
  auto request = request_to(acceptor);
  const auto stream = co_await http.open(std::move(request));
  Answer answer;
  if (stream) answer.status = stream->head().status;
  while (stream) {
    const auto line = co_await stream->read_line(Clock::now() + 5s);
    if (!line) break;
    require(line->kind != StreamPiece::Kind::kQuiet, "a server that has left is not awaited");
    if (line->kind == StreamPiece::Kind::kEnd) {
      read.emplace(std::move(answer));
      break;
    }
    require(line->text.find('\n') == std::string::npos, "a line is one line");
    answer.body += line->text + '\n';
  }
  acceptor.close();
}

// Nothing where the answer was an error.
std::optional<Answer> answered(std::string_view bytes, std::size_t piece, auto read) {
  asio::io_context io(1);
  tcp::acceptor acceptor(io, tcp::v4(), ::dup(listening_socket()));
  HttpClient http(io.get_executor());
  std::optional<Answer> answer;
  spawn(io, serve(acceptor, bytes, piece));
  spawn(io, read(http, acceptor, answer));
  io.run();
  return answer;
}

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  ambbpf::fuzz::leave_the_network();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ambbpf::fuzz;
  const auto bytes = as_text(data, size);
  // In pieces only to see it end: libcurl 7.88 takes some broken heads for good where they come at
  // once.
  answered(bytes, 1 + size / 8, &read_lines);
  const auto at_once = std::max<std::size_t>(1, size);
  const auto whole = answered(bytes, at_once, &read_whole);
  const auto lines = answered(bytes, at_once, &read_lines);
  require(whole.has_value() == lines.has_value(), "both ways to read succeed or fail");
  if (!whole) return 0;
  require(whole->status == lines->status, "both ways to read give the same status");
  auto body = whole->body;
  if (!body.empty() && !body.ends_with('\n')) body += '\n';  // the last line needs no end
  require(body == lines->body, "the lines make up the whole");
  return 0;
}
