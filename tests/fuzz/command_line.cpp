// SPDX-License-Identifier: Apache-2.0
// Command lines and environments: each line of the input is a word, or a NAME=VALUE of ours.
#include "userspace/config/command_line.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/fuzz/require.h"
#include "tests/fuzz/sane_settings.h"

namespace ambbpf::fuzz {
namespace {

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
  void operator()(const ProxyOptions& options) const { require_sane(options.settings); }
  void operator()(const ForwardOptions& options) const { require_sane(options.settings); }
  void operator()(const RegisterOptions& options) const { require_sane(options.settings); }
  void operator()(const StatusOptions& options) const {
    require(!options.watch || options.watch->count() > 0, "time between looks");
  }
  void operator()(const ConnectionsOptions& options) const {
    require(options.limit <= 10'000, "a limit within bounds");
    require(options.sort == "bytes" || options.sort == "age" || options.sort == "rate", "a sort");
  }
  void operator()(const Printed& printed) const { require(!printed.text.empty(), "a text"); }
  void operator()(const auto& /*without settings*/) const {}
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
