// SPDX-License-Identifier: Apache-2.0
// One function for each verb; the result is the process's exit code.
#pragma once

#include "userspace/cli/options.h"

namespace ambbpf {

int run_proxy(const ProxyOptions& options);
int run_forward(const ForwardOptions& options);
int run_register(const RegisterOptions& options);

// Exit codes: 0 the best engine works here, 1 a lesser one does, 2 none.
int run_doctor(const DoctorOptions& options);

// One line on stderr: "ambbpf: …".
void complain(const std::string& what);

}  // namespace ambbpf
