// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/metrics.h"

#include <prometheus/text_serializer.h>

#include <functional>
#include <set>
#include <string_view>
#include <utility>

#include "userspace/admin/metric_rows.h"
#include "userspace/support/utf8.h"

namespace ambbpf {
namespace {

using Families = std::vector<prometheus::MetricFamily>;

// A part of the report, and the labels of its samples.
template <class Part>
struct Labelled {
  MetricLabels labels;
  Part part;
};
template <class Part>
using Labelleds = std::vector<Labelled<std::reference_wrapper<const Part>>>;

void add(const auto& row, const auto& parts, Families& families) {
  if (families.empty() || families.back().name != row.name)
    families.push_back({.name = row.name, .help = row.help, .type = row.type, .metric = {}});
  auto& samples = families.back().metric;
  for (const auto& [labels, part] : parts) {
    const auto value = row.value(part);
    if (!value) continue;
    auto& sample = samples.emplace_back();
    sample.label = labels;
    sample.label.insert(sample.label.end(), row.labels.begin(), row.labels.end());
    (row.type == prometheus::MetricType::Counter ? sample.counter.value : sample.gauge.value) =
        *value;
  }
}

void add_all(const auto& rows, const auto& parts, Families& families) {
  for (const auto& row : rows) add(row, parts, families);
}

constexpr double kMicrosecondsASecond = 1e6;

prometheus::ClientMetric::Histogram cumulative(const StatusReport::Histogram& counts) {
  prometheus::ClientMetric::Histogram histogram;
  for (const auto in_bucket : counts.in_buckets) {
    const auto index = histogram.bucket.size();
    histogram.sample_count += in_bucket;
    if (index == counts.bounds_us.size()) break;  // beyond all bounds: the serializer adds it
    histogram.bucket.push_back(
        {.cumulative_count = histogram.sample_count,
         .upper_bound = static_cast<double>(counts.bounds_us[index]) / kMicrosecondsASecond});
  }
  histogram.sample_sum = static_cast<double>(counts.sum_us) / kMicrosecondsASecond;
  return histogram;
}

template <class Part>
void add_histogram(const char* name, const char* help, const Labelleds<Part>& parts,
                   StatusReport::Histogram Part::*member, Families& families) {
  auto& family = families.emplace_back();
  family.name = name;
  family.help = help;
  family.type = prometheus::MetricType::Histogram;
  for (const auto& [labels, part] : parts) {
    const auto& counts = part.get().*member;
    if (counts.in_buckets.empty()) continue;  // nobody keeps it
    auto& sample = family.metric.emplace_back();
    sample.label = labels;
    sample.histogram = cumulative(counts);
  }
}

// Each name once, as a metric has to: one that is removed may have the name of one that is served.
Labelleds<StatusReport::Service> services_of(const StatusReport& report) {
  Labelleds<StatusReport::Service> services;
  for (const auto& service : report.services)
    if (!service.removed)
      services.push_back({{{"service", valid_utf8(service.name)}}, std::cref(service)});
  return services;
}

std::vector<Labelled<MetricEndpoint>> endpoints_of(
    const Labelleds<StatusReport::Service>& services) {
  std::vector<Labelled<MetricEndpoint>> endpoints;
  for (const auto& [labels, service] : services)
    for (const auto& endpoint : service.get().endpoints) {
      endpoints.push_back({labels, {endpoint, !service.get().direct.empty()}});
      endpoints.back().labels.push_back({"endpoint", endpoint.address});
    }
  return endpoints;
}

Labelleds<StatusReport::Source> sources_of(const Labelleds<StatusReport::Service>& services) {
  Labelleds<StatusReport::Source> sources;
  for (const auto& [labels, service] : services) {
    std::set<std::pair<std::string_view, std::string_view>> known;  // one may be named twice
    for (const auto& source : service.get().sources) {
      if (source.replaced || !known.emplace(source.name, source.kind).second) continue;
      sources.push_back({labels, std::cref(source)});
      sources.back().labels.push_back({"source", valid_utf8(source.name)});
      sources.back().labels.push_back({"kind", source.kind});
    }
  }
  return sources;
}

Labelleds<StatusReport::Registrar> registrars_of(const StatusReport& report) {
  Labelleds<StatusReport::Registrar> registrars;
  for (const auto& registrar : report.registrars)
    registrars.push_back({{{"registrar", valid_utf8(registrar.name)}}, std::cref(registrar)});
  return registrars;
}

void add_build_info(const StatusReport& report, Families& families) {
  auto& family = families.emplace_back();
  family.name = "ambbpf_build_info";
  family.help = "Always 1: the version that runs, and the engine that it has chosen.";
  family.type = prometheus::MetricType::Gauge;
  auto& sample = family.metric.emplace_back();
  sample.label = {{"version", report.version},
                  {"commit", report.commit},
                  {"verb", report.verb},
                  {"engine", report.engine}};
  sample.gauge.value = 1;
}

}  // namespace

std::string to_metrics(const StatusReport& report, Detail detail) {
  const Labelleds<StatusReport> process{{{}, std::cref(report)}};
  const auto services = services_of(report);
  const auto sources = sources_of(services);

  Families families;
  add_build_info(report, families);
  add_all(rows_of_process(), process, families);
  add_all(rows_of_services(), services, families);
  add_histogram("ambbpf_service_connect_duration_seconds",
                "How long connects to endpoints took that answered.", services,
                &StatusReport::Service::connect_times, families);
  add_histogram(
      "ambbpf_first_byte_seconds",
      "From when a backend was connected until user space had its first byte. Not of "
      "connections that were in the kernel by then (engine sockmap, mostly from 0.5 s on).",
      services, &StatusReport::Service::first_bytes, families);
  add_histogram("ambbpf_service_connection_duration_seconds",
                "How long proxied connections were open, counted when they end.", services,
                &StatusReport::Service::lives, families);
  if (detail == Detail::kEndpoints) add_all(rows_of_endpoints(), endpoints_of(services), families);
  add_all(rows_of_sources(), sources, families);
  add_histogram("ambbpf_source_propagation_seconds",
                "From when a change was heard from etcd until it counted for new connections.",
                sources, &StatusReport::Source::propagation, families);
  add_all(rows_of_registrars(), registrars_of(report), families);
  std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace ambbpf
