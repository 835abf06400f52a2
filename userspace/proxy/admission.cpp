// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/admission.h"

namespace ambbpf {

std::optional<Admission> Admission::to(const std::shared_ptr<Service>& service) {
  auto open = service->connections_now.load();
  do {
    if (open >= service->most_connections()) return std::nullopt;
  } while (!service->connections_now.compare_exchange_weak(open, open + 1));
  return Admission(service);
}

Admission::~Admission() {
  if (backend_) {
    --backend_->connections_now;
    service_->lives.observe(Clock::now() - since_);
  }
  if (!service_) return;
  --service_->connections_now;
  service_->line_for_admission.call_first();
}

void Admission::served_by(std::shared_ptr<Backend> backend) {
  backend_ = std::move(backend);
  ++backend_->connections_now;
  ++backend_->connections_total;
}

void Admission::moved(std::uint64_t bytes_to_backend, std::uint64_t bytes_to_client) {
  for (auto* to_backend : {&backend_->bytes_to_backend, &service_->bytes_to_backend})
    to_backend->fetch_add(bytes_to_backend, std::memory_order_relaxed);
  for (auto* to_client : {&backend_->bytes_to_client, &service_->bytes_to_client})
    to_client->fetch_add(bytes_to_client, std::memory_order_relaxed);
}

}  // namespace ambbpf
