// SPDX-License-Identifier: Apache-2.0
// From a client that was accepted to one that gets a backend: who is let in, who waits, who is
// reset.
#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "userspace/proxy/worker.h"
#include "userspace/support/close_socket.h"
#include "userspace/support/log.h"

namespace ambbpf {

namespace {

// Not by recv(2), which would take the news of a reset from those who must know.
FirstBytes has_spoken(int client) {
  int bytes = 0;
  const bool told = ::ioctl(client, SIOCINQ, &bytes) == 0;  // tcp(7)
  return told && bytes > 0 ? FirstBytes::kAreHere : FirstBytes::kUnknown;
}

}  // namespace

void Worker::take_in(UniqueFd client, const tcp::endpoint& address, const Listening& listening) {
  const auto& serving = listening.serving;
  const auto& service = serving.service;
  Arrival arrival{.socket = std::move(client), .client = {address}, .record = {}};
  arrival.record = begin_record(address, listening);
  if (arrival.socket.get() >= serving.dial.descriptors_below)
    return refuse(std::move(arrival), serving,
                  {EndReason::kNoDescriptors, service->out_of_descriptors,
                   "no descriptors are left for connections (ulimit -n, LimitNOFILE)"});
  const bool trusted = serving.proxy.reads() && serving.proxy.trusts(address.address());
  if (!trusted && serving.proxy.clients == ProxyProtocol::Clients::kMustSend)
    return refuse(std::move(arrival), serving,
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
    return refuse(std::move(arrival), serving,
                  {EndReason::kTooMany, service.too_many,
                   fmt::format("{} are open (--max-connections)", service.most_connections())});
  // In line before it is counted and before the next client is looked at: that is the order.
  auto in_line = std::make_unique<WaitingLine::Place>(service.line_for_admission);
  arrival.queued = Queued::in(service, queue);
  if (!arrival.queued)
    return refuse(std::move(arrival), serving,
                  {EndReason::kQueueFull, service.queue_full,
                   fmt::format("{} are queued (queue)", queue.length)});
  waiting_.push_back({std::move(arrival), std::nullopt});
  spawn(io_, wait_for_admission(*this, std::prev(waiting_.end()), serving, std::move(in_line)));
}

awaitable<void> Worker::wait_for_admission(Worker& worker, std::list<Waiting>::iterator place,
                                           Serving serving,
                                           std::unique_ptr<WaitingLine::Place> in_line) {
  const auto& service = serving.service;
  std::optional<Admission> admission;
  auto outcome = InLine::kTry;
  while (!admission && outcome == InLine::kTry) {
    outcome = co_await wait_in_line(*in_line, *place->arrival.queued, place->arrival.socket);
    if (outcome != InLine::kTry) continue;
    if (auto admitted = Admission::to(service)) admission.emplace(std::move(*admitted));
  }
  in_line.reset();
  auto arrival = std::move(place->arrival);
  worker.waiting_.erase(place);
  if (!arrival.socket) co_return;  // it fell to reset_all()
  if (admission) {
    worker.let_in(std::move(arrival), std::move(*admission), serving);
  } else if (outcome == InLine::kLate) {
    const Refusal refusal{
        EndReason::kQueueTimeout, service->queue_timeouts,
        fmt::format("it was queued for {} ms (queue_timeout)", serving.dial.queue.timeout.count())};
    worker.refuse(std::move(arrival), serving, refusal);
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
    worker.refuse(std::move(arrival), serving, refusal);
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
    refuse(std::move(arrival), serving, refusal);
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

void Worker::refuse(Arrival arrival, const Serving& serving, const Refusal& refusal) {
  ++refusal.count;  // before the client can know
  const auto how = turn_away(std::move(arrival.socket), serving.refuse);
  end_record(std::move(arrival.record), {.reason = refusal.reason, .error = {}});
  auto& service = *serving.service;
  if (const auto unsaid = service.own_limits_log.pass(Clock::now()))
    log::warn("service {}: connection {}: {}{}", service.name(), how, refusal.why,
              more_before_it(*unsaid));
}

}  // namespace ambbpf
