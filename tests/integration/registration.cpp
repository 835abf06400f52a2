// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/registration.h"

#include <sstream>

namespace ambbpf::test {

Words Registration::registering(const Words& words) const {
  return Words{"register"} + words + Words{"--docker",   engine.url(), "--etcd",  etcd.url(),
                                           "--etcd-api", api(),        "--admin", new_admin()};
}

Words Registration::proxy(const std::string& service, const tcp::endpoint& front,
                          const Words& words) const {
  return Words{"proxy",   service,    std::to_string(front.port()), "--listen", kAddress,
               "--admin", new_admin()} +
         words;
}

std::string Registration::new_admin() const {
  ++programs_;
  return admin();
}

std::string Registration::admin() const {
  return place.path() / ("admin" + std::to_string(programs_));
}

void Registration::run_container(const std::string& name, const Words& flags) const {
  engine.must(Words{"run", "--detach", "--name", name} + flags + Words{DockerEngine::kImage});
}

std::string Registration::published(const std::string& container, const std::string& port,
                                    const std::string& address) const {
  // "0.0.0.0:32768", ":::32768"
  std::istringstream lines(engine.must({"port", container, port + "/tcp"}));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(address + ":")) return line.substr(address.size() + 1);
  throw std::runtime_error(container + " has no port at " + address);
}

std::string Registration::inspect(const std::string& container, const std::string& field) const {
  return engine.must({"inspect", "--format", "{{" + field + "}}", container});
}

std::string Registration::value_of(const std::string& container, const std::string& more,
                                   const std::string& host) const {
  return R"({"port":)" + published(container) + R"(,"host":")" + host + '"' + more + '}';
}

std::map<std::string, std::string> Registration::keys() const {
  return api() == "v2" ? etcd.tree_v2("/services") : etcd.tree_v3("/services");
}

std::string Registration::value(const std::string& key) const {
  const auto all = keys();
  const auto found = all.find(key);
  return found == all.end() ? "" : found->second;
}

bool Registration::becomes(const std::string& key, const std::string& wanted) const {
  return eventually([&] { return value(key) == wanted; });
}

bool Registration::stays(const std::string& key, const std::string& wanted,
                         const std::function<bool()>& end) const {
  bool as_wanted = true;
  return eventually([&] {
           as_wanted = value(key) == wanted;
           return !as_wanted || end();
         }) &&
         as_wanted;
}

std::string fetch(const std::string& port) { return call("GET", "http://127.0.0.1:" + port).body; }

std::function<bool()> after(std::chrono::milliseconds span) {
  const auto end = std::chrono::steady_clock::now() + span;
  return [end] { return std::chrono::steady_clock::now() > end; };
}

}  // namespace ambbpf::test
