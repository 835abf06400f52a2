// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v3_encode.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "userspace/etcd/base64.h"

namespace ambbpf {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

template <class Fields>
void add_object(Writer& out, Fields add_fields) {
  out.StartObject();
  add_fields();
  out.EndObject();
}

template <class Fields>
std::string body_of(Fields add_fields) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  add_object(out, [&] { add_fields(out); });
  return {buffer.GetString(), buffer.GetSize()};
}

void add(Writer& out, const char* name, std::string_view text) {
  out.Key(name);
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void add(Writer& out, const char* name, std::uint64_t number) {
  add(out, name, std::to_string(number));
}

void add_key(Writer& out, std::string_view key) { add(out, "key", base64_encode(key)); }

// All keys below `directory`, or those from one on: '0' is the character after '/'.
void add_range(Writer& out, std::string_view directory, std::string_view from = {}) {
  const std::string path(directory);
  add_key(out, from.empty() ? path + '/' : std::string(from));
  add(out, "range_end", base64_encode(path + '0'));
}

// What a transaction does where its condition holds ("success"), or where it does not ("failure").
template <class Operations>
void add_branch(Writer& out, const char* when, Operations add_operations) {
  out.Key(when);
  out.StartArray();
  add_operations();
  out.EndArray();
}

template <class Fields>
void add_operation(Writer& out, const char* kind, Fields add_fields) {
  add_object(out, [&] {
    out.Key(kind);
    add_object(out, add_fields);
  });
}

void add_read(Writer& out, std::string_view key) {
  add_operation(out, "request_range", [&] { add_key(out, key); });
}

void add_read_otherwise(Writer& out, std::string_view key) {
  add_branch(out, "failure", [&] { add_read(out, key); });
}

// That the revision `name` of the key is this one.
void add_condition(Writer& out, std::string_view key, const char* target, const char* name,
                   std::uint64_t revision) {
  out.Key("compare");
  out.StartArray();
  add_object(out, [&] {
    add_key(out, key);
    add(out, "target", target);
    add(out, "result", "EQUAL");
    add(out, name, revision);
  });
  out.EndArray();
}

}  // namespace

std::string encode_v3_range(const EtcdV3Range& range) {
  return body_of([&](Writer& out) {
    add_range(out, range.directory, range.from);
    if (range.limit > 0) add(out, "limit", range.limit);
    if (range.revision > 0) add(out, "revision", range.revision);
  });
}

std::string encode_v3_watch(std::string_view directory, std::uint64_t start_revision) {
  return body_of([&](Writer& out) {
    out.Key("create_request");
    add_object(out, [&] {
      add_range(out, directory);
      add(out, "start_revision", start_revision);
      out.Key("progress_notify");
      out.Bool(true);
    });
  });
}

std::string encode_v3_authenticate(const EtcdUser& user) {
  return body_of([&](Writer& out) {
    add(out, "name", user.name);
    add(out, "password", user.password);
  });
}

std::string encode_v3_grant(std::chrono::seconds ttl) {
  return body_of([&](Writer& out) { add(out, "TTL", static_cast<std::uint64_t>(ttl.count())); });
}

std::string encode_v3_lease(std::uint64_t id) {
  return body_of([&](Writer& out) { add(out, "ID", id); });
}

std::string encode_v3_put(std::string_view key, std::string_view value, std::uint64_t lease,
                          bool only_if_none) {
  return body_of([&](Writer& out) {
    if (only_if_none) add_condition(out, key, "CREATE", "create_revision", 0);
    add_branch(out, "success", [&] {
      add_operation(out, "request_put", [&] {
        add_key(out, key);
        add(out, "value", base64_encode(value));
        add(out, "lease", lease);
      });
    });
    if (only_if_none) add_read_otherwise(out, key);
  });
}

std::string encode_v3_remove(std::string_view key, std::uint64_t index) {
  return body_of([&](Writer& out) {
    add_condition(out, key, "MOD", "mod_revision", index);
    add_branch(out, "success",
               [&] { add_operation(out, "request_delete_range", [&] { add_key(out, key); }); });
    add_read_otherwise(out, key);
  });
}

std::string encode_v3_read(const std::vector<std::string>& keys) {
  return body_of([&](Writer& out) {
    add_branch(out, "success", [&] {
      for (const auto& key : keys) add_read(out, key);
    });
  });
}

}  // namespace ambbpf
