// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/worker.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "userspace/support/close_with_reset.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr int kAcceptsATurn = 64;

awaitable<RelayCounts> counts_of(Relay& relay) { co_return relay.counts(); }

awaitable<void> nothing() { co_return; }

// Not by recv(2), which would take the news of a reset from those who must know.
FirstBytes has_spoken(int client) {
  int bytes = 0;
  const bool told = ::ioctl(client, SIOCINQ, &bytes) == 0;  // tcp(7)
  return told && bytes > 0 ? FirstBytes::kAreHere : FirstBytes::kUnknown;
}

// Counts a connection with its service and backend for as long as it is open.
class OpenConnection {
 public:
  OpenConnection(Service& service, std::shared_ptr<Backend> backend)
      : service_(service), backend_(std::move(backend)) {
    ++backend_->connections_now;
    ++backend_->connections_total;
  }
  ~OpenConnection() {
    --backend_->connections_now;
    --service_.connections_now;
  }
  OpenConnection(const OpenConnection&) = delete;
  OpenConnection& operator=(const OpenConnection&) = delete;

  void ended(const ConnectionEnd& end) const {
    if (!log::says_debug()) return;  // the address is costly to print
    log::debug("service {}: connection to {} ended: {} bytes there, {} back{}{}{}{}",
               service_.name(), to_string(backend_->address()), end.bytes_to_backend,
               end.bytes_to_client, end.reason.empty() ? "" : ", reset: ", end.reason,
               end.error ? ": " : "", end.error ? end.error.message() : "");
  }

 private:
  Service& service_;
  std::shared_ptr<Backend> backend_;
};

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(const RelayOptions& relay, const DialOptions& dial,
                                               const ConnectionSettings& settings) {
  std::unique_ptr<Worker> worker(new Worker());
  auto made = Relay::create(worker->io_, relay);
  if (!made) return tl::unexpected(made.error());
  worker->relay_ = std::move(*made);
  worker->dial_ = dial;
  worker->settings_ = settings;
  return worker;
}

Worker::~Worker() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::serve(UniqueFd listener, Service& service) {
  listening_.push_back(std::make_unique<Listening>(
      Listening{asio::posix::stream_descriptor(io_, listener.release()), service}));
}

void Worker::start() {
  for (const auto& listening : listening_) spawn(io_, accept_all(*this, *listening));
  thread_ = std::thread([this] { io_.run(); });
}

awaitable<void> Worker::accept_all(Worker& worker, Listening& listening) {
  using Descriptor = asio::posix::stream_descriptor;
  for (;;) {
    const auto [error] = co_await listening.socket.async_wait(Descriptor::wait_read, as_tuple);
    if (error) co_return;  // closed by stop_accepting()
    // Without descriptors the listener stays readable: not to spin on it.
    if (worker.accept_some(listening) == Accepted::kOutOfFiles) co_await sleep_for(100ms);
  }
}

// A turn's worth; kSome: there may be more.
Worker::Accepted Worker::accept_some(Listening& listening) {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    UniqueFd client(::accept4(listening.socket.native_handle(), nullptr, nullptr,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      take_in(std::move(client), listening.service);
      continue;
    }
    if (errno == EAGAIN) return Accepted::kAll;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      const auto error = std::generic_category().message(errno);
      if (const auto unsaid = listening.service.own_limits_log.pass(Clock::now()))
        log::error("service {}: accept: {}; waiting for a free descriptor{}",
                   listening.service.name(), error, more_before_it(*unsaid));
      return Accepted::kOutOfFiles;
    }
    // Anything else is the fault of that one connection (accept(2), ERRORS): on to the next.
  }
  return Accepted::kSome;
}

void Worker::take_in(UniqueFd client, Service& service) {
  if (client.get() >= dial_.descriptors_below)
    return refuse(std::move(client), service,
                  "no descriptors are left for connections (ulimit -n, LimitNOFILE)");
  if (!service.admit_connection())
    return refuse(std::move(client), service,
                  fmt::format("{} are open (--max-connections)", service.most_connections()));
  auto begun = begin_dial(service, dial_, has_spoken(client.get()));
  if (begun && begun->connecting.error == 0)
    return relay(std::move(client), service, answered(service, std::move(*begun)));
  waiting_.push_back({std::move(client), service});
  spawn(io_, dial_for(*this, std::prev(waiting_.end()), std::move(begun)));
}

void Worker::refuse(UniqueFd client, Service& service, const std::string& why) {
  ++service.refused;  // before the client can know
  close_with_reset(std::move(client));
  if (const auto unsaid = service.own_limits_log.pass(Clock::now()))
    log::warn("service {}: connection reset: {}{}", service.name(), why, more_before_it(*unsaid));
}

awaitable<void> Worker::dial_for(Worker& worker, std::list<Waiting>::iterator place,
                                 std::optional<Attempt> begun) {
  Service& service = place->service;
  auto dialled = co_await dial(service, worker.dial_, std::move(begun));
  UniqueFd client = std::move(place->client);
  worker.waiting_.erase(place);
  if (!client) co_return;  // it fell to reset_all()
  if (dialled) {
    worker.relay(std::move(client), service, std::move(*dialled));
    co_return;
  }
  close_with_reset(std::move(client));
  --service.connections_now;
  if (const auto unsaid = worker.failures_log_.pass(Clock::now()))
    log::warn("{}; connection reset{}", dialled.error().message(), more_before_it(*unsaid));
}

// From here on the relay owns both sockets.
void Worker::relay(UniqueFd client, Service& service, Dialled dialled) {
  auto open = std::make_shared<OpenConnection>(service, std::move(dialled.backend));
  relay_->adopt({.socket = std::move(client)}, {.socket = std::move(dialled.socket)}, settings_,
                [open](const ConnectionEnd& end) { open->ended(end); });
}

void Worker::stop_accepting() {
  asio::post(io_, [this] {
    for (const auto& listening : listening_) {
      if (!listening->socket.is_open()) continue;
      // Who has been let in by the kernel already is served, not reset by the close.
      while (accept_some(*listening) == Accepted::kSome) continue;
      listening->socket.close();
    }
  });
}

void Worker::reset_all() {
  asio::post(io_, [this] {
    relay_->end_all("shutdown");
    for (auto& [client, service] : waiting_) {
      if (!client) continue;
      close_with_reset(std::move(client));
      --service.connections_now;
    }
  });
}

awaitable<RelayCounts> Worker::counts() {
  co_return co_await asio::co_spawn(io_, counts_of(*relay_), asio::use_awaitable);
}

awaitable<void> Worker::turn() { co_await asio::co_spawn(io_, nothing(), asio::use_awaitable); }

}  // namespace ambbpf
