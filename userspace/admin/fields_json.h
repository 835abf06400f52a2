// SPDX-License-Identifier: Apache-2.0
// From objects to JSON and back, by the lists of their fields: each_field() of every type.
#pragma once

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "userspace/support/json.h"
#include "userspace/support/result.h"
#include "userspace/support/utf8.h"

namespace ambbpf::fields {

// Writes ASCII only: what is beyond it as \uNNNN, which no terminal obeys.
using Writer = rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::ASCII<>>;

inline void write(Writer& out, bool value) { out.Bool(value); }
inline void write(Writer& out, std::uint64_t value) { out.Uint64(value); }

inline void write(Writer& out, const std::string& value) {
  const auto text = valid_utf8(value);  // the writer would stop at anything else
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

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
std::string to_json(const T& object, More more) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  write_fields(out, object);
  more(out);
  out.EndObject();
  return escape_del({buffer.GetString(), buffer.GetSize()});
}
template <class T>
std::string to_json(const T& object) {
  return to_json(object, [](Writer&) {});
}

// Fields that are unknown are skipped, and missing ones (or null) keep their defaults. Fails for
// what is no JSON object and for a field of another type, which it names. `what` it is to be.
template <class T>
Result<T> from_json(std::string_view json, std::string_view what) {
  const auto document = parse_json(json);
  if (!document) return fail(fmt::format("{}: no JSON", what));
  T object;
  Reader reader;
  reader.read(*document, "", object);
  if (reader.complaint()) return fail(fmt::format("{}: {}", what, *reader.complaint()));
  return object;
}

}  // namespace ambbpf::fields
