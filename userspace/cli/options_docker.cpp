// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_docker.h"

#include <CLI/CLI.hpp>
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
  HttpAccess access{
      .unix_socket = {}, .ca = given.ca, .certificate = given.certificate, .key = given.key};
  bool tls = !(access.ca.empty() && access.certificate.empty() && access.key.empty());
  if (!tls && !environment("DOCKER_TLS_VERIFY").empty()) {
    tls = true;
    auto directory = environment("DOCKER_CERT_PATH");
    if (directory.empty()) directory = environment("HOME") + "/.docker";
    access.ca = directory + "/ca.pem";
    access.certificate = directory + "/cert.pem";
    access.key = directory + "/key.pem";
  }
  const auto host = given.host.empty() ? DockerAddress().name : given.host;
  auto address = parse_docker_host(host, tls, std::move(access));
  if (!address) return fail("--docker: " + address.error().message());
  for (const auto* file : {&address->access.ca, &address->access.certificate, &address->access.key})
    if (const auto readable = checked_file("TLS to Docker", *file); !readable)
      return tl::unexpected(readable.error());
  return address;
}

}  // namespace ambbpf
