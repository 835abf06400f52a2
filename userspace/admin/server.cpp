// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace ambbpf {

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

using Protocol = asio::local::stream_protocol;
using Stream = beast::basic_stream<Protocol>;
using Response = http::response<http::string_body>;

constexpr std::uint32_t kLongestHead = 8 * 1024;  // bytes
constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    "Content-Length: 21\r\n\r\ntoo many connections\n";

struct ListedStream;

}  // namespace

// All that the coroutines use; the last of them ends it.
struct AdminConnections {
  AdminConnections(asio::io_context& loop, UniqueFd fd, AdminAnswers given, const AdminLimits& set)
      : io(loop), listener(loop, fd.release()), answers(std::move(given)), limits(set) {}

  asio::io_context& io;
  asio::posix::stream_descriptor listener;
  AdminAnswers answers;
  AdminLimits limits;
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
  bool has_asked = false;  // its request is here and being answered
};

bool has_asked(const ListedStream* listed) { return listed->has_asked; }
bool is_waiting(const ListedStream* listed) { return !listed->has_asked; }

Response response(http::status status, std::string body, std::string_view type = "text/plain") {
  Response made(status, 11, std::move(body));
  made.set(http::field::server, "ambbpf/" AMBBPF_VERSION);
  made.set(http::field::content_type, beast::string_view(type.data(), type.size()));
  made.set(http::field::cache_control, "no-store");
  made.keep_alive(false);
  made.prepare_payload();
  return made;
}

// Where a path is served, and by which method.
struct Route {
  std::string_view path;
  http::verb method;
  Response (*answer)(const AdminAnswers& answers);
};

const Route routes[] = {
    {"/status", http::verb::get,
     [](const AdminAnswers& answers) {
       return response(http::status::ok, answers.status(), "application/json");
     }},
    {"/healthz", http::verb::get,
     [](const AdminAnswers&) { return response(http::status::ok, "ok\n"); }},
    {"/readyz", http::verb::get,
     [](const AdminAnswers& answers) {
       const auto why_not = answers.not_ready();
       return why_not.empty() ? response(http::status::ok, "ready\n")
                              : response(http::status::service_unavailable, why_not + "\n");
     }},
    {"/reload", http::verb::post,
     [](const AdminAnswers& answers) {
       if (!answers.reload)
         return response(http::status::conflict, "this process has no configuration file\n");
       auto answer = answers.reload();
       return response(answer.in_force ? http::status::ok : http::status::unprocessable_entity,
                       std::move(answer.lines));
     }},
};

Response respond(const AdminAnswers& answers, http::verb method, std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  const auto* route = std::ranges::find(routes, path, &Route::path);
  if (route == std::end(routes))
    return response(http::status::not_found, "try /status, /healthz or /readyz\n");
  if (route->method == method) return route->answer(answers);
  const auto only = std::string(http::to_string(route->method));
  auto refusal = response(http::status::method_not_allowed,
                          method == http::verb::head ? "" : "only " + only + "\n");
  refusal.set(http::field::allow, only);
  return refusal;
}

// Nothing where nobody is left to be told.
std::optional<Response> response_to_bad_request(const beast::error_code& error) {
  if (error == http::error::header_limit)
    return response(http::status::request_header_fields_too_large, "request too long\n");
  const bool is_fault_of_text = error.category() == make_error_code(http::error{}).category();
  if (!is_fault_of_text || error == http::error::end_of_stream) return std::nullopt;
  return response(http::status::bad_request, error.message() + "\n");
}

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

awaitable<void> serve(Connections connections, std::unique_ptr<ListedStream> listed) {
  Stream& stream = listed->stream;
  stream.expires_after(connections->limits.request);

  beast::flat_buffer buffer;
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kLongestHead);
  const auto [unread, size] = co_await http::async_read_header(stream, buffer, parser, as_tuple);
  if (!stream.socket().is_open()) co_return;  // turned away meanwhile
  if (!unread && is_full(*connections, &has_asked)) co_return turn_away(*listed);
  listed->has_asked = true;
  stream.expires_after(connections->limits.answer);
  std::optional<Response> answer;
  if (unread) {
    answer = response_to_bad_request(unread);
  } else {
    const auto target = parser.get().target();
    answer = respond(connections->answers, parser.get().method(), {target.data(), target.size()});
  }
  if (answer) co_await http::async_write(stream, *answer, as_tuple);
  discard_what_is_there(stream.socket().native_handle());
}

void start(const Connections& connections, UniqueFd client) {
  // Those who ask for nothing must not keep out those who do.
  if (is_full(*connections, &is_waiting))
    turn_away(**std::ranges::find_if(connections->streams, &is_waiting));
  auto listed = std::make_unique<ListedStream>(connections);
  beast::error_code failed;
  listed->stream.socket().assign(Protocol(), client.get(), failed);
  if (failed) return;
  [[maybe_unused]] const int now_owned_by_stream = client.release();
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
  auto connections =
      std::make_shared<AdminConnections>(io, std::move(listening->fd), std::move(answers), limits);
  spawn(io, accept_all(connections));
  return std::unique_ptr<AdminServer>(
      new AdminServer(std::move(connections), std::move(listening->file)));
}

AdminServer::AdminServer(std::shared_ptr<AdminConnections> connections, SocketFile file)
    : connections_(std::move(connections)), file_(std::move(file)) {}

AdminServer::~AdminServer() {
  boost::system::error_code ignored;
  connections_->listener.close(ignored);
  for (auto* listed : connections_->streams) listed->stream.close();
}

}  // namespace ambbpf
