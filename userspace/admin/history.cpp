// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/history.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace ambbpf {
namespace {

using Sample = History::Sample;

struct Column {
  const char* name;
  std::uint64_t Sample::*of;
};

constexpr Column kColumns[] = {
    {"connections_now", &Sample::connections_now},
    {"connections_total", &Sample::connections_total},
    {"direct_now", &Sample::direct_now},
    {"direct_total", &Sample::direct_total},
    {"kernel_bytes", &Sample::kernel_bytes},
    {"user_bytes", &Sample::user_bytes},
    {"direct_bytes", &Sample::direct_bytes},
};

Sample sample_of(const StatusReport& report, Clock::time_point now) {
  const auto& connections = report.connections;
  Sample sample;
  sample.at = now;
  sample.connections_now = connections.now;
  sample.connections_total = connections.total;
  sample.kernel_bytes = connections.to_backend.kernel_bytes + connections.to_client.kernel_bytes;
  sample.user_bytes = connections.to_backend.user_bytes + connections.to_client.user_bytes;
  for (const auto& service : report.services) {
    sample.direct_total += service.direct_connects;
    for (const auto& endpoint : service.endpoints) {
      sample.direct_now += endpoint.direct_now;
      sample.direct_bytes += endpoint.direct_bytes_to_backend + endpoint.direct_bytes_to_client;
    }
  }
  return sample;
}

void write_list(auto& out, const char* name, const std::deque<Sample>& samples, auto&& value_of) {
  out.Key(name);
  out.StartArray();
  for (const auto& sample : samples) out.Uint64(value_of(sample));
  out.EndArray();
}

}  // namespace

void History::add(const StatusReport& report, Clock::time_point now) {
  samples_.push_back(sample_of(report, now));
  if (samples_.size() > kMost) samples_.pop_front();
}

std::string History::to_json(Clock::time_point now) const {
  using std::chrono::milliseconds;
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
  out.StartObject();
  out.Key("every_ms");
  out.Uint64(milliseconds(kBetween).count());
  write_list(out, "age_ms", samples_, [now](const Sample& sample) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<milliseconds>(now - sample.at).count());
  });
  for (const auto& column : kColumns)
    write_list(out, column.name, samples_,
               [&column](const Sample& sample) { return sample.*column.of; });
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace ambbpf
