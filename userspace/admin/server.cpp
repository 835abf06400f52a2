// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/admin/peer_user.h"
#include "userspace/admin/routes.h"

namespace ambbpf {

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol>;

constexpr std::uint32_t kLongestHead = 8 * 1024;  // bytes
constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    "Content-Length: 21\r\n\r\ntoo many connections\n";

struct ListedStream;

}  // namespace

// All that the coroutines use; the last of them ends it.
struct AdminConnections {
  AdminConnections(asio::io_context& loop, UniqueFd fd, AdminAnswers given, const AdminLimits& set,
                   std::optional<std::vector<std::string>> own_names)
      : io(loop),
        listener(loop, fd.release()),
        answers(std::move(given)),
        limits(set),
        names(std::move(own_names)) {
    answers.later_events = [this, wait = std::move(answers.later_events)](auto... wanted) {
      return wait_for_events(*this, wait, wanted...);
    };
  }

  using LaterEvents = decltype(AdminAnswers::later_events);

  // Those who wait leave room for those who do not.
  static awaitable<void> wait_for_events(AdminConnections& self, const LaterEvents& wait,
                                         std::uint64_t after, Clock::time_point deadline) {
    if (self.wait_for_events_now >= self.limits.connections / 2) co_return;
    ++self.wait_for_events_now;
    co_await wait(after, deadline);
    --self.wait_for_events_now;
  }

  asio::io_context& io;
  asio::posix::stream_descriptor listener;
  AdminAnswers answers;
  AdminLimits limits;
  std::optional<std::vector<std::string>> names;  // of this host on the network; none: Unix socket
  std::size_t wait_for_events_now = 0;
  std::vector<ListedStream*> streams;  // the oldest first; each belongs to its coroutine
};

namespace {

using Connections = std::shared_ptr<AdminConnections>;

// A stream that is closed when the server ends.
struct ListedStream {
  explicit ListedStream(Connections list) : connections(std::move(list)), stream(connections->io) {
    connections->streams.push_back(this);
  }
  ~ListedStream() { std::erase(connections->streams, this); }
  ListedStream(const ListedStream&) = delete;
  ListedStream& operator=(const ListedStream&) = delete;

