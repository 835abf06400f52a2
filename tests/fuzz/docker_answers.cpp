// SPDX-License-Identifier: Apache-2.0
// Answers and events of a Docker Engine, down to the services that a container provides.
#include <string>

#include "tests/fuzz/require.h"
#include "userspace/docker/decode.h"
#include "userspace/docker/decode_container.h"
#include "userspace/docker/known_containers.h"
#include "userspace/docker/labels.h"
#include "userspace/docker/signal.h"
#include "userspace/support/json_splitter.h"
#include "userspace/support/log.h"

namespace ambbpf::fuzz {
namespace {

template <class T>
bool succeeded(const Result<T>& result) {
  require(result || is_plain(result.error().message()), "a plain error");
  return result.has_value();
}

void services(const Container& container) {
  const auto provided = services_of(container);
  for (const auto& complaint : provided.complaints) require(is_plain(complaint), "plain complaint");
  for (const auto& service : provided.services) {
    require(service.port != 0, "a service has a port");
    const auto path = "/" + service.service + "/";
    for (const auto* never : {"//", "/_", "/./", "/../", "\n"})
      require(path.find(never) == path.npos, "a service's name is a directory's");
    for (const std::string_view never : {"host", "port", "ip", ""})
      for (const auto& [name, value] : service.attributes)
        require(name != never, "no attribute hides the address");
  }
}

void container(std::string_view body) {
  const auto decoded = decode_docker_container(body);
  if (!succeeded(decoded)) return;
  require(is_container_id(decoded->id), "an id can stand in a path");
  require(decoded->started_at >= 0, "no start before 1970");
  require(signal_number(std::to_string(decoded->stop_signal)) == decoded->stop_signal, "a signal");
  for (const auto& [port, bindings] : decoded->ports) {
    require(port != 0, "a port");
    for (const auto& binding : bindings) require(binding.host_port != 0, "a port of the host");
  }
  services(*decoded);
}

// Any text as the value of each label and variable.
void labels(std::string_view text) {
  if (text.size() > 256) return;  // longer ones only take longer
  const std::string value(text);
  for (const auto* name : {"ambbpf.service", "SERVICE_NAME", "SERVICE_80_NAME", "SERVICE_TAGS"}) {
    Container one;
    one.ports = {{80, {}}};
    one.labels[name] = value;
    services(one);
    one.labels = {{"SERVICE_NAME", "web"}};
    one.environment[name] = value;
    one.environment["SERVICE_" + value] = "x";
    services(one);
    one.labels = {{"ambbpf.service", "web"}, {"ambbpf.tag." + value, "x"}};
    services(one);
  }
}

void events(std::string_view stream) {
  constexpr std::size_t kLongest = 4096;
  JsonSplitter whole(kLongest);
  JsonSplitter in_bytes(kLongest);
  std::vector<std::string> of_bytes;
  bool good = true;
  for (std::size_t i = 0; i < stream.size() && good; ++i) {
    const auto some = in_bytes.take(stream.substr(i, 1));
    good = some.has_value();
    if (good) of_bytes.insert(of_bytes.end(), some->begin(), some->end());
  }
  const auto objects = whole.take(stream);
  require(succeeded(objects) == good, "pieces make no difference");
  require(!objects || *objects == of_bytes, "pieces make no difference to the objects");
  KnownContainers known(std::chrono::seconds(1));
  for (const auto& object : of_bytes) {
    require(object.size() <= kLongest, "no object is too long");
    const auto event = decode_docker_event(object);
    if (!succeeded(event) || event->kind == DockerEvent::Kind::kOther) continue;
    require(is_container_id(event->id) && event->time_nano >= 0, "an event is of a container");
    known.heard(*event, Clock::time_point{});
  }
}

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  ambbpf::log::set_up("error");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = ambbpf::fuzz::as_text(data, size);
  ambbpf::fuzz::container(input);
  ambbpf::fuzz::labels(input);
  ambbpf::fuzz::events(input);
  ambbpf::fuzz::succeeded(ambbpf::decode_docker_version(input));
  ambbpf::fuzz::succeeded(ambbpf::decode_docker_host_name(input));
  ambbpf::fuzz::require(ambbpf::fuzz::is_plain(ambbpf::decode_docker_error(input)), "plain error");
  ambbpf::decode_docker_other_version(input);
  const auto ids = ambbpf::decode_docker_list(input);
  if (ambbpf::fuzz::succeeded(ids))
    for (const auto& id : *ids)
      ambbpf::fuzz::require(ambbpf::is_container_id(id), "an id can stand in a path");
  return 0;
}
