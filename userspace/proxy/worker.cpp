// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/worker.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <random>

#include "userspace/proxy/passive_health.h"
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

// They begin with what tells this process from others.
std::string new_unique_id() {
  static const std::uint64_t process = [] {
    std::random_device random;
    return std::uniform_int_distribution<std::uint64_t>()(random);
  }();
  static std::atomic<std::uint64_t> last{0};
  return fmt::format("{:016x}{:016x}", process, ++last);
}

std::uint64_t group_of(const Backend& backend) {
  return reinterpret_cast<std::uintptr_t>(&backend);
}

void hear_first_byte(const void* owner, Clock::duration after) {
  const auto& admission = *static_cast<const Admission*>(owner);
  admission.service().first_bytes.observe(after);
  note_answer(admission.service(), *admission.backend(), BackendOutcome::kAnswered);
}

void log_end(const Admission& admission, const ConnectionEnd& end) {
  if (!log::says_debug()) return;  // the address is costly to print
  log::debug("service {}: connection to {} ended: {} bytes there, {} back, {}{}{}",
             admission.service().name(), to_string(admission.backend()->address()),
             end.bytes_to_backend, end.bytes_to_client, name_of(end.reason), end.error ? ": " : "",
             end.error ? end.error.message() : "");
}

void count_timeout(Service& service, EndReason reason) {
  if (reason == EndReason::kIdle) ++service.idle_timeouts;
  if (reason == EndReason::kHalfClosed) ++service.half_closed_timeouts;
  if (reason == EndReason::kLifetime) ++service.lifetimes_over;
  if (reason == EndReason::kNoFirstByte) ++service.first_byte_timeouts;
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
  const auto& service = serving.service;
  Arrival arrival{.socket = std::move(client), .client = {address}, .record = {}};
  arrival.record = begin_record(address, listening);
  if (arrival.socket.get() >= serving.dial.descriptors_below)
    return refuse(std::move(arrival), *service,
                  {EndReason::kNoDescriptors, service->out_of_descriptors,
                   "no descriptors are left for connections (ulimit -n, LimitNOFILE)"});
  const bool trusted = serving.proxy.reads() && serving.proxy.trusts(address.address());
  if (!trusted && serving.proxy.clients == ProxyProtocol::Clients::kMustSend)
    return refuse(std::move(arrival), *service,
                  {EndReason::kNoProxyHeader, service->no_proxy_header,
                   fmt::format("{} is in no network of proxy_trusted", to_string(address))});
  // Nobody overtakes those who wait.
  auto admission = service->line_for_admission.is_empty() ? Admission::to(service) : std::nullopt;
  if (!admission) return queue_up(std::move(arrival), serving);
  let_in(std::move(arrival), std::move(*admission), serving);
}

void Worker::queue_up(Arrival arrival, const Serving& serving) {
  auto& service = *serving.service;
  const auto& queue = serving.dial.queue;
  if (queue.length == 0)
    return refuse(std::move(arrival), service,
                  {EndReason::kTooMany, service.too_many,
                   fmt::format("{} are open (--max-connections)", service.most_connections())});
  arrival.queued = Queued::in(service, queue);
  if (!arrival.queued)
    return refuse(std::move(arrival), service,
                  {EndReason::kQueueFull, service.queue_full,
                   fmt::format("{} are queued (queue)", queue.length)});
  waiting_.push_back({std::move(arrival), std::nullopt});
  spawn(io_, wait_for_admission(*this, std::prev(waiting_.end()), serving));
}

awaitable<void> Worker::wait_for_admission(Worker& worker, std::list<Waiting>::iterator place,
                                           Serving serving) {
  const auto& service = serving.service;
  std::optional<Admission> admission;
  auto outcome = InLine::kTry;
  {
    WaitingLine::Place in_line(service->line_for_admission);
    while (!admission && outcome == InLine::kTry) {
      outcome = co_await wait_in_line(in_line, *place->arrival.queued, place->arrival.socket);
      if (outcome != InLine::kTry) continue;
      if (auto admitted = Admission::to(service)) admission.emplace(std::move(*admitted));
    }
  }
  auto arrival = std::move(place->arrival);
  worker.waiting_.erase(place);
  if (!arrival.socket) co_return;  // it fell to reset_all()
  if (admission) {
    worker.let_in(std::move(arrival), std::move(*admission), serving);
  } else if (outcome == InLine::kLate) {
    const Refusal refusal{
        EndReason::kQueueTimeout, service->queue_timeouts,
        fmt::format("it was queued for {} ms (queue_timeout)", serving.dial.queue.timeout.count())};
    worker.refuse(std::move(arrival), *service, refusal);
  } else {
    close_with_reset(std::move(arrival.socket));
    worker.end_record(std::move(arrival.record), {.reason = EndReason::kClientReset, .error = {}});
  }
}

