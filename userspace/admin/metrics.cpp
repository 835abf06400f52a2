// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/metrics.h"

#include <prometheus/text_serializer.h>

#include <array>
#include <functional>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "userspace/admin/metric_rows.h"
#include "userspace/support/utf8.h"

namespace ambbpf {
namespace {

// A part of the report, and the labels of its samples.
template <class Part>
struct Labelled {
  MetricLabels labels;
  Part part;
};
template <class Part>
using Labelleds = std::vector<Labelled<std::reference_wrapper<const Part>>>;

// Families become text one after another: most of what one takes is the labels of its samples, and
// the next one has its memory.
class Text {
 public:
  // `bytes`: as many as there will be, or nearly so. It grows, which takes time.
  explicit Text(std::size_t bytes = 0) : out_(room(bytes), std::ios::out) {}

  // Before its samples.
  void begin(const char* name, const char* help, prometheus::MetricType type) {
    end();
    family().name = name;
    family().help = help;
    family().type = type;
  }
  const std::string& family_name() const { return families_.front().name; }
  void expect(std::size_t more_samples) { family().metric.reserve(samples_ + more_samples); }
  // To be filled in: it may have been another family's.
  prometheus::ClientMetric& sample() {
    if (samples_ == family().metric.size()) family().metric.emplace_back();
    return family().metric[samples_++];
  }
  std::string take() {
    end();
    return std::move(out_).str();
  }

 private:
  static std::string room(std::size_t bytes) {
    std::string empty;
    empty.reserve(bytes);
    return empty;
  }
  prometheus::MetricFamily& family() { return families_.front(); }
  void end() {
    family().metric.resize(std::exchange(samples_, 0));
    if (!family().metric.empty()) prometheus::TextSerializer().Serialize(out_, families_);
  }

  std::ostringstream out_;
  std::vector<prometheus::MetricFamily> families_{1};
  std::size_t samples_ = 0;
};

// The labels of each part as the serializer writes them: service="web",endpoint="10.0.0.1:80".
std::vector<std::string> written_labels(const auto& parts) {
  Text text;
  text.begin("", "", prometheus::MetricType::Gauge);
  text.expect(parts.size());
  for (const auto& part : parts) text.sample().label = part.labels;
  std::istringstream lines(text.take());
  std::string line;
  std::getline(lines, line);  // its type
  std::vector<std::string> made;
  while (std::getline(lines, line)) {
    const auto end = line.rfind('}');
    made.push_back(end == line.npos ? "" : line.substr(1, end - 1));
  }
  return made;
}

// The serializer writes a value letter by letter, which takes longer than all the rest, and a name
// at once: so what stands before the last label has been written already and is part of its name.
struct Before {
  void set(MetricLabels& labels, const MetricLabels::value_type& last) const {
    labels.resize(1);
    auto& [name, value] = labels.front();
    name.clear();
    for (const auto* part : {&of_part, &of_row})
      if (!part->empty()) name.append(*part).append(1, ',');
    name += last.name;
    value = last.value;
  }
  const std::string& of_part;
  const std::string& of_row;
};

void add(const auto& row, const auto& parts, const std::vector<std::string>& labels_of_parts,
         Text& text) {
  if (text.family_name() != row.name) text.begin(row.name, row.help, row.type);
  text.expect(parts.size());
  std::string before_last;
  if (row.labels.size() > 1) {
    const MetricLabels but_last(row.labels.begin(), row.labels.end() - 1);
    before_last = written_labels(std::array{Labelled<int>{but_last, 0}}).front();
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto value = row.value(parts[i].part);
    if (!value) continue;
    auto& sample = text.sample();
    if (row.labels.empty())
      sample.label = parts[i].labels;
    else
      Before{labels_of_parts[i], before_last}.set(sample.label, row.labels.back());
    sample.counter.value = sample.gauge.value = *value;  // of these, the one of the type is written
  }
}

void add_all(const auto& rows, const auto& parts, Text& text) {
  const auto labels_of_parts = written_labels(parts);
  for (const auto& row : rows) add(row, parts, labels_of_parts, text);
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
                   StatusReport::Histogram Part::*member, Text& text) {
  text.begin(name, help, prometheus::MetricType::Histogram);
  for (const auto& [labels, part] : parts) {
    const auto& counts = part.get().*member;
    if (counts.in_buckets.empty()) continue;  // nobody keeps it
    auto& sample = text.sample();
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
      endpoints.push_back({{labels.front(), {"endpoint", endpoint.address}},
                           {endpoint, !service.get().direct.empty()}});
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

void add_build_info(const StatusReport& report, Text& text) {
  text.begin("ambbpf_build_info",
             "Always 1: the version that runs, and the engine that it has chosen.",
             prometheus::MetricType::Gauge);
  auto& sample = text.sample();
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
  const auto endpoints = detail == Detail::kEndpoints ? endpoints_of(services)
                                                      : std::vector<Labelled<MetricEndpoint>>();

  constexpr std::size_t kBytesOfEndpoint = 640;
  Text text(endpoints.size() * kBytesOfEndpoint);
  add_build_info(report, text);
  add_all(rows_of_process(), process, text);
  add_all(rows_of_services(), services, text);
  add_histogram("ambbpf_service_connect_duration_seconds",
                "How long connects to endpoints took that answered.", services,
                &StatusReport::Service::connect_times, text);
  add_histogram(
      "ambbpf_first_byte_seconds",
      "From when a backend was connected until user space had its first byte. Not of "
      "connections that were in the kernel by then (engine sockmap, mostly from 0.5 s on).",
      services, &StatusReport::Service::first_bytes, text);
  add_histogram("ambbpf_service_connection_duration_seconds",
                "How long proxied connections were open, counted when they end.", services,
                &StatusReport::Service::lives, text);
  add_all(rows_of_endpoints(), endpoints, text);
  add_all(rows_of_sources(), sources, text);
  add_histogram("ambbpf_source_propagation_seconds",
                "From when a change was heard from etcd until it counted for new connections.",
                sources, &StatusReport::Source::propagation, text);
  add_all(rows_of_registrars(), registrars_of(report), text);
  return text.take();
}

}  // namespace ambbpf
