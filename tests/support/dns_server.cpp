// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dns_server.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/start_server.h"

namespace ambbpf::test {

DnsServer::DnsServer(int ttl, std::vector<std::string> options)
    : address_(free_address()), ttl_(ttl), options_(std::move(options)) {
  std::ofstream(place_.path() / "hosts").flush();
  start();
}

DnsServer::~DnsServer() { stop(); }

void DnsServer::hosts(const std::vector<std::string>& lines) {
  std::ofstream(place_.path() / "hosts") << fmt::format("{}\n", fmt::join(lines, "\n"));
  if (pid_ <= 0) return;
  const auto before = times_read();
  ::kill(pid_, SIGHUP);
  if (!eventually([&] { return times_read() > before; }))
    throw std::runtime_error("dnsmasq does not read its hosts: " + log());
}

void DnsServer::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void DnsServer::start(std::vector<std::string> options) {
  stop();
  options_ = std::move(options);
  start();
}

void DnsServer::start() {
  std::filesystem::remove(place_.path() / "log");
  std::vector<std::string> words{"/usr/sbin/dnsmasq",
                                 "--no-daemon",
                                 "--conf-file=/dev/null",
                                 "--no-resolv",
                                 "--no-hosts",
                                 "--bind-interfaces",
                                 "--local=/example/",
                                 "--listen-address=127.0.0.1"};
  words.push_back(fmt::format("--port={}", address_.port()));
  words.push_back(fmt::format("--local-ttl={}", ttl_));
  words.push_back("--addn-hosts=" + (place_.path() / "hosts").string());
  words.insert(words.end(), options_.begin(), options_.end());
  pid_ = start_server(words, place_.path() / "log");
  if (!eventually([this] { return log().find("started") != std::string::npos; }))
    throw std::runtime_error("dnsmasq: " + log());
}

// The hosts, since the start: it says "read FILE - N names".
std::size_t DnsServer::times_read() const {
  const auto said = log();
  std::size_t times = 0;
  for (auto at = said.find(": read "); at != said.npos; at = said.find(": read ", at + 1)) ++times;
  return times;
}

std::string DnsServer::log() const {
  std::ostringstream text;
  text << std::ifstream(place_.path() / "log").rdbuf();
  return text.str();
}

}  // namespace ambbpf::test
