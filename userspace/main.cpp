// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "commit.h"
#include "userspace/cli/verbs.h"
#include "userspace/support/commit.h"

namespace {

struct Run {
  int operator()(const ambbpf::ProxyOptions& options) const { return run_proxy(options); }
  int operator()(const ambbpf::ForwardOptions& options) const { return run_forward(options); }
  int operator()(const ambbpf::RegisterOptions& options) const { return run_register(options); }
  int operator()(const ambbpf::RunOptions& options) const { return run_run(options); }
  int operator()(const ambbpf::CheckOptions& options) const { return run_check(options); }
  int operator()(const ambbpf::ReloadOptions& options) const { return run_reload(options); }
  int operator()(const ambbpf::DoctorOptions& options) const { return run_doctor(options); }
  int operator()(const ambbpf::CleanupOptions&) const { return ambbpf::run_cleanup(); }
  int operator()(const ambbpf::StatusOptions& options) const { return run_status(options); }
  int operator()(const ambbpf::ConnectionsOptions& options) const {
    return run_connections(options);
  }
  int operator()(const ambbpf::EventsOptions& options) const { return run_events(options); }
  int operator()(const ambbpf::WhyOptions& options) const { return run_why(options); }
  int operator()(const ambbpf::OrderOptions& options) const { return run_order(options); }
  int operator()(const ambbpf::VersionOptions& options) const { return run_version(options); }
  int operator()(const ambbpf::ReferenceOptions& options) const { return run_reference(options); }
  int operator()(const ambbpf::Printed& printed) const {
    fmt::print("{}", printed.text);
    return 0;
  }
};

// Else a socket of ours becomes descriptor 2, and the log goes into it.
void open_standard_descriptors() {
  int opened = 0;
  while (opened >= 0 && opened <= STDERR_FILENO) opened = ::open("/dev/null", O_RDWR);
  ::close(opened);
}

}  // namespace

int main(int argc, char** argv) {
  ambbpf::set_commit(AMBBPF_COMMIT);
  open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an error of one connection
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the access log
  const auto command = ambbpf::parse_command_line(argc, argv);
  if (!command) {
    ambbpf::complain(command.error().message());
    return ambbpf::kUsageError;
  }
  return std::visit(Run{}, *command);
}
