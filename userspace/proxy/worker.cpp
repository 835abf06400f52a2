// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/worker.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include "userspace/support/close_socket.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr int kAcceptsATurn = 64;

awaitable<void> nothing() { co_return; }

std::shared_ptr<const AccessOrigin> origin_of(int listener, const Service& service) {
  tcp::endpoint address;
  auto size = static_cast<socklen_t>(address.capacity());
  if (::getsockname(listener, address.data(), &size) == 0) address.resize(size);
  return std::make_shared<const AccessOrigin>(AccessOrigin{service.name(), address});
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(const RelayOptions& relay) {
  std::unique_ptr<Worker> worker(new Worker());
  auto made = Relay::create(worker->io_, relay);
  if (!made) return tl::unexpected(made.error());
  worker->relay_ = std::move(*made);
  return worker;
}

Worker::~Worker() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::start() {
  thread_ = std::thread([this] { io_.run(); });
}

void Worker::serve(ListenerId id, UniqueFd listener, Serving serving) {
  auto origin = origin_of(listener.get(), *serving.service);
  auto listening =
      std::make_shared<Listening>(Listening{asio::posix::stream_descriptor(io_, listener.release()),
                                            std::move(serving), std::move(origin)});
  asio::post(io_, [this, id, listening] {
    listening_.emplace(id, listening);
    spawn(io_, accept_all(*this, listening));
  });
}

void Worker::serve_otherwise(ListenerId id, Serving serving) {
  asio::post(io_, [this, id, serving = std::move(serving)] {
    const auto found = listening_.find(id);
    if (found == listening_.end()) return;
    auto& listening = *found->second;
    listening.serving = serving;
    listening.origin = origin_of(listening.socket.native_handle(), *serving.service);
  });
}

void Worker::stop_serving(ListenerId id) {
  asio::post(io_, [this, id] {
    const auto found = listening_.find(id);
    if (found == listening_.end()) return;
    close(*found->second);
    listening_.erase(found);
  });
}

void Worker::stop_accepting() {
  asio::post(io_, [this] {
    for (const auto& [id, listening] : listening_) close(*listening);
    listening_.clear();
  });
}

// Who has been let in by the kernel already is served, not reset by the close.
void Worker::close(Listening& listening) {
  while (accept_some(listening) == Accepted::kSome) continue;
  listening.socket.close();
}

awaitable<void> Worker::accept_all(Worker& worker, std::shared_ptr<Listening> listening) {
  using Descriptor = asio::posix::stream_descriptor;
  for (;;) {
    const auto [error] = co_await listening->socket.async_wait(Descriptor::wait_read, as_tuple);
    if (error || !listening->socket.is_open()) co_return;
    // Without descriptors the listener stays readable: not to spin on it.
    if (worker.accept_some(*listening) == Accepted::kOutOfFiles) co_await sleep_for(100ms);
    if (!listening->socket.is_open()) co_return;
  }
}

// A turn's worth; kSome: there may be more.
Worker::Accepted Worker::accept_some(Listening& listening) {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    tcp::endpoint address;
    auto size = static_cast<socklen_t>(address.capacity());
    UniqueFd client(::accept4(listening.socket.native_handle(), address.data(), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      take_in(std::move(client), address, listening);
      continue;
    }
    if (errno == EAGAIN) return Accepted::kAll;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      const auto error = std::generic_category().message(errno);
      auto& service = *listening.serving.service;
      if (const auto unsaid = service.own_limits_log.pass(Clock::now()))
        log::error("service {}: accept: {}; waiting for a free descriptor{}", service.name(), error,
                   more_before_it(*unsaid));
      return Accepted::kOutOfFiles;
    }
    // Anything else is the fault of that one connection (accept(2), ERRORS): on to the next.
  }
  return Accepted::kSome;
}

void Worker::reset_all() {
  asio::post(io_, [this] {
    relay_->end_all(EndReason::kStopped);
    const auto reset = [this](Arrival& arrival, std::optional<Admission>& admission) {
      close_with_reset(std::move(arrival.socket));
      end_record(std::move(arrival.record), {.reason = EndReason::kStopped, .error = {}});
      admission.reset();
    };
    for (auto& [client, arrival, admission] : greeting_) {
      if (!client.is_open()) continue;
      arrival.socket = UniqueFd(client.release());
      reset(arrival, admission);
    }
    for (auto& [arrival, admission] : waiting_)
      if (arrival.socket) reset(arrival, admission);
  });
}

void Worker::log_access(std::shared_ptr<AccessLog> log) {
  asio::post(io_, [this, log = std::move(log)] { access_log_ = log; });
}

awaitable<ConnectionList> Worker::list(ConnectionsWanted wanted) {
  return asio::co_spawn(io_, list_connections(*relay_, std::move(wanted)), asio::use_awaitable);
}

awaitable<void> Worker::turn() { co_await asio::co_spawn(io_, nothing(), asio::use_awaitable); }

}  // namespace ambbpf
