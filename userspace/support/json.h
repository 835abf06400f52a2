// SPDX-License-Identifier: Apache-2.0
// Reading JSON that others wrote. RapidJSON's getters assert on the wrong type, so only the
// functions here call them: each answers nothing where the field is missing or of another type.
#pragma once

#include <rapidjson/document.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ambbpf {

using JsonValue = rapidjson::Value;
using JsonDocument = rapidjson::Document;

// The text must be one whole JSON value. The parser does not recurse, so depth costs no stack.
inline std::optional<JsonDocument> parse_json(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;  // RapidJSON stops at it
  JsonDocument document;
  document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (document.HasParseError()) return std::nullopt;
  return document;
}

// The field `name` of an object; null if there is none or `value` is no object.
inline const JsonValue* field_at(const JsonValue& value, const char* name) {
  if (!value.IsObject()) return nullptr;
  const auto field = value.FindMember(name);
  return field == value.MemberEnd() ? nullptr : &field->value;
}

inline std::optional<std::string_view> as_string(const JsonValue& value) {
  if (!value.IsString()) return std::nullopt;
  return std::string_view(value.GetString(), value.GetStringLength());
}

// An integer; also one in a string, as proto3 writes those of 64 bits ("revision":"2").
inline std::optional<std::uint64_t> as_uint(const JsonValue& value) {
  if (value.IsUint64()) return value.GetUint64();
  const auto text = as_string(value);
  if (!text) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

inline std::optional<std::string_view> string_at(const JsonValue& value, const char* name) {
  const auto* field = field_at(value, name);
  return field ? as_string(*field) : std::nullopt;
}

inline std::optional<std::uint64_t> uint_at(const JsonValue& value, const char* name) {
  const auto* field = field_at(value, name);
  return field ? as_uint(*field) : std::nullopt;
}

// False also where the field is missing, as proto3 leaves it out then.
inline bool true_at(const JsonValue& value, const char* name) {
  const auto* field = field_at(value, name);
  return field && field->IsTrue();
}

inline const JsonValue* object_at(const JsonValue& value, const char* name) {
  const auto* field = field_at(value, name);
  return field && field->IsObject() ? field : nullptr;
}

inline const JsonValue* array_at(const JsonValue& value, const char* name) {
  const auto* field = field_at(value, name);
  return field && field->IsArray() ? field : nullptr;
}

}  // namespace ambbpf
