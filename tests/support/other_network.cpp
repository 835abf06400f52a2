// SPDX-License-Identifier: Apache-2.0
#include "tests/support/other_network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace ambbpf::test {
namespace {

void run_here(const std::string& command) { must(std::system(command.c_str()) == 0, command); }

}  // namespace

OtherNetwork::OtherNetwork(const std::string& here, const std::string& there) {
  std::array<int, 2> ready{};
  must(::pipe2(ready.data(), O_CLOEXEC) == 0, "pipe2");
  const UniqueFd from_holder(ready[0]);
  UniqueFd to_parent(ready[1]);
  holder_ = ::fork();
  must(holder_ >= 0, "fork");
  if (holder_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(1);
    if (::write(to_parent.get(), "r", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  to_parent = UniqueFd();
  char byte = 0;
  must(::read(from_holder.get(), &byte, 1) == 1, "unshare the network of a child");
  run_here(fmt::format("ip link add name here0 type veth peer name there0 netns {}", holder_));
  run_here(fmt::format("ip address add {}/24 dev here0 && ip link set here0 up", here));
  run("ip link set lo up");
  run(fmt::format("ip address add {}/24 dev there0 && ip link set there0 up", there));
}

OtherNetwork::~OtherNetwork() {
  ::kill(holder_, SIGKILL);
  ::waitpid(holder_, nullptr, 0);
  [[maybe_unused]] const int gone = std::system("ip link delete here0 2>/dev/null");
}

void OtherNetwork::run(const std::string& command) const {
  run_here(fmt::format("nsenter --net=/proc/{}/ns/net sh -c '{}'", holder_, command));
}

void OtherNetwork::enter() const {
  const auto path = fmt::format("/proc/{}/ns/net", holder_);
  const UniqueFd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  must(there && ::setns(there.get(), CLONE_NEWNET) == 0, "enter " + path);
}

}  // namespace ambbpf::test
