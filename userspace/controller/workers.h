// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "userspace/config/settings.h"
#include "userspace/controller/descriptor_budget.h"
#include "userspace/dataplane/probe.h"
#include "userspace/proxy/listen.h"
#include "userspace/proxy/worker.h"

namespace ambbpf {

// The threads of the data path, all alike, and the engine that they use.
class Workers {
 public:
  // Takes as many descriptors as the process may have, tries the engines, and starts the threads.
  static Result<std::unique_ptr<Workers>> create(const ProcessSettings& settings);

  const EngineChoice& engine() const { return engine_; }
  std::size_t size() const { return workers_.size(); }
  const DescriptorBudget& budget() const { return budget_; }

  // As Worker has them. `sockets`: one for each.
  void serve(ListenerId id, std::vector<UniqueFd> sockets, const Serving& serving);
  void serve_otherwise(ListenerId id, const Serving& serving);
  void stop_serving(ListenerId id);
  void stop_accepting();
  void reset_all();
  void reset(const std::shared_ptr<const Backend>& backend, EndReason reason);
  void log_access(const std::shared_ptr<AccessLog>& log);
  RelayCounts counts() const;
  awaitable<void> turn();  // returns when each has turned

  // As Worker::list(), of all that answer in time: kPatience after the window that it needs.
  static constexpr std::chrono::milliseconds kPatience{1000};
  struct Lists {
    std::vector<ConnectionList> answers;
    std::size_t silent = 0;  // workers
  };
  awaitable<Lists> list(ConnectionsWanted wanted);

 private:
  Workers() = default;

  EngineChoice engine_;
  DescriptorBudget budget_{};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::size_t> questions_;  // that each has to answer
};

}  // namespace ambbpf
