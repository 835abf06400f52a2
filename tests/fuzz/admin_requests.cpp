// SPDX-License-Identifier: Apache-2.0
// What somebody says to the admin socket.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <set>
#include <string>

#include "tests/fuzz/require.h"
#include "userspace/admin/server.h"

namespace ambbpf::fuzz {
namespace {

using namespace std::chrono_literals;

std::string status() { return "{}"; }

awaitable<Result<std::string>> connections(ConnectionsQuestion question) {
  require(question.limit <= ConnectionsQuestion::kMost, "a limit within bounds");
  require(question.sort == "bytes" || question.sort == "age" || question.sort == "rate", "a sort");
  if (!question.service.empty() && question.service != "web") co_return fail("no such service");
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return std::string("{}");
}

class AdminUnderTest {
 public:
  AdminUnderTest() {
    AdminAnswers answers{
        .status = &status,
        .history = &status,
        .events = [](std::uint64_t after) { return std::to_string(after); },
        .later_events = [](std::uint64_t, Clock::time_point) -> awaitable<void> { co_return; },
        .why =
            [](const std::string& service) {
              return WhyAnswer{service == "web", service};
            },
        .metrics = [] { return std::string("ambbpf_draining 0\n"); },
        .not_ready = [] { return std::string("starting"); },
        .connections = &connections,
        .reload =
            [] {
              return ReloadAnswer{true, "generation 2\n"};
            }};
    auto opened = AdminServer::open(io_, path_, std::move(answers));
    require(opened.has_value(), opened ? "" : opened.error().message());
    server_ = std::move(*opened);
  }

  // Everything the server has to say to one who says `request` and no more.
  std::string answer_to(std::string_view request) {
    const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    require(
        ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
        "the server listens");
    const auto sent = ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    require(sent == static_cast<ssize_t>(request.size()), "the request fits the socket's buffer");
    ::shutdown(client.get(), SHUT_WR);
    std::string answer;
    std::array<char, 4096> piece;
    for (;;) {
      const auto size = ::recv(client.get(), piece.data(), piece.size(), 0);
      if (size < 0 && errno == EAGAIN) {
        require(io_.run_one_for(1s) > 0, "a request that has ended is answered");
        continue;
      }
      if (size <= 0) return answer;
      answer.append(piece.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  const std::string path_ = "/tmp/ambbpf-fuzz-" + std::to_string(::getpid()) + ".sock";
  asio::io_context io_;
  std::unique_ptr<AdminServer> server_;
};

void require_sane(std::string_view request, std::string_view answer) {
  static const std::set<std::string_view> kStatuses{"200", "400", "404", "405", "431", "503"};
  if (answer.empty()) return;  // nobody was left to be told
  require(answer.starts_with("HTTP/1.1 ") && kStatuses.contains(answer.substr(9, 3)), "a status");
  const auto head_end = answer.find("\r\n\r\n");
  require(head_end != answer.npos, "a whole head");
  constexpr std::string_view kLength = "Content-Length: ";
  const auto length = answer.find(kLength);
  require(length < head_end, "a length");
  std::size_t size = 0;
  std::from_chars(answer.data() + length + kLength.size(), answer.data() + head_end, size);
  const bool asks_for_head = request.find("HEAD ") != request.npos;
  require(answer.size() == head_end + 4 + size || (asks_for_head && answer.size() == head_end + 4),
          "a body of that length");
  if (answer.substr(9, 3) != "200") return;
  require(asks_for_head || request.find("GET /") != request.npos,
          "only GET and HEAD are answered with 200");
}

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ambbpf::fuzz::AdminUnderTest admin;
  const auto request = ambbpf::fuzz::as_text(data, size);
  ambbpf::fuzz::require_sane(request, admin.answer_to(request));
  return 0;
}
