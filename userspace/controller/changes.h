// SPDX-License-Identifier: Apache-2.0
// What differs between two configurations. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "userspace/config/settings.h"

namespace ambbpf {

// For the log, a line each: "service web is new, on 127.0.0.1:80", "service db: hold from 3s to 5s,
// retries set to 1", "etcd main is removed".
std::vector<std::string> changes_between(const Settings& before, const Settings& after);

// Fails, naming it, where `after` changes what cannot change while the process runs.
Result<void> check_change(const ProcessSettings& before, const ProcessSettings& after);

}  // namespace ambbpf
