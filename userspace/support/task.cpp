// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/task.h"

namespace ambbpf {

Task::Task(asio::any_io_executor executor, awaitable<void> work, std::shared_ptr<void> uses)
    : stop_(std::make_shared<asio::cancellation_signal>()) {
  // A turn later than the end, as what ends still refers to the signal.
  auto release = [executor, stop = stop_, uses = std::move(uses)]() mutable {
    asio::post(executor, [stop = std::move(stop), uses = std::move(uses)] {});
  };
  spawn_stoppable(executor, std::move(work), stop_->slot(), std::move(release));
}

Task& Task::operator=(Task&& other) noexcept {
  if (this == &other) return *this;
  stop();
  stop_ = std::move(other.stop_);
  return *this;
}

void Task::stop() {
  if (const auto stop = std::exchange(stop_, nullptr))
    stop->emit(asio::cancellation_type::terminal);
}

}  // namespace ambbpf
