// SPDX-License-Identifier: Apache-2.0
// From a client that is to get a backend to the end of its connection.
#include <fmt/format.h>
#include <sys/socket.h>

#include <random>

#include "userspace/proxy/passive_health.h"
#include "userspace/proxy/worker.h"
#include "userspace/support/log.h"

namespace ambbpf {

namespace {

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

}  // namespace

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
  const auto how = turn_away(std::move(arrival.socket), serving.refuse);
  if (arrival.record) arrival.record->tries = attempts;
  worker.end_record(std::move(arrival.record), {.reason = reason, .error = error.code});
  if (const auto unsaid = worker.failures_log_.pass(Clock::now()))
    log::warn("{}; connection {}{}", error.message(), how, more_before_it(*unsaid));
}

// From here on the relay owns both sockets.
void Worker::relay(Arrival arrival, Admission admission, Dialled dialled, const Serving& serving) {
  const auto sent = send_proxy_header(arrival, dialled.socket.get(), serving.proxy.to_backend);
  if (!sent)
    return refuse(std::move(arrival), serving,
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

void Worker::reset(const std::shared_ptr<const Backend>& backend, EndReason reason) {
  asio::post(io_, [this, backend, reason] { relay_->end_group(group_of(*backend), reason); });
}

}  // namespace ambbpf
