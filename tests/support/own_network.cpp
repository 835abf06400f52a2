// SPDX-License-Identifier: Apache-2.0
#include "tests/support/own_network.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "tests/support/must.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::test {
namespace {

void set(const std::string& name, std::string_view value) {
  const auto path = "/proc/sys/net/ipv4/" + name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  must(
      file && ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size()),
      "write " + path);
}

void bring_up_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  must(::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0, "bring up loopback");
}

}  // namespace

void enter_own_network(const std::vector<std::pair<std::string, std::string>>& settings) {
  must(::unshare(CLONE_NEWNET) == 0, "unshare the network");
  bring_up_loopback();
  for (const auto& [name, value] : settings) set(name, value);
}

}  // namespace ambbpf::test