void Worker::let_in(Arrival arrival, Admission admission, const Serving& serving) {
  const bool trusted =
      serving.proxy.reads() && serving.proxy.trusts(arrival.client.address.address());
  if (!trusted) return find_backend(std::move(arrival), std::move(admission), serving);
  asio::posix::stream_descriptor descriptor(io_, arrival.socket.release());
  greeting_.push_back({std::move(descriptor), std::move(arrival), std::move(admission)});
  spawn(io_, greet(*this, std::prev(greeting_.end()), serving));
}

awaitable<void> Worker::greet(Worker& worker, std::list<Greeting>::iterator place,
                              Serving serving) {
  auto read = co_await read_proxy_header(place->client);
  auto [descriptor, arrival, admission] = std::move(*place);
  worker.greeting_.erase(place);
  if (!descriptor.is_open()) co_return;  // it fell to reset_all()
  arrival.socket = UniqueFd(descriptor.release());
  auto& service = *serving.service;
  using Outcome = ProxyHeaderRead::Outcome;
  if (read.outcome == Outcome::kNone && serving.proxy.clients == ProxyProtocol::Clients::kMustSend)
    read = {.outcome = Outcome::kMissing, .why = "there is none"};
  if (read.outcome == Outcome::kMissing || read.outcome == Outcome::kMalformed) {
    const bool missing = read.outcome == Outcome::kMissing;
    const Refusal refusal{
        missing ? EndReason::kNoProxyHeader : EndReason::kMalformedProxyHeader,
        missing ? service.no_proxy_header : service.malformed_proxy_headers,
        fmt::format("PROXY header of {}: {}", to_string(arrival.client.address), read.why)};
    worker.refuse(std::move(arrival), service, refusal);
    co_return;
  }
  if (read.header.addresses) arrival.client = {read.header.addresses->client};
  if (arrival.record) arrival.record->client = arrival.client.address;
  arrival.header = std::move(read.header);
  arrival.header_size = read.size;
  worker.find_backend(std::move(arrival), std::move(*admission), serving);
}

// Where not, it has been reset.
bool Worker::is_welcome(Arrival& arrival, Admission& admission, const Serving& serving) {
  if (!serving.clients) return true;
  const auto& client = arrival.client.address;
  auto [verdict, place] = serving.clients->ask(client.address(), Clock::now());
  auto& service = *serving.service;
  const auto no = [&](EndReason reason, std::atomic<std::uint64_t>& count, std::string_view why) {
    const Refusal refusal{reason, count, fmt::format("{} {}", client.address().to_string(), why)};
    refuse(std::move(arrival), service, refusal);
    return false;
  };
  switch (verdict) {
    case ClientLimits::Verdict::kWelcome:
      admission.keeps(std::move(place));
      return true;
    case ClientLimits::Verdict::kDenied:
      return no(EndReason::kDenied, service.denied, "is denied (allow, deny)");
    case ClientLimits::Verdict::kTooMany:
      return no(EndReason::kTooManyOfClient, service.too_many_of_a_client,
                "has as many open as one may (max_connections_per_client)");
    case ClientLimits::Verdict::kTooFast:
      return no(EndReason::kTooFast, service.too_fast_for_a_client,
                "comes too often (connection_rate_per_client)");
    case ClientLimits::Verdict::kTooFastForAll:
      return no(EndReason::kTooFast, service.too_fast,
                "came when all come too often (connection_rate)");
  }
  return false;
}

void Worker::find_backend(Arrival arrival, Admission admission, const Serving& serving) {
  if (!is_welcome(arrival, admission, serving)) return;
  admission.is_let_in();
  const auto first_bytes = serving.proxy.to_backend != ProxyVersion::kNone
                               ? FirstBytes::kAreHere
                               : has_spoken(arrival.socket.get());
  auto& service = *serving.service;
  auto begun = begin_dial(service, serving.dial, arrival.client, first_bytes);
  if (begun && begun->connecting.error == 0)
    return relay(std::move(arrival), std::move(admission), answered(service, std::move(*begun), 1),
                 serving);
  waiting_.push_back({std::move(arrival), std::move(admission)});
  spawn(io_, dial_for(*this, std::prev(waiting_.end()), serving, std::move(begun)));
}

