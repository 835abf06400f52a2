// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/connection_list.h"

#include <algorithm>

#include "userspace/proxy/admission.h"
#include "userspace/proxy/highest.h"

namespace ambbpf {

namespace {

constexpr std::size_t kDescribedATurn = 8;  // some six system calls each

struct Contender {
  ConnectionId id;
  BytesBothWays a_second;
};

const Admission& admission_of(const OpenConnection& connection) {
  return *static_cast<const Admission*>(connection.owner);
}

// A connection that is younger has moved all its bytes since then.
BytesBothWays moved_since(const BytesBothWays& before, const OpenConnection& now) {
  return {now.bytes_to_backend - before.to_backend, now.bytes_to_client - before.to_client};
}

std::uint64_t key_of(const OpenConnection& connection, const BytesBothWays& a_second,
                     ConnectionsWanted::By by, Clock::time_point now) {
  switch (by) {
    case ConnectionsWanted::By::kBytes:
      return connection.bytes_to_backend + connection.bytes_to_client;
    case ConnectionsWanted::By::kAge:
      return static_cast<std::uint64_t>(
          std::max(now - connection.since, Clock::duration()).count());
    case ConnectionsWanted::By::kRate:
      return a_second.sum();
  }
  return 0;
}

// What two walks, a window apart, find out.
class Survey {
 public:
  explicit Survey(const ConnectionsWanted& wanted) : wanted_(wanted), highest_(wanted.limit) {
    for (const auto& service : wanted.services) list.sums.emplace(service.get(), Sums());
  }

  void sample(const OpenConnection& connection) {
    const BytesBothWays moved{connection.bytes_to_backend, connection.bytes_to_client};
    if (moved.sum() > 0 && is_wanted(connection)) list.samples.emplace(connection.id, moved);
  }

  void take(const OpenConnection& connection) {
    const auto found = list.sums.find(&admission_of(connection).service());
    if (found == list.sums.end()) return;
    auto& sums = found->second;
    ++sums.open;
    sums.moved.to_backend += connection.bytes_to_backend;
    sums.moved.to_client += connection.bytes_to_client;
    sums.directions_in_kernel += connection.directions_in_kernel;
    if (wanted_.limit == 0) return;
    const auto before = list.samples.find(connection.id);
    const auto a_second =
        moved_since(before == list.samples.end() ? BytesBothWays() : before->second, connection);
    highest_.offer(key_of(connection, a_second, wanted_.by, now_), {connection.id, a_second});
  }

  void forget_samples(std::size_t connections) {
    list.samples.clear();
    list.samples.reserve(connections);  // to grow later would take all of them in one turn
  }
  void forget_what_was_taken() {
    for (auto& [service, sums] : list.sums) sums = {};
    highest_ = Highest<Contender>(wanted_.limit);
  }
  std::vector<Highest<Contender>::Entry> take_highest() { return highest_.take(); }

  ConnectionList list;

 private:
  using Sums = ConnectionList::Sums;

  bool is_wanted(const OpenConnection& connection) const {
    return list.sums.contains(&admission_of(connection).service());
  }

  const ConnectionsWanted& wanted_;
  const Clock::time_point now_ = Clock::now();
  Highest<Contender> highest_;
};

awaitable<void> let_others_go_on() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

// `see` and `forget` belong to the caller's frame.
awaitable<void> walk_all(const Relay& relay, const Relay::See& see,
                         const std::function<void()>& forget) {
  forget();
  for (ConnectionWalk walk;;) {
    const auto walked = relay.walk(walk, see);
    if (walked == Relay::Walked::kAll) co_return;
    if (walked == Relay::Walked::kAnew) forget();
    co_await let_others_go_on();
  }
}

// Nothing of those that have ended meanwhile.
std::optional<ListedConnection> describe(const Relay& relay, std::uint64_t key,
                                         const Contender& contender) {
  auto facts = relay.facts_of(contender.id);
  if (!facts) return std::nullopt;
  const auto& admission = admission_of(facts->connection);
  return ListedConnection{.key = key,
                          .service = admission.service().name(),
                          .backend = admission.backend()->address(),
                          .a_second = contender.a_second,
                          .facts = *facts};
}

}  // namespace

awaitable<ConnectionList> list_connections(const Relay& relay, ConnectionsWanted wanted) {
  Survey survey(wanted);
  if (wanted.limit > 0) {
    const Relay::See sample = [&survey](const auto& each) { survey.sample(each); };
    const std::function<void()> forget = [&survey, &relay] {
      survey.forget_samples(relay.counts().connections_now);
    };
    co_await walk_all(relay, sample, forget);
    co_await sleep_for(ConnectionList::kWindow);
  }
  const Relay::See take = [&survey](const auto& each) { survey.take(each); };
  const std::function<void()> forget = [&survey] { survey.forget_what_was_taken(); };
  co_await walk_all(relay, take, forget);

  std::size_t described = 0;
  for (const auto& [key, contender] : survey.take_highest()) {
    if (auto listed = describe(relay, key, contender))
      survey.list.connections.push_back(std::move(*listed));
    if (++described % kDescribedATurn == 0) co_await let_others_go_on();
  }
  co_return std::move(survey.list);
}

}  // namespace ambbpf
