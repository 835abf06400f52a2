// SPDX-License-Identifier: Apache-2.0
// Command lines and environments: each line of the input is a word, or a NAME=VALUE of ours.
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/fuzz/require.h"
#include "userspace/cli/options.h"

namespace ambbpf::fuzz {
namespace {

using namespace std::chrono_literals;

class Environment {
 public:
  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (const auto& name : set_) ::unsetenv(name.c_str());
  }

  bool take(const std::string& word) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) return false;
    if (!word.starts_with("AMBBPF_") && !word.starts_with("FORWARD_ADDR=") &&
        !word.starts_with("ETCD_PORT_") && !word.starts_with("DOCKER_") &&
        !word.starts_with("COREOS_PRIVATE_IPV4="))
      return false;
    set_.push_back(word.substr(0, equals));
    ::setenv(set_.back().c_str(), word.c_str() + equals + 1, 1);
    return true;
  }

 private:
  std::vector<std::string> set_;
};

struct RequireSane {
  void operator()(const ProxyOptions& options) const {
    require(!options.routes.empty() && !options.etcd.options.urls.empty(), "something to serve");
    for (const auto& [service, listen] : options.routes)
      require(!service.empty() && listen.port() != 0, "a service and its port");
    require(options.etcd.options.prefix.empty() || options.etcd.options.prefix.starts_with('/'),
            "a prefix");
    (*this)(options.forwarding);
  }
  void operator()(const ForwardOptions& options) const {
    require(!options.target.host.empty() && options.target.port != 0, "a target");
    require(options.listen.port() != 0, "a port");
    (*this)(options.forwarding);
  }
  void operator()(const RegisterOptions& options) const {
    require(!options.etcd.options.urls.empty() && !options.docker.url.empty(), "two servers");
    require(options.ttl >= 1s && options.ttl <= 24h, "a TTL of at most a day");
    require(!options.advertise || !options.advertise->is_unspecified(), "an address of a machine");
    if (!options.only) return;
    const auto& [container, port, service, attributes] = *options.only;
    require(!container.empty() && container.find('/') == std::string::npos, "a container's name");
    require(port != 0 && !service.empty(), "its port and a service");
    const tcp::endpoint somewhere(asio::ip::address_v4::loopback(), port);
    const auto decoded = decode_endpoint_value(encode_endpoint_value(somewhere, attributes));
    require(decoded && decoded->address == somewhere, "a value that is read as it is written");
  }
  void operator()(const ForwardingOptions& options) const {
    require(options.threads >= 1 && options.threads <= 256, "a number of threads");
    require(options.dial.retries <= 100, "a number of retries");
    for (const auto span : {options.dial.connect_timeout, options.dial.hold, options.drain})
      require(span >= 0ms && span <= 24h, "a time of at most a day");
    require(options.dial.connect_timeout > 0ms, "a time to connect in");
    require(options.keepalive.longest >= 5s && options.keepalive.longest <= 5min,
            "a keepalive policy that the keepalives can keep to");
  }
  void operator()(const StatusOptions&) const {}
  void operator()(const DoctorOptions&) const {}
  void operator()(const Printed& printed) const { require(!printed.text.empty(), "a text"); }
};

}  // namespace
}  // namespace ambbpf::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ambbpf;
  const auto input = fuzz::as_text(data, size);
  const std::string text(input.substr(0, input.find('\0')));  // no NUL is in either
  fuzz::Environment environment;
  std::vector<std::string> words{"ambbpf"};
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    auto word = text.substr(at, end - at);
    if (!environment.take(word)) words.push_back(std::move(word));
    at = end + 1;
  }
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  const auto command = parse_command_line(static_cast<int>(argv.size()), argv.data());
  if (command)
    std::visit(fuzz::RequireSane{}, *command);
  else
    fuzz::require(fuzz::is_plain(command.error().message()), "the error is one plain line");
  return 0;
}
