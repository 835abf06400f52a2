// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/admission.h"

namespace ambbpf {

std::optional<Admission> Admission::to(const std::shared_ptr<Service>& service) {
  if (service->connections_now.fetch_add(1) >= service->most_connections()) {
    --service->connections_now;
    return std::nullopt;
  }
  ++service->connections_total;
  return Admission(service);
}

Admission::~Admission() {
  if (backend_) --backend_->connections_now;
  if (service_) --service_->connections_now;
}

void Admission::served_by(std::shared_ptr<Backend> backend) {
  backend_ = std::move(backend);
  ++backend_->connections_now;
  ++backend_->connections_total;
}

}  // namespace ambbpf