  Connections connections;
  Stream stream;
  bool has_asked = false;                        // its request is here and being answered
  std::optional<Clock::time_point> answered_at;  // … and has an answer, to be read
};

bool has_asked(const ListedStream* listed) { return listed->has_asked; }
bool is_waiting(const ListedStream* listed) { return !listed->has_asked; }

// What was sent beyond the head is of no interest; but a socket closed with unread bytes makes the
// client's last read an error.
void discard_what_is_there(int socket) {
  std::array<char, 4096> unread;
  for (int i = 0; i < 16; ++i)
    if (::recv(socket, unread.data(), unread.size(), MSG_DONTWAIT) <= 0) return;
}

// A coroutine that reads from it ends a turn of the loop later.
void turn_away(ListedStream& listed) {
  const int socket = listed.stream.socket().native_handle();
  ::send(socket, kBusy.data(), kBusy.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  discard_what_is_there(socket);
  listed.stream.close();
  std::erase(listed.connections->streams, &listed);
}

bool is_full(const AdminConnections& connections, bool (*kind)(const ListedStream*)) {
  const auto count = std::ranges::count_if(connections.streams, kind);
  return static_cast<std::size_t>(count) >= connections.limits.connections;
}

// Nothing where nobody is left to be told.
awaitable<std::optional<AdminResponse>> answer_to(const AdminConnections& connections, int socket,
                                                  beast::error_code unread, AdminRequest request) {
  if (unread) co_return response_to_bad_request(unread);
  if (!connections.names)
    co_return co_await respond(connections.answers, std::move(request), user_of_peer(socket));
  co_return co_await respond_to_network(connections.answers, std::move(request),
                                        *connections.names);
}

// What it has not taken of its answer goes as well: the kernel would keep that for minutes for one
// who does not read.
void cut_off(ListedStream& listed) {
  beast::error_code ignored;
  listed.stream.socket().set_option(asio::socket_base::linger(true, 0), ignored);
  listed.stream.close();
  std::erase(listed.connections->streams, &listed);
}

// For one more to be answered. Who takes his time with the answer gives way to those who ask.
bool make_room(AdminConnections& connections) {
  if (!is_full(connections, &has_asked)) return true;
  auto* const first = *std::ranges::min_element(connections.streams, {}, [](const auto* listed) {
    return listed->answered_at.value_or(Clock::time_point::max());
  });
  const auto since = first->answered_at;
  if (!since || Clock::now() - *since < connections.limits.patience) return false;
  cut_off(*first);
  return true;
}

awaitable<void> serve(Connections connections, std::unique_ptr<ListedStream> listed) {
  Stream& stream = listed->stream;
  stream.expires_after(connections->limits.request);

  beast::flat_buffer buffer;
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kLongestHead);
  const auto [unread, size] = co_await http::async_read_header(stream, buffer, parser, as_tuple);
  if (!stream.socket().is_open()) co_return;  // turned away meanwhile
  if (!unread && !make_room(*connections)) co_return turn_away(*listed);
  listed->has_asked = true;
  const bool asks_for_head = !unread && parser.get().method() == http::verb::head;
  AdminRequest request;
  if (!unread) request = parser.release();
  auto answer =
      co_await answer_to(*connections, stream.socket().native_handle(), unread, std::move(request));
  if (!stream.socket().is_open()) co_return;  // the server has ended meanwhile
  listed->answered_at = Clock::now();
  stream.expires_after(connections->limits.answer);
  if (answer) {
    http::response_serializer<http::string_body> serializer(*answer);
    if (asks_for_head)
      co_await http::async_write_header(stream, serializer, as_tuple);
    else
      co_await http::async_write(stream, serializer, as_tuple);
  }
  discard_what_is_there(stream.socket().native_handle());
}

// An answer that was not read in time is closed with what the kernel still has of it, which would
// wait for minutes to be read.
void forget_unread_answers(Stream& stream, std::chrono::milliseconds limit) {
  const auto ms = static_cast<unsigned>(limit.count());
  ::setsockopt(stream.socket().native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

void start(const Connections& connections, UniqueFd client) {
  // Those who ask for nothing must not keep out those who do.
  if (is_full(*connections, &is_waiting))
    turn_away(**std::ranges::find_if(connections->streams, &is_waiting));
  auto listed = std::make_unique<ListedStream>(connections);
  beast::error_code failed;
  const int family = connections->names ? AF_INET6 : AF_UNIX;
  listed->stream.socket().assign(Protocol(family, 0), client.get(), failed);
  if (failed) return;
  [[maybe_unused]] const int now_owned_by_stream = client.release();
  if (connections->names) forget_unread_answers(listed->stream, connections->limits.answer);
  spawn(connections->io, serve(connections, std::move(listed)));
}

// Few in a turn of the loop: who has asked is heard before others have made him the oldest.
void accept_some(const Connections& connections, bool& out_of_files) {
  for (int i = 0; i < 8; ++i) {
    UniqueFd client(::accept4(connections->listener.native_handle(), nullptr, nullptr,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) {
      out_of_files = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      return;
    }
    start(connections, std::move(client));
  }
}

awaitable<void> accept_all(Connections connections) {
  using Descriptor = asio::posix::stream_descriptor;
  for (;;) {
    const auto [error] = co_await connections->listener.async_wait(Descriptor::wait_read, as_tuple);
    if (error || !connections->listener.is_open()) co_return;
    bool out_of_files = false;
    accept_some(connections, out_of_files);
    if (out_of_files) co_await sleep_for(100ms);  // the listener stays readable: do not spin on it
  }
}

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::open(asio::io_context& io,
                                                       std::filesystem::path path,
                                                       AdminAnswers answers,
                                                       const AdminLimits& limits) {
  auto listening = listen_at(path);
  if (!listening) return tl::unexpected(listening.error());
  auto connections = std::make_shared<AdminConnections>(io, std::move(listening->fd),
                                                        std::move(answers), limits, std::nullopt);
  return std::unique_ptr<AdminServer>(
      new AdminServer(std::move(connections), std::move(listening->file)));
}

std::unique_ptr<AdminServer> AdminServer::to_network(asio::io_context& io, UniqueFd listener,
                                                     std::vector<std::string> names,
                                                     AdminAnswers answers,
                                                     const AdminLimits& limits) {
  auto connections = std::make_shared<AdminConnections>(io, std::move(listener), std::move(answers),
                                                        limits, std::move(names));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(connections), std::nullopt));
}

AdminServer::AdminServer(std::shared_ptr<AdminConnections> connections,
                         std::optional<SocketFile> file)
    : connections_(std::move(connections)), file_(std::move(file)) {
  spawn(connections_->io, accept_all(connections_));
}

AdminServer::~AdminServer() {
  boost::system::error_code ignored;
  connections_->listener.close(ignored);
  for (auto* listed : connections_->streams) listed->stream.close();
}

}  // namespace ambbpf
