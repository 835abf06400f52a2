// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/workers.h"

#include <sched.h>

#include <algorithm>

#include "userspace/support/log.h"

namespace ambbpf {
namespace {

// A slot for each descriptor that there can be, up to a size that costs some 20 MB a thread.
std::uint32_t slots_for(rlim_t descriptors) {
  return static_cast<std::uint32_t>(std::clamp<rlim_t>(descriptors, 1024, 131072));
}

unsigned usable_cpus() {
  constexpr int kMost = 256;
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return static_cast<unsigned>(std::clamp(CPU_COUNT(&cpus), 1, kMost));
}

Result<EngineChoice> choose_engine(const std::optional<Engine>& asked) {
  auto choice = asked ? engine_that_was_asked_for(*asked) : best_engine();
  if (!choice) return choice;
  for (const auto& trial : choice->trials)
    if (!trial.usable())
      log::warn("engine {} cannot be used: {}{}{}", name_of(trial.engine), trial.refusal,
                trial.advice.empty() ? "" : "; ", trial.advice);
  return choice;
}

// A worker that has so many is asked no more: one that hangs would have to answer all of them.
constexpr std::size_t kMostQuestions = 4;

struct Gathering {
  explicit Gathering(const asio::any_io_executor& executor) : all_in(executor) {}

  std::size_t awaited = 0;
  std::vector<ConnectionList> answers;
  asio::steady_timer all_in;
};

// An answer that comes late is nobody's.
awaitable<void> ask(Worker& worker, std::size_t& questions, ConnectionsWanted wanted,
                    std::shared_ptr<Gathering> gathering) {
  ++questions;
  auto list = co_await worker.list(std::move(wanted));
  --questions;
  gathering->answers.push_back(std::move(list));
  if (--gathering->awaited == 0) gathering->all_in.cancel();
}

}  // namespace

Result<std::unique_ptr<Workers>> Workers::create(const ProcessSettings& settings) {
  std::unique_ptr<Workers> made(new Workers());
  auto engine = choose_engine(settings.engine);
  if (!engine) return tl::unexpected(engine.error());
  made->engine_ = std::move(*engine);
  const auto limit = raise_descriptor_limit();
  made->budget_ = divide_descriptors(limit);
  const RelayOptions relay{.engine = made->engine_.engine,
                           .promotion = {},
                           .demotion = {.tries_both = !settings.engine},
                           .slots = slots_for(limit),
                           .pipes_below = made->budget_.pipes_below};
  const auto threads = settings.threads ? *settings.threads : usable_cpus();
  for (unsigned i = 0; i < threads; ++i) {
    auto worker = Worker::create(relay);
    if (!worker) return tl::unexpected(worker.error());
    made->workers_.push_back(std::move(*worker));
  }
  made->questions_.resize(made->workers_.size());
  for (const auto& worker : made->workers_) worker->start();
  return made;
}

void Workers::serve(ListenerId id, std::vector<UniqueFd> sockets, const Serving& serving) {
  for (std::size_t i = 0; i < workers_.size(); ++i)
    workers_[i]->serve(id, std::move(sockets[i]), serving);
}

void Workers::serve_otherwise(ListenerId id, const Serving& serving) {
  for (const auto& worker : workers_) worker->serve_otherwise(id, serving);
}

void Workers::stop_serving(ListenerId id) {
  for (const auto& worker : workers_) worker->stop_serving(id);
}

void Workers::stop_accepting() {
  for (const auto& worker : workers_) worker->stop_accepting();
}

void Workers::reset_all() {
  for (const auto& worker : workers_) worker->reset_all();
}

void Workers::reset(const std::shared_ptr<const Backend>& backend, EndReason reason) {
  for (const auto& worker : workers_) worker->reset(backend, reason);
}

void Workers::log_access(const std::shared_ptr<AccessLog>& log) {
  for (const auto& worker : workers_) worker->log_access(log);
}

RelayCounts Workers::counts() const {
  RelayCounts counts;
  for (const auto& worker : workers_) counts += worker->counts();
  return counts;
}

awaitable<Workers::Lists> Workers::list(ConnectionsWanted wanted) {
  const auto executor = co_await asio::this_coro::executor;
  auto gathering = std::make_shared<Gathering>(executor);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (questions_[i] == kMostQuestions) continue;
    ++gathering->awaited;
    spawn(executor, ask(*workers_[i], questions_[i], wanted, gathering));
  }
  gathering->all_in.expires_after(ConnectionList::kWindow + kPatience);
  if (gathering->awaited > 0) co_await gathering->all_in.async_wait(as_tuple);
  Lists lists{.answers = std::exchange(gathering->answers, {})};
  lists.silent = workers_.size() - lists.answers.size();
  co_return lists;
}

awaitable<void> Workers::turn() {
  for (const auto& worker : workers_) co_await worker->turn();
}

}  // namespace ambbpf
