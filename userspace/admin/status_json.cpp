// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/json_fields.h"
#include "userspace/admin/status_fields.h"
#include "userspace/admin/status_report.h"

namespace ambbpf {

std::string to_json(const StatusReport& report) {
  rapidjson::StringBuffer buffer;
  JsonWriter out(buffer);
  out.StartObject();
  write_fields(out, report);
  out.Key("degraded");
  out.Bool(is_degraded(report));
  out.Key("troubles");
  write_value(out, troubles(report));
  out.EndObject();
  return escape_del({buffer.GetString(), buffer.GetSize()});
}

Result<StatusReport> status_report_from_json(std::string_view json) {
  const auto document = parse_json(json);
  if (!document) return fail("status report: no JSON");
  StatusReport report;
  FieldReader reader;
  reader.read(*document, "", report);
  if (reader.complaint()) return fail("status report: " + *reader.complaint());
  return report;
}

}  // namespace ambbpf
