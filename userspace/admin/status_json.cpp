// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "userspace/admin/status_fields.h"
#include "userspace/admin/status_report.h"
#include "userspace/support/json.h"
#include "userspace/support/json_writer.h"

namespace ambbpf {
namespace {

using Writer = JsonWriter;

void write(Writer& out, bool value) { out.Bool(value); }
void write(Writer& out, std::uint64_t value) { out.Uint64(value); }

void write(Writer& out, const std::string& value) { write_text(out, value); }

template <class T>
void write(Writer& out, const T& object);
template <class T>
void write(Writer& out, const std::vector<T>& values);

template <class T>
void write_fields(Writer& out, const T& object) {
  each_field(object, [&out](const char* name, const auto& value) {
    if constexpr (std::is_same_v<decltype(value), const std::optional<std::uint64_t>&>) {
      if (!value) return;
      out.Key(name);
      write(out, *value);
    } else {
      out.Key(name);
      write(out, value);
    }
  });
}

template <class T>
void write(Writer& out, const T& object) {
  out.StartObject();
  write_fields(out, object);
  out.EndObject();
}

template <class T>
void write(Writer& out, const std::vector<T>& values) {
  out.StartArray();
  for (const auto& value : values) write(out, value);
  out.EndArray();
}

// Fills a report; remembers the first field that is not what it should be.
class Reader {
 public:
  template <class T>
  void read(const JsonValue& value, const std::string& where, T& object) {
    if (!value.IsObject()) return wrong(where, "an object");
    each_field(object, [&](const char* name, auto& member) {
      const auto* field = field_at(value, name);
      if (field && !field->IsNull())
        read(*field, where.empty() ? name : fmt::format("{}.{}", where, name), member);
    });
  }

  const std::optional<std::string>& complaint() const { return complaint_; }

 private:
  void read(const JsonValue& value, const std::string& where, std::string& out) {
    if (const auto text = as_string(value))
      out = *text;
    else
      wrong(where, "a string");
  }

  void read(const JsonValue& value, const std::string& where, std::uint64_t& out) {
    if (const auto number = as_uint(value))
      out = *number;
    else
      wrong(where, "a whole number from 0");
  }

  void read(const JsonValue& value, const std::string& where, std::optional<std::uint64_t>& out) {
    read(value, where, out.emplace());
  }

  void read(const JsonValue& value, const std::string& where, bool& out) {
    if (!value.IsBool()) return wrong(where, "true or false");
    out = value.IsTrue();
  }

  template <class T>
  void read(const JsonValue& value, const std::string& where, std::vector<T>& out) {
    if (!value.IsArray()) return wrong(where, "an array");
    for (const auto& element : value.GetArray()) {
      const auto which = fmt::format("{}[{}]", where, out.size());
      read(element, which, out.emplace_back());
    }
  }

  void wrong(const std::string& where, std::string_view wanted) {
    if (!complaint_)
      complaint_ = fmt::format("{} is not {}", where.empty() ? "the whole" : where, wanted);
  }

  std::optional<std::string> complaint_;
};

// RapidJSON's writer leaves the control character DEL as it is; it can only stand inside a string.
std::string escape_del(std::string_view json) {
  std::string out;
  for (const char c : json)
    if (c == '\x7f')
      out += "\\u007f";
    else
      out += c;
  return out;
}

}  // namespace

std::string to_json(const StatusReport& report) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  write_fields(out, report);
  out.Key("degraded");
  out.Bool(is_degraded(report));
  out.Key("troubles");
  write(out, troubles(report));
  out.EndObject();
  return escape_del({buffer.GetString(), buffer.GetSize()});
}

Result<StatusReport> status_report_from_json(std::string_view json) {
  const auto document = parse_json(json);
  if (!document) return fail("status report: no JSON");
  StatusReport report;
  Reader reader;
  reader.read(*document, "", report);
  if (reader.complaint()) return fail("status report: " + *reader.complaint());
  return report;
}

}  // namespace ambbpf
