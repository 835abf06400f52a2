// SPDX-License-Identifier: Apache-2.0
// What can only be said of several settings together, and what takes files: the last step from
// what was given to what is done. Files that cannot be read are told of now, not in some back-off.
#pragma once

#include <string>

#include "userspace/config/draft.h"
#include "userspace/config/setting.h"

namespace ambbpf {

struct Flaw {
  std::string setting;  // as name_of() has it; empty: of several
  std::string what;

  // "--etcd-ca: /nosuch: No such file or directory"
  std::string text() const { return setting.empty() ? what : setting + ": " + what; }
};

template <class T>
using Completed = tl::expected<T, Flaw>;

// Reads the password; a password without a file is in AMBBPF_ETCD_PASSWORD, which is for the one
// etcd of a command line only.
Completed<EtcdSettings> complete_etcd(Way way, const Draft& draft);

// On the command line DOCKER_TLS_VERIFY and DOCKER_CERT_PATH count as they do for the docker
// command.
Completed<DockerSettings> complete_docker(Way way, const Draft& draft);

Completed<void> check_service(Way way, const ServiceSettings& service);

// COREOS_PRIVATE_IPV4 is what is advertised where nothing else is said.
Completed<RegistrationSettings> complete_registration(const Draft& draft);

}  // namespace ambbpf
