// SPDX-License-Identifier: Apache-2.0
// JSON of objects that have an each_field(), and back.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "userspace/support/json.h"
#include "userspace/support/json_writer.h"
#include "userspace/support/result.h"

namespace ambbpf {

// T or const T: the writer visits a const object, the reader one to fill.
template <class Given, class T>
concept Either = std::same_as<std::remove_const_t<Given>, T>;

inline void write_value(JsonWriter& out, bool value) { out.Bool(value); }
inline void write_value(JsonWriter& out, std::uint64_t value) { out.Uint64(value); }

inline void write_value(JsonWriter& out, const std::string& value) { write_text(out, value); }

template <class T>
void write_value(JsonWriter& out, const T& object);
template <class T>
void write_value(JsonWriter& out, const std::vector<T>& values);

template <class T>
void write_fields(JsonWriter& out, const T& object) {
  each_field(object, [&out](const char* name, const auto& value) {
    if constexpr (std::is_same_v<decltype(value), const std::optional<std::uint64_t>&>) {
      if (!value) return;
      out.Key(name);
      write_value(out, *value);
    } else {
      out.Key(name);
      write_value(out, value);
    }
  });
}

template <class T>
void write_value(JsonWriter& out, const T& object) {
  out.StartObject();
  write_fields(out, object);
  out.EndObject();
}

template <class T>
void write_value(JsonWriter& out, const std::vector<T>& values) {
  out.StartArray();
  for (const auto& value : values) write_value(out, value);
  out.EndArray();
}

// Fills an object; remembers the first field that is not what it should be.
class FieldReader {
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

// What the writer has written: it leaves the control character DEL as it is, which can only stand
// inside a string.
inline std::string escape_del(std::string_view json) {
  std::string out;
  for (const char c : json)
    if (c == '\x7f')
      out += "\\u007f";
    else
      out += c;
  return out;
}

// One object in ASCII, whose fields are the members under their names; an absent number is left
// out. Bytes that are no UTF-8 become U+FFFD. `more` writes further fields.
template <class T, class More>
std::string json_of(const T& object, More more) {
  rapidjson::StringBuffer buffer;
  JsonWriter out(buffer);
  out.StartObject();
  write_fields(out, object);
  more(out);
  out.EndObject();
  return escape_del({buffer.GetString(), buffer.GetSize()});
}
template <class T>
std::string json_of(const T& object) {
  return json_of(object, [](JsonWriter&) {});
}

// Fields that are unknown are skipped, and missing ones (or null) keep their defaults. Fails for
// what is no JSON object and for a field of another type, which it names. `what` it is to be.
template <class T>
Result<T> from_json(std::string_view json, std::string_view what) {
  const auto document = parse_json(json);
  if (!document) return fail(fmt::format("{}: no JSON", what));
  T object;
  FieldReader reader;
  reader.read(*document, "", object);
  if (reader.complaint()) return fail(fmt::format("{}: {}", what, *reader.complaint()));
  return object;
}

}  // namespace ambbpf
