// SPDX-License-Identifier: Apache-2.0
// How the HTTP client reaches servers, and whom it tells its credentials.
#include <gmock/gmock.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <fstream>

#include "tests/support/fake_http.h"
#include "tests/support/program.h"
#include "userspace/http/http_client.h"

namespace ambbpf::test {
namespace {

using ::testing::MatchesRegex;
using unix_socket = asio::local::stream_protocol;

awaitable<void> request(HttpClient& http, HttpRequest request,
                        std::optional<Result<HttpResponse>>& answer) {
  answer = co_await http.request(std::move(request));
}

Result<HttpResponse> ask(asio::io_context& io, HttpRequest what, const HttpAccess& access = {}) {
  HttpClient http(io.get_executor(), access);
  std::optional<Result<HttpResponse>> answer;
  spawn(io, request(http, std::move(what), answer));
  while (!answer) io.run_one();
  return *answer;
}

std::string refusal_at(const std::string& path) {
  asio::io_context io;
  const HttpAccess access{.unix_socket = path, .ca = {}, .certificate = {}, .key = {}};
  HttpRequest get;
  get.url = "http://localhost/";
  const auto answer = ask(io, std::move(get), access);
  return answer ? "answered" : answer.error().message();
}

TEST(HttpAccess, ReachesAUnixSocket) {
  TemporaryDirectory place;
  const auto path = (place.path() / "sock").string();
  asio::io_context io;
  unix_socket::acceptor acceptor(io, unix_socket::endpoint(path));
  unix_socket::socket client(io);
  const auto bytes = fake_answer("200 OK", "Content-Length: 4\r\n", "here");
  acceptor.async_accept(client, [&](const boost::system::error_code& error) {
    if (!error) asio::write(client, asio::buffer(bytes));
  });
  HttpRequest get;
  get.url = "http://localhost/";
  const auto answer =
      ask(io, std::move(get), {.unix_socket = path, .ca = {}, .certificate = {}, .key = {}});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "here");
}

TEST(HttpAccess, NamesTheUnixSocketAndTheReason) {
  TemporaryDirectory place;
  const auto path = (place.path() / "sock").string();
  const auto said = "GET http://localhost/: unix socket " + path + ": ";
  EXPECT_EQ(refusal_at(path), said + "No such file or directory");
  std::ofstream(path).put('x');
  EXPECT_EQ(refusal_at(path), said + "Connection refused");
}

TEST(HttpAccess, NamesAForbiddenUnixSocket) {
  TemporaryDirectory place;
  const auto path = (place.path() / "sock").string();
  asio::io_context io;
  unix_socket::acceptor acceptor(io, unix_socket::endpoint(path));
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  constexpr uid_t kNobody = 65534;
  const auto before = ::setfsuid(kNobody);  // of this thread; root's rights over files go with it
  const auto refusal = refusal_at(path);
  ::setfsuid(static_cast<uid_t>(before));
  EXPECT_EQ(refusal, "GET http://localhost/: unix socket " + path +
                         ": Permission denied; who may use Docker's is in the group docker (in a "
                         "unit: SupplementaryGroups=docker)");
}

// The request's time is no bound here: a server fills it with as much as it can send.
std::string refusal_of_chunks(const std::string& body) {
  FakeHttp server([&](const std::string&) {
    return FakeAnswer{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
                      .leave_open = true};
  });
  asio::io_context io;
  HttpRequest get;
  get.url = server.url() + "/";
  const auto answer = ask(io, get);
  if (answer) return "answered";
  const auto said = answer.error().message();
  return said.substr(said.find(get.url) + get.url.size());
}

constexpr std::size_t kMuch = 16 << 20;  // bytes

TEST(HttpAccess, EndsAChunkWhoseExtensionHasNoEnd) {
  const auto refusal = refusal_of_chunks("4;x=" + std::string(kMuch, 'x'));
  EXPECT_THAT(refusal, MatchesRegex(": [0-9]+ bytes received for 0 bytes of content"));
}

TEST(HttpAccess, EndsAnAnswerThatIsMostlyExtensions) {
  std::string body;
  while (body.size() < kMuch) body += "1;x=" + std::string(64 << 10, 'x') + "\r\n \r\n";
  const auto refusal = refusal_of_chunks(body);
  EXPECT_THAT(refusal, MatchesRegex(": [0-9]+ bytes received for [0-9]+ bytes of content"));
}

TEST(HttpAccess, TakesContentInChunksOfOneByte) {
  std::string body;
  for (int i = 0; i < 200'000; ++i) body += "1\r\nx\r\n";
  EXPECT_EQ(refusal_of_chunks(body + "0\r\n\r\n"), "answered");
}

// Redirects from one server to another, and what the other hears.
class Redirect : public ::testing::Test {
 protected:
  HttpRequest request() const {
    HttpRequest post;
    post.url = first.url() + "/";
    post.method = "POST";
    post.body = "secret";
    return post;
  }

  std::string heard;  // by the second
  FakeHttp second{[this](const std::string& head) {
    heard = head;
    return FakeAnswer{fake_answer("200 OK", "", "second")};
  }};
  std::string heard_first;
  FakeHttp first{[this](const std::string& head) {
    heard_first = head;
    return FakeAnswer{
        fake_answer("307 Temporary Redirect", "Location: " + second.url() + "/\r\n", "first")};
  }};
  asio::io_context io;
};

TEST_F(Redirect, LeavesThePasswordBehind) {
  auto post = request();
  post.user = HttpUser{"amb", "secret"};
  const auto answer = ask(io, std::move(post));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "second");
  EXPECT_NE(heard_first.find("Authorization: Basic YW1iOnNlY3JldA=="), std::string::npos);
  EXPECT_EQ(heard.find("Authorization"), std::string::npos) << heard;
}

TEST_F(Redirect, LeavesTheTokenBehind) {
  auto post = request();
  post.fields = {"Authorization: token"};
  const auto answer = ask(io, std::move(post));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "second");
  EXPECT_NE(heard_first.find("Authorization: token"), std::string::npos);
  EXPECT_EQ(heard.find("Authorization"), std::string::npos) << heard;
}

TEST_F(Redirect, IsTheAnswerWhereNoneIsWanted) {
  auto post = request();
  post.redirects = false;
  const auto answer = ask(io, std::move(post));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->head.status, 307);
  EXPECT_EQ(answer->body, "first");
  EXPECT_EQ(second.requests(), 0);
}

}  // namespace
}  // namespace ambbpf::test
