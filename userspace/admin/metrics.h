// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/admin/status_report.h"

namespace ambbpf {

// What has series of its own. Those of a service count its endpoints of the past as well.
enum class Detail { kServices, kEndpoints };

// The report for Prometheus, in its text format (0.0.4).
std::string to_metrics(const StatusReport& report, Detail detail);

}  // namespace ambbpf
