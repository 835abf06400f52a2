// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/probe_line.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <vector>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// For one answer. The kernel's worker competes for the processor like anybody: on a machine that is
// busy (at boot) it may be late, and what is refused here is refused until the next start.
constexpr timeval kDeadline{.tv_sec = 2, .tv_usec = 0};
constexpr std::size_t kChunk = 64 * 1024;

// The bytes [from, from + size) of the stream that every peer sends.
std::vector<unsigned char> stream_bytes(std::uint64_t from, std::size_t size) {
  std::vector<unsigned char> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>((from + i) % 251);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<TrialRelay>> TrialRelay::start(Engine engine) {
  auto trial = std::make_unique<TrialRelay>();
  const RelayOptions options{.engine = engine,
                             .promotion = {.turns = 0, .age = 0ms, .only_where_faster = false},
                             .slots = 64};
  auto relay = Relay::create(trial->io_, options);
  if (!relay) return tl::unexpected(relay.error());
  trial->relay_ = std::move(*relay);
  trial->thread_ = std::thread([io = &trial->io_] { io->run(); });
  return trial;
}

TrialRelay::~TrialRelay() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

void TrialRelay::adopt(UniqueFd client, UniqueFd backend) {
  asio::post(io_, [this, client = std::move(client), backend = std::move(backend)]() mutable {
    relay_->adopt(std::move(client), std::move(backend), nullptr);
  });
}

RelayCounts TrialRelay::counts() {
  std::promise<RelayCounts> counts;
  asio::post(io_, [&] { counts.set_value(relay_->counts()); });
  return counts.get_future().get();
}

void ProbePeer::fail(const std::string& what, int error) {
  if (failed()) return;
  const bool late = error == EAGAIN;
  failure_ = fmt::format("{} {}{}{}", name_, what, error != 0 ? ": " : "",
                         late         ? "nothing happens"
                         : error != 0 ? std::generic_category().message(error)
                                      : "");
}

void ProbePeer::send(std::size_t bytes) {
  while (bytes > 0 && !failed()) {
    const auto chunk = stream_bytes(sent_, std::min(bytes, kChunk));
    const auto put = ::send(socket_.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (put < 0) return fail("cannot send", errno);
    sent_ += static_cast<std::uint64_t>(put);
    bytes -= static_cast<std::size_t>(put);
  }
}

void ProbePeer::send_urgent_byte() {
  if (failed()) return;
  const auto byte = stream_bytes(sent_, 1);
  if (::send(socket_.get(), byte.data(), 1, MSG_OOB | MSG_NOSIGNAL) != 1)
    return fail("cannot send an urgent byte", errno);
  ++sent_;
}

std::size_t ProbePeer::send_until_stalled(std::size_t most) {
  constexpr auto kStalled = 20ms;
  const auto before = sent_;
  auto progress = Clock::now();
  while (sent_ - before < most && Clock::now() - progress < kStalled && !failed()) {
    const auto chunk = stream_bytes(sent_, kChunk);
    const auto put = ::send(socket_.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0) {
      sent_ += static_cast<std::uint64_t>(put);
      progress = Clock::now();
    } else if (errno != EAGAIN) {
      fail("cannot send", errno);
    } else {
      std::this_thread::sleep_for(1ms);
    }
  }
  return sent_ - before;
}

void ProbePeer::finish() {
  if (!failed() && ::shutdown(socket_.get(), SHUT_WR) != 0) fail("cannot finish", errno);
}

void ProbePeer::expect(std::size_t bytes) {
  std::vector<unsigned char> got(kChunk);
  while (bytes > 0 && !failed()) {
    const auto size = ::recv(socket_.get(), got.data(), std::min(bytes, kChunk), 0);
    if (size < 0) return fail(fmt::format("misses {} bytes", bytes), errno);
    if (size == 0) return fail(fmt::format("is told the end {} bytes too early", bytes));
    got.resize(static_cast<std::size_t>(size));
    if (got != stream_bytes(received_, got.size()))
      return fail("receives other bytes than were sent");
    got.resize(kChunk);
    received_ += static_cast<std::uint64_t>(size);
    bytes -= static_cast<std::size_t>(size);
  }
}

void ProbePeer::expect_end() {
  if (failed()) return;
  char byte = 0;
  const auto size = ::recv(socket_.get(), &byte, 1, 0);
  if (size > 0) fail("receives a byte that was not sent");
  if (size < 0) fail("misses the end", errno);
}

ProbeLine::ProbeLine(Pair front, Pair back)
    : client(std::move(front.near), "the client", failure),
      backend(std::move(back.far), "the backend", failure),
      relay_client_(std::move(front.far)),
      relay_backend_(std::move(back.near)) {}

Result<std::unique_ptr<ProbeLine>> ProbeLine::open(const asio::ip::address& loopback) {
  auto front = connected_pair(loopback);
  if (!front) return tl::unexpected(front.error());
  auto back = connected_pair(loopback);
  if (!back) return tl::unexpected(back.error());
  return std::unique_ptr<ProbeLine>(new ProbeLine(std::move(*front), std::move(*back)));
}

Result<ProbeLine::Pair> ProbeLine::connected_pair(const asio::ip::address& loopback) {
  const std::string what = "connect to itself on " + loopback.to_string();
  tcp::endpoint address(loopback, 0);
  auto size = static_cast<socklen_t>(address.size());
  const int family = address.protocol().family();
  const UniqueFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Pair pair{.near = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), .far = UniqueFd()};
  if (!listener || !pair.near || ::bind(listener.get(), address.data(), size) != 0 ||
      ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), address.data(), &size) != 0 ||
      ::connect(pair.near.get(), address.data(), size) != 0)
    return fail_errno(what);
  pair.far = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!pair.far) return fail_errno(what);
  const int on = 1;
  for (const int socket : {pair.near.get(), pair.far.get()}) {
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kDeadline, sizeof kDeadline);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kDeadline, sizeof kDeadline);
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
  }
  return pair;
}

void ProbeLine::join(TrialRelay& relay) {
  for (const int socket : {relay_client_.get(), relay_backend_.get()})
    ::fcntl(socket, F_SETFL, O_RDWR | O_NONBLOCK);
  relay.adopt(std::move(relay_client_), std::move(relay_backend_));
}

}  // namespace ambbpf
