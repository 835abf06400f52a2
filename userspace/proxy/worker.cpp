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

awaitable<void> nothing() { co_return; }

// Not by recv(2), which would take the news of a reset from those who must know.
FirstBytes has_spoken(int client) {
  int bytes = 0;
  const bool told = ::ioctl(client, SIOCINQ, &bytes) == 0;  // tcp(7)
  return told && bytes > 0 ? FirstBytes::kAreHere : FirstBytes::kUnknown;
}

std::uint64_t group_of(const Backend& backend) {
  return reinterpret_cast<std::uintptr_t>(&backend);
}

void log_end(const Admission& admission, const ConnectionEnd& end) {
  if (!log::says_debug()) return;  // the address is costly to print
  log::debug("service {}: connection to {} ended: {} bytes there, {} back{}{}{}{}",
             admission.service().name(), to_string(admission.backend()->address()),
             end.bytes_to_backend, end.bytes_to_client,
             end.reason.empty() ? "" : ", reset: ", end.reason, end.error ? ": " : "",
             end.error ? end.error.message() : "");
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
  auto listening = std::make_shared<Listening>(
      Listening{asio::posix::stream_descriptor(io_, listener.release()), std::move(serving)});
  asio::post(io_, [this, id, listening] {
    listening_.emplace(id, listening);
    spawn(io_, accept_all(*this, listening));
  });
}

void Worker::serve_otherwise(ListenerId id, Serving serving) {
  asio::post(io_, [this, id, serving = std::move(serving)] {
    if (const auto found = listening_.find(id); found != listening_.end())
      found->second->serving = serving;
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
      take_in(std::move(client), address, listening.serving);
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

void Worker::take_in(UniqueFd client, const tcp::endpoint& address, const Serving& serving) {
  const auto& [service, options, keepalive] = serving;
  if (client.get() >= options.descriptors_below)
    return refuse(std::move(client), *service, service->out_of_descriptors,
                  "no descriptors are left for connections (ulimit -n, LimitNOFILE)");
  auto admission = Admission::to(service);
  if (!admission)
    return refuse(std::move(client), *service, service->too_many,
                  fmt::format("{} are open (--max-connections)", service->most_connections()));
  const Client peer{address};
  auto begun = begin_dial(*service, options, peer, has_spoken(client.get()));
  if (begun && begun->connecting.error == 0)
    return relay(std::move(client), std::move(*admission), answered(*service, std::move(*begun)),
                 keepalive);
  waiting_.push_back({std::move(client), std::move(admission)});
  spawn(io_, dial_for(*this, std::prev(waiting_.end()), serving, peer, std::move(begun)));
}

void Worker::refuse(UniqueFd client, Service& service, std::atomic<std::uint64_t>& count,
                    const std::string& why) {
  ++count;  // before the client can know
  close_with_reset(std::move(client));
  if (const auto unsaid = service.own_limits_log.pass(Clock::now()))
    log::warn("service {}: connection reset: {}{}", service.name(), why, more_before_it(*unsaid));
}

awaitable<void> Worker::dial_for(Worker& worker, std::list<Waiting>::iterator place,
                                 Serving serving, Client peer, std::optional<Attempt> begun) {
  auto dialled = co_await dial(*serving.service, serving.dial, peer, std::move(begun));
  auto [client, admission] = std::move(*place);
  worker.waiting_.erase(place);
  if (!client) co_return;  // it fell to reset_all()
  if (dialled) {
    worker.relay(std::move(client), std::move(*admission), std::move(*dialled), serving.keepalive);
    co_return;
  }
  close_with_reset(std::move(client));
  if (const auto unsaid = worker.failures_log_.pass(Clock::now()))
    log::warn("{}; connection reset{}", dialled.error().message(), more_before_it(*unsaid));
}

// From here on the relay owns both sockets.
void Worker::relay(UniqueFd client, Admission admission, Dialled dialled,
                   const KeepalivePolicy& keepalive) {
  const auto group = group_of(*dialled.backend);
  admission.served_by(std::move(dialled.backend));
  auto open = std::make_shared<Admission>(std::move(admission));
  relay_->adopt(
      {.socket = std::move(client)}, {.socket = std::move(dialled.socket)},
      {.keepalive = keepalive, .group = group, .first_byte = &open->service().first_bytes},
      [open](const ConnectionEnd& end) {
        open->moved(end.bytes_to_backend, end.bytes_to_client);
        log_end(*open, end);
      });
}

void Worker::reset_all() {
  asio::post(io_, [this] {
    relay_->end_all("shutdown");
    for (auto& [client, admission] : waiting_) {
      if (!client) continue;
      close_with_reset(std::move(client));
      admission.reset();
    }
  });
}

void Worker::reset(const std::shared_ptr<const Backend>& backend, std::string_view reason) {
  asio::post(io_, [this, backend, reason] { relay_->end_group(group_of(*backend), reason); });
}

awaitable<void> Worker::turn() { co_await asio::co_spawn(io_, nothing(), asio::use_awaitable); }

}  // namespace ambbpf
