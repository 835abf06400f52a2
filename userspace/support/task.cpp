// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/task.h"

namespace ambbpf {

Task::Task(asio::any_io_executor executor, awaitable<void> work, std::shared_ptr<void> uses)
    : work_(std::make_shared<Work>()) {
  // Released a turn later than the end, as what ends still refers to the signal.
  auto release = [executor, ended = work_, uses = std::move(uses)]() mutable {
    ended->ended = true;
    asio::post(executor, [ended = std::move(ended), uses = std::move(uses)] {});
  };
  spawn_stoppable(executor, std::move(work), work_->stop.slot(), std::move(release));
}

Task& Task::operator=(Task&& other) noexcept {
  if (this == &other) return *this;
  stop();
  work_ = std::move(other.work_);
  return *this;
}

void Task::stop() {
  const auto work = std::exchange(work_, nullptr);
  if (work && !work->ended) work->stop.emit(asio::cancellation_type::terminal);
}

}  // namespace ambbpf