void Worker::refuse(Arrival arrival, Service& service, const Refusal& refusal) {
  ++refusal.count;  // before the client can know
  close_with_reset(std::move(arrival.socket));
  end_record(std::move(arrival.record), {.reason = refusal.reason, .error = {}});
  if (const auto unsaid = service.own_limits_log.pass(Clock::now()))
    log::warn("service {}: connection reset: {}{}", service.name(), refusal.why,
              more_before_it(*unsaid));
}

awaitable<void> Worker::dial_for(Worker& worker, std::list<Waiting>::iterator place,
                                 Serving serving, std::optional<Attempt> begun) {
  auto dialled =
      co_await dial(*serving.service, serving.dial, place->arrival.client, std::move(begun),
                    place->arrival.socket, std::move(place->arrival.queued));
  auto [arrival, admission] = std::move(*place);
  worker.waiting_.erase(place);
  if (!arrival.socket) co_return;  // it fell to reset_all()
  if (dialled) {
    worker.relay(std::move(arrival), std::move(*admission), std::move(*dialled), serving);
    co_return;
  }
  const auto& [reason, attempts, error] = dialled.error();
  close_with_reset(std::move(arrival.socket));
  if (arrival.record) arrival.record->tries = attempts;
  worker.end_record(std::move(arrival.record), {.reason = reason, .error = error.code});
  if (const auto unsaid = worker.failures_log_.pass(Clock::now()))
    log::warn("{}; connection reset{}", error.message(), more_before_it(*unsaid));
}

// From here on the relay owns both sockets.
void Worker::relay(Arrival arrival, Admission admission, Dialled dialled, const Serving& serving) {
  const auto sent = send_proxy_header(arrival, dialled.socket.get(), serving.proxy.to_backend);
  if (!sent)
    return refuse(std::move(arrival), *serving.service,
                  {EndReason::kConnectFailed, serving.service->gave_up,
                   fmt::format("send a PROXY header to {}: {}",
                               to_string(dialled.backend->address()), sent.error().message())});
  const auto group = group_of(*dialled.backend);
  if (const auto& record = arrival.record) {
    record->endpoint = dialled.backend->address();
    record->tries = dialled.attempts;
    record->connected_after = Clock::now() - record->begun;
  }
  admission.keeps(std::move(dialled.place));
  const bool is_suspect = dialled.backend->is_suspect();
  admission.served_by(std::move(dialled.backend));
  struct Open {
    Admission admission;
    Record record;
  };
  auto open = std::make_shared<Open>(Open{std::move(admission), std::move(arrival.record)});
  relay_->adopt({.socket = std::move(arrival.socket), .read_before = arrival.header_size},
                {.socket = std::move(dialled.socket), .written_before = *sent},
                {.keepalive = serving.keepalive,
                 .group = group,
                 .owner = &open->admission,
                 .first_byte = hear_first_byte,
                 .awaits_first_byte = is_suspect,
                 .limits = serving.time_limits},
                [this, open](const ConnectionEnd& end) {
                  auto& [admitted, record] = *open;
                  admitted.moved(end.bytes_to_backend, end.bytes_to_client);
                  note_end(admitted.service(), *admitted.backend(), end, admitted.lasts());
                  count_timeout(admitted.service(), end.reason);
                  log_end(admitted, end);
                  end_record(std::move(record), end);
                });
}

// How many bytes. They always fit in the send buffer of a new socket; without its header a backend
// gets nothing.
Result<std::size_t> Worker::send_proxy_header(const Arrival& arrival, int backend,
                                              ProxyVersion version) {
  if (version == ProxyVersion::kNone) return std::size_t{0};
  auto header = arrival.header;
  if (!header.addresses)
    header.addresses = addresses_of(arrival.socket.get(), arrival.client.address);
  if (header.unique_id.empty()) header.unique_id = new_unique_id();
  const auto text = write_proxy_header(version, header);
  const auto sent = ::send(backend, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return fail_errno("send");
  if (static_cast<std::size_t>(sent) < text.size()) return fail("only a part of it");
  return text.size();
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

void Worker::reset(const std::shared_ptr<const Backend>& backend, EndReason reason) {
  asio::post(io_, [this, backend, reason] { relay_->end_group(group_of(*backend), reason); });
}

void Worker::log_access(std::shared_ptr<AccessLog> log) {
  asio::post(io_, [this, log = std::move(log)] { access_log_ = log; });
}

awaitable<ConnectionList> Worker::list(ConnectionsWanted wanted) {
  return asio::co_spawn(io_, list_connections(*relay_, std::move(wanted)), asio::use_awaitable);
}

awaitable<void> Worker::turn() { co_await asio::co_spawn(io_, nothing(), asio::use_awaitable); }

}  // namespace ambbpf
