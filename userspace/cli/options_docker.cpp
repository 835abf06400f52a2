// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_docker.h"

#include <cstdlib>

#include "userspace/cli/options_common.h"

namespace ambbpf {
namespace {

std::string environment(const char* name) {
  const char* value = ::getenv(name);
  return value ? value : "";
}

}  // namespace

void add_docker(CLI::App& verb, GivenDocker& given) {
  verb.add_option("--docker", given.host,
                  "Where Docker is: unix:///PATH, tcp://HOST:PORT or https://HOST:PORT (default: "
                  "unix:///var/run/docker.sock)")
      ->envname("DOCKER_HOST")
      ->type_name("ADDRESS");
  verb.add_option("--docker-ca", given.ca, "Docker's certificate must be signed by one of these")
      ->envname("AMBBPF_DOCKER_CA")
      ->type_name("FILE");
  verb.add_option("--docker-cert", given.certificate, "The certificate to show to Docker")
      ->envname("AMBBPF_DOCKER_CERT")
      ->type_name("FILE");
  verb.add_option("--docker-key", given.key, "The key of --docker-cert")
      ->envname("AMBBPF_DOCKER_KEY")
      ->type_name("FILE");
  verb.add_flag("--ignore-health", given.ignore_health,
                "Take a container that runs for healthy, whatever its HEALTHCHECK says")
      ->envname("AMBBPF_IGNORE_HEALTH");
}

Result<DockerAddress> docker_choice(const GivenDocker& given) {
  auto files = given;
  bool tls = !(given.ca.empty() && given.certificate.empty() && given.key.empty());
  if (!tls && !environment("DOCKER_TLS_VERIFY").empty()) {
    tls = true;
    auto directory = environment("DOCKER_CERT_PATH");
    if (directory.empty()) directory = environment("HOME") + "/.docker";
    files.ca = directory + "/ca.pem";
    files.certificate = directory + "/cert.pem";
    files.key = directory + "/key.pem";
  }
  auto access = checked_tls("docker", files.ca, files.certificate, files.key);
  if (!access) return tl::unexpected(access.error());
  const auto host = given.host.empty() ? DockerAddress().name : given.host;
  auto address = parse_docker_host(host, tls, std::move(*access));
  if (!address) return fail("--docker: " + address.error().message());
  return address;
}

}  // namespace ambbpf
