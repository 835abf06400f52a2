// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/fields_json.h"
#include "userspace/admin/status_fields.h"
#include "userspace/admin/status_report.h"

namespace ambbpf {

std::string to_json(const StatusReport& report) {
  return fields::to_json(report, [&report](fields::Writer& out) {
    out.Key("degraded");
    out.Bool(is_degraded(report));
    out.Key("troubles");
    fields::write(out, troubles(report));
  });
}

Result<StatusReport> status_report_from_json(std::string_view json) {
  return fields::from_json<StatusReport>(json, "status report");
}

}  // namespace ambbpf
