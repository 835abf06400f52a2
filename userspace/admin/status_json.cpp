// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/json_fields.h"
#include "userspace/admin/status_fields.h"
#include "userspace/admin/status_report.h"

namespace ambbpf {

std::string to_json(const StatusReport& report) {
  return json_of(report, [&report](JsonWriter& out) {
    out.Key("degraded");
    out.Bool(is_degraded(report));
    out.Key("troubles");
    write_value(out, troubles(report));
  });
}

Result<StatusReport> status_report_from_json(std::string_view json) {
  return from_json<StatusReport>(json, "status report");
}

}  // namespace ambbpf
