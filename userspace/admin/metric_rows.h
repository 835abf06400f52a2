// SPDX-License-Identifier: Apache-2.0
// Which figure of the report is in which metric: one list for each part of the report.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

#include <optional>
#include <span>
#include <vector>

#include "userspace/admin/status_report.h"

namespace ambbpf {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

// Rows of one metric follow each other; the first of them has its help. Without a value there is no
// sample.
template <class Part>
struct MetricRow {
  prometheus::MetricType type;
  const char* name;
  const char* help;
  std::optional<double> (*value)(const Part& part);
  MetricLabels labels{};  // besides those of the part
};

struct MetricEndpoint {
  const StatusReport::Endpoint& endpoint;
  bool has_direct;  // so does its service
};

std::span<const MetricRow<StatusReport>> rows_of_process();
std::span<const MetricRow<StatusReport::Service>> rows_of_services();
std::span<const MetricRow<MetricEndpoint>> rows_of_endpoints();
std::span<const MetricRow<StatusReport::Source>> rows_of_sources();
std::span<const MetricRow<StatusReport::Registrar>> rows_of_registrars();

}  // namespace ambbpf
