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
  log::debug("service {}: connection to {} ended: {} bytes there, {} back, {}{}{}",
             admission.service().name(), to_string(admission.backend()->address()),
             end.bytes_to_backend, end.bytes_to_client, name_of(end.reason), end.error ? ": " : "",
             end.error ? end.error.message() : "");
}

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

void Worker::take_in(UniqueFd client, const tcp::endpoint& address, const Listening& listening) {
  const auto& serving = listening.serving;
  const auto& [service, options, keepalive] = serving;
  auto record = begin_record(address, listening);
  if (client.get() >= options.descriptors_below) {
    const Refusal refusal{EndReason::kNoDescriptors, service->out_of_descriptors,
                          "no descriptors are left for connections (ulimit -n, LimitNOFILE)"};
    return refuse(std::move(client), *service, refusal, std::move(record));
  }
  auto admission = Admission::to(service);
  if (!admission) {
    const Refusal refusal{
        EndReason::kTooMany, service->too_many,
        fmt::format("{} are open (--max-connections)", service->most_connections())};
    return refuse(std::move(client), *service, refusal, std::move(record));
  }
  const Client peer{address};
  auto begun = begin_dial(*service, options, peer, has_spoken(client.get()));
  if (begun && begun->connecting.error == 0)
    return relay(std::move(client), std::move(*admission), answered(*service, std::move(*begun), 1),
                 keepalive, std::move(record));
  waiting_.push_back({std::move(client), std::move(admission), std::move(record)});
  spawn(io_, dial_for(*this, std::prev(waiting_.end()), serving, peer, std::move(begun)));
}

void Worker::refuse(UniqueFd client, Service& service, const Refusal& refusal, Record record) {
  ++refusal.count;  // before the client can know
  close_with_reset(std::move(client));
  end_record(std::move(record), {.reason = refusal.reason, .error = {}});
  if (const auto unsaid = service.own_limits_log.pass(Clock::now()))
    log::warn("service {}: connection reset: {}{}", service.name(), refusal.why,
              more_before_it(*unsaid));
}

awaitable<void> Worker::dial_for(Worker& worker, std::list<Waiting>::iterator place,
                                 Serving serving, Client peer, std::optional<Attempt> begun) {
  auto dialled = co_await dial(*serving.service, serving.dial, peer, std::move(begun));
  auto [client, admission, record] = std::move(*place);
  worker.waiting_.erase(place);
  if (!client) co_return;  // it fell to reset_all()
  if (dialled) {
    worker.relay(std::move(client), std::move(*admission), std::move(*dialled), serving.keepalive,
                 std::move(record));
    co_return;
  }
  const auto& [reason, attempts, error] = dialled.error();
  close_with_reset(std::move(client));
  if (record) record->tries = attempts;
  worker.end_record(std::move(record), {.reason = reason, .error = error.code});
  if (const auto unsaid = worker.failures_log_.pass(Clock::now()))
    log::warn("{}; connection reset{}", error.message(), more_before_it(*unsaid));
}

// From here on the relay owns both sockets.
void Worker::relay(UniqueFd client, Admission admission, Dialled dialled,
                   const KeepalivePolicy& keepalive, Record record) {
  const auto group = group_of(*dialled.backend);
  if (record) {
    record->endpoint = dialled.backend->address();
    record->tries = dialled.attempts;
    record->connected_after = Clock::now() - record->begun;
  }
  admission.served_by(std::move(dialled.backend));
  struct Open {
    Admission admission;
    Record record;
  };
  auto open = std::make_shared<Open>(Open{std::move(admission), std::move(record)});
  relay_->adopt({.socket = std::move(client)}, {.socket = std::move(dialled.socket)},
                {.keepalive = keepalive, .group = group}, [this, open](const ConnectionEnd& end) {
                  open->admission.moved(end.bytes_to_backend, end.bytes_to_client);
                  log_end(open->admission, end);
                  end_record(std::move(open->record), end);
                });
}

Worker::Record Worker::begin_record(const tcp::endpoint& client, const Listening& listening) {
  if (!access_log_ || taken_in_++ % access_log_->settings().sample != 0) return nullptr;
  return std::make_unique<AccessRecord>(
      AccessRecord{.origin = listening.origin, .client = client, .endpoint = {}});
}

void Worker::end_record(Record record, const ConnectionEnd& end) {
  if (!record || !access_log_) return;
  record->ended = std::chrono::system_clock::now();
  record->lasted = Clock::now() - record->begun;
  record->bytes_to_backend = end.bytes_to_backend;
  record->bytes_to_client = end.bytes_to_client;
  record->kernel_bytes = end.kernel_bytes;
  record->reason = end.reason;
  access_log_->add(std::move(*record));
}

void Worker::reset_all() {
  asio::post(io_, [this] {
    relay_->end_all(EndReason::kStopped);
    for (auto& [client, admission, record] : waiting_) {
      if (!client) continue;
      close_with_reset(std::move(client));
      end_record(std::move(record), {.reason = EndReason::kStopped, .error = {}});
      admission.reset();
    }
  });
}

void Worker::reset(const std::shared_ptr<const Backend>& backend, EndReason reason) {
  asio::post(io_, [this, backend, reason] { relay_->end_group(group_of(*backend), reason); });
}

void Worker::log_access(std::shared_ptr<AccessLog> log) {
  asio::post(io_, [this, log = std::move(log)] { access_log_ = log; });
}

awaitable<void> Worker::turn() { co_await asio::co_spawn(io_, nothing(), asio::use_awaitable); }

}  // namespace ambbpf
