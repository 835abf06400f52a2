// SPDX-License-Identifier: Apache-2.0
// One thread of the data path: its listeners, its connections, its relay. A connection never
// changes thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "userspace/access/access_log.h"
#include "userspace/dataplane/relay.h"
#include "userspace/endpoints/service.h"
#include "userspace/proxy/admission.h"
#include "userspace/proxy/connection_list.h"
#include "userspace/proxy/dial.h"
#include "userspace/proxy/proxy_protocol.h"
#include "userspace/proxy/refuse.h"
#include "userspace/support/log_limit.h"

namespace ambbpf {

// A service as connections to it are served.
struct Serving {
  std::shared_ptr<Service> service;
  DialOptions dial;
  KeepalivePolicy keepalive{};
  ProxyProtocol proxy{};
  std::shared_ptr<ClientLimits> clients{};  // null: no limits
  TimeLimits time_limits{};
  Refuse refuse = Refuse::kReset;

  bool operator==(const Serving&) const = default;
};

// Of one listening address, the same in all workers.
using ListenerId = std::uint64_t;

// All members may be called from any thread; what they ask for takes place on the worker's, in that
// order.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> create(const RelayOptions& relay);
  // Stops its thread; what is still open is closed.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Once; what was asked for before takes place then.
  void start();

  // Connections to `listener` are served so. `id` is new.
  void serve(ListenerId id, UniqueFd listener, Serving serving);
  // From now on, for new connections.
  void serve_otherwise(ListenerId id, Serving serving);
  // Closes the listener. Who has been let in by the kernel already is served.
  void stop_serving(ListenerId id);
  void stop_accepting();  // all of them

  // Closes what is open with a reset, held and connecting ones included.
  void reset_all();
  // The same for what is open to `backend`, for `reason`.
  void reset(const std::shared_ptr<const Backend>& backend, EndReason reason);
  // From now on, of connections that are taken in while there is one. Null: there is none.
  void log_access(std::shared_ptr<AccessLog> log);
  // As they are kept: asks nobody.
  RelayCounts counts() const { return relay_->counts(); }
  // Returns in the caller's coroutine when the worker's thread has taken up work: never while it
  // hangs.
  awaitable<void> turn();
  // As connection_list.h has it; returns in the caller's coroutine, and never while the thread
  // hangs.
  awaitable<ConnectionList> list(ConnectionsWanted wanted);

 private:
  // Lives on in its coroutine until the listener has been closed.
  struct Listening {
    asio::posix::stream_descriptor socket;
    Serving serving;
    std::shared_ptr<const AccessOrigin> origin;
  };

  // Null: the access log is to have no line of it.
  using Record = std::unique_ptr<AccessRecord>;

  // A client that no backend is to have, and why.
  struct Refusal {
    EndReason reason;
    std::atomic<std::uint64_t>& count;
    std::string why;
  };

  struct Arrival {
    UniqueFd socket;
    Client client;         // as the PROXY header has it, where there is one
    ProxyHeader header{};  // what is known of the connection beside its socket
    std::size_t header_size = 0;
    std::optional<Queued> queued{};  // it had to wait in the queue
    Record record;
  };

  // A client whose PROXY header is yet to come. Its coroutine owns the place in greeting_.
  struct Greeting {
    asio::posix::stream_descriptor client;  // closed by reset_all()
    Arrival arrival;                        // without a socket as yet
    std::optional<Admission> admission;
  };

  // A client that has no backend yet. Its coroutine owns the place in waiting_.
  struct Waiting {
    Arrival arrival;  // without a socket after reset_all()
    std::optional<Admission> admission;
  };

  Worker() = default;
  static awaitable<void> accept_all(Worker& worker, std::shared_ptr<Listening> listening);
  static awaitable<void> greet(Worker& worker, std::list<Greeting>::iterator place,
                               Serving serving);
  static awaitable<void> wait_for_admission(Worker& worker, std::list<Waiting>::iterator place,
                                            Serving serving,
                                            std::unique_ptr<WaitingLine::Place> in_line);
  static awaitable<void> dial_for(Worker& worker, std::list<Waiting>::iterator place,
                                  Serving serving, std::optional<Attempt> begun);
  enum class Accepted { kAll, kSome, kOutOfFiles };
  Accepted accept_some(Listening& listening);
  void close(Listening& listening);
  void take_in(UniqueFd client, const tcp::endpoint& address, const Listening& listening);
  void let_in(Arrival arrival, Admission admission, const Serving& serving);
  void queue_up(Arrival arrival, const Serving& serving);
  void refuse(Arrival arrival, const Serving& serving, const Refusal& refusal);
  bool is_welcome(Arrival& arrival, Admission& admission, const Serving& serving);
  void find_backend(Arrival arrival, Admission admission, const Serving& serving);
  void relay(Arrival arrival, Admission admission, Dialled dialled, const Serving& serving);
  static Result<std::size_t> send_proxy_header(const Arrival& arrival, int backend,
                                               ProxyVersion version);
  Record begin_record(const tcp::endpoint& client, const Listening& listening);
  void end_record(Record record, const ConnectionEnd& end);

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> busy_{io_.get_executor()};
  LogLimit failures_log_;
  std::shared_ptr<AccessLog> access_log_;  // null: there is none
  std::uint64_t taken_in_ = 0;             // while there is one
  std::map<ListenerId, std::shared_ptr<Listening>> listening_;
  std::list<Greeting> greeting_;
  std::list<Waiting> waiting_;
  std::unique_ptr<Relay> relay_;
  std::thread thread_;
};

}  // namespace ambbpf
