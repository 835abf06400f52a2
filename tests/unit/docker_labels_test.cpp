// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/recorded.h"
#include "userspace/docker/decode_container.h"
#include "userspace/docker/labels.h"

namespace ambbpf::test {
namespace {

using Texts = std::map<std::string, std::string>;
using Services = std::vector<ProvidedService>;
using Complaints = std::vector<std::string>;

Container container(Texts labels, std::vector<unsigned short> ports, Texts environment = {}) {
  Container container;
  container.labels = std::move(labels);
  container.environment = std::move(environment);
  for (const auto port : ports) container.ports[port];
  return container;
}

Services services(Texts labels, std::vector<unsigned short> ports, Texts environment = {}) {
  const auto provided =
      services_of(container(std::move(labels), std::move(ports), std::move(environment)));
  EXPECT_EQ(provided.complaints, Complaints{});
  return provided.services;
}

Complaints complaints(Texts labels, std::vector<unsigned short> ports) {
  auto provided = services_of(container(std::move(labels), std::move(ports)));
  EXPECT_EQ(provided.services, Services{});
  return provided.complaints;
}

TEST(DockerLabels, RecordedContainer) {
  const auto web = decode_docker_container(recorded("inspect_1.24_web")).value();
  const auto provided = services_of(web);
  EXPECT_EQ(provided.services, (Services{{"web", 80, {{"zone", "nyc"}}}}));
  EXPECT_EQ(provided.complaints, Complaints{});
  const auto health = decode_docker_container(recorded("inspect_1.24_healthy")).value();
  EXPECT_EQ(services_of(health).services, (Services{{"health", 80, {}}}));
}

TEST(DockerLabels, NoneAreNoService) {
  EXPECT_EQ(services({}, {80}), Services{});
  EXPECT_EQ(services({{"maintainer", "x"}}, {80}, {{"PATH", "/bin"}}), Services{});
}

TEST(DockerLabels, OwnService) {
  EXPECT_EQ(services({{"ambbpf.service", "web"}}, {80}), (Services{{"web", 80, {}}}));
  EXPECT_EQ(services({{"ambbpf.service", "shop/web"}, {"ambbpf.port", "8080"}}, {80, 443}),
            (Services{{"shop/web", 8080, {}}}))
      << "on the host's network a port need not be exposed";
  EXPECT_EQ(
      services({{"ambbpf.service", "web"}, {"ambbpf.tag.a", "1"}, {"ambbpf.tag.B.c", ""}}, {80}),
      (Services{{"web", 80, {{"B.c", ""}, {"a", "1"}}}}));
}

TEST(DockerLabels, OwnGoBeforeRegistrators) {
  EXPECT_EQ(services({{"ambbpf.service", "web"}, {"SERVICE_NAME", "other"}}, {80}),
            (Services{{"web", 80, {}}}));
}

TEST(DockerLabels, OwnThatCannotBeTaken) {
  const Texts web{{"ambbpf.service", "web"}};
  EXPECT_EQ(complaints(web, {}), Complaints{"'ambbpf.service': which port? The container has 0 TCP "
                                            "ports and no label ambbpf.port"});
  EXPECT_EQ(complaints(web, {80, 443}),
            Complaints{"'ambbpf.service': which port? The container has 2 TCP ports and no label "
                       "ambbpf.port"});
  for (const auto* port : {"", "http", "0", "65536", "80 ", "80/tcp"})
    EXPECT_EQ(complaints({{"ambbpf.service", "web"}, {"ambbpf.port", port}}, {80}),
              Complaints{"'ambbpf.port': '" + std::string(port) + "' is not a port"});
  EXPECT_EQ(complaints({{"ambbpf.port", "80"}}, {80}),
            Complaints{"'ambbpf.service': missing, while there are other labels of ours"});
}

TEST(DockerLabels, OwnThatAreLeftOut) {
  const auto provided = services_of(container({{"ambbpf.service", "web"},
                                               {"ambbpf.prot", "80"},
                                               {"ambbpf.tag.", "x"},
                                               {"ambbpf.tag.host", "x"}},
                                              {80}));
  EXPECT_EQ(provided.services, (Services{{"web", 80, {}}}));
  EXPECT_EQ(provided.complaints,
            (Complaints{"'ambbpf.prot': is no label of ours", "'ambbpf.tag.': names no attribute",
                        "'ambbpf.tag.host': would stand in the place of the service's address"}));
}

TEST(DockerLabels, NamesMustBeUsableInEtcd) {
  const auto complaint = [](const std::string& name) {
    const auto all = complaints({{"ambbpf.service", name}}, {80});
    return all.size() == 1 ? all[0] : "not one complaint";
  };
  EXPECT_EQ(complaint("_web"),
            "'ambbpf.service': '_web' cannot name a service: it has a part that begins with _, "
            "which etcd hides");
  EXPECT_EQ(complaint("a\nb"),
            "'ambbpf.service': 'a\\nb' cannot name a service: it has a control character");
  EXPECT_EQ(complaint("a/../b"),
            "'ambbpf.service': 'a/../b' cannot name a service: it has a part that is . or ..");
  for (const auto* name : {"", "/", "/a", "a/", "a//b"})
    EXPECT_EQ(complaint(name), "'ambbpf.service': '" + std::string(name) +
                                   "' cannot name a service: it is empty, begins or ends with a "
                                   "slash, or has two in a row");
}

TEST(DockerLabels, RegistratorsName) {
  EXPECT_EQ(services({{"SERVICE_NAME", "web"}}, {80}), (Services{{"web", 80, {}}}));
  EXPECT_EQ(services({}, {80}, {{"SERVICE_NAME", "web"}}), (Services{{"web", 80, {}}}));
  EXPECT_EQ(services({{"SERVICE_NAME", "label"}}, {80}, {{"SERVICE_NAME", "variable"}}),
            (Services{{"label", 80, {}}}));
  EXPECT_EQ(services({{"SERVICE_NAME", "web"}}, {80, 443}),
            (Services{{"web-80", 80, {}}, {"web-443", 443, {}}}));
}

TEST(DockerLabels, RegistratorsNameOfAPort) {
  EXPECT_EQ(services({{"SERVICE_80_NAME", "web"}}, {80, 443}), (Services{{"web", 80, {}}}));
  EXPECT_EQ(services({{"SERVICE_80_NAME", "web"}, {"SERVICE_NAME", "all"}}, {80, 443}),
            (Services{{"web", 80, {}}, {"all-443", 443, {}}}));
  EXPECT_EQ(services({{"SERVICE_80_NAME", "web"}}, {}), (Services{{"web", 80, {}}}))
      << "on the host's network a port need not be exposed";
  EXPECT_EQ(complaints({{"SERVICE_81_NAME", "web"}}, {80}),
            Complaints{"'SERVICE_81_NAME': the container has no such TCP port"});
}

TEST(DockerLabels, RegistratorsAttributes) {
  EXPECT_EQ(
      services({{"SERVICE_NAME", "web"},
                {"SERVICE_TAGS", "a,b"},
                {"SERVICE_443_TAGS", "c"},
                {"SERVICE_443_REGION", "eu"},
                {"SERVICE_CHECK_HTTP", "/health"}},
               {80, 443}),
      (Services{{"web-80", 80, {{"check_http", "/health"}, {"tags", "a,b"}}},
                {"web-443", 443, {{"check_http", "/health"}, {"region", "eu"}, {"tags", "c"}}}}));
}

TEST(DockerLabels, RegistratorsIgnore) {
  EXPECT_EQ(services({{"SERVICE_NAME", "web"}, {"SERVICE_IGNORE", "1"}}, {80}), Services{});
  EXPECT_EQ(services({{"SERVICE_NAME", "web"}, {"SERVICE_IGNORE", ""}}, {80}),
            (Services{{"web", 80, {}}}));
  EXPECT_EQ(services({{"SERVICE_NAME", "web"}, {"SERVICE_443_IGNORE", "yes"}}, {80, 443}),
            (Services{{"web-80", 80, {}}}));
}

TEST(DockerLabels, RegistratorsThatNameNoServiceAreNotOurConcern) {
  EXPECT_EQ(services({}, {80}, {{"SERVICE_PORT", "80"}, {"SERVICE_99999_NAME", ""}}), Services{});
  EXPECT_EQ(services({{"SERVICE_NAME", ""}, {"SERVICE_80_NAME", ""}}, {80}), Services{});
}

TEST(DockerLabels, RegistratorsThatCannotBeTaken) {
  EXPECT_EQ(complaints({{"SERVICE_NAME", "web"}}, {}),
            Complaints{"'SERVICE_NAME': the container has no TCP port"});
  EXPECT_EQ(complaints({{"SERVICE_NAME", "/"}}, {80, 443}).size(), 1U);
  EXPECT_EQ(complaints({{"SERVICE_80_NAME", "_x"}}, {80, 443}).size(), 1U);
  const auto provided = services_of(container({{"SERVICE_NAME", "web"},
                                               {"SERVICE_", "x"},
                                               {"SERVICE_0_NAME", "x"},
                                               {"SERVICE_80_", "x"},
                                               {"SERVICE_Port", "x"}},
                                              {80}));
  EXPECT_EQ(provided.services, (Services{{"web", 80, {}}}));
  EXPECT_EQ(provided.complaints,
            (Complaints{"'SERVICE_': names no attribute", "'SERVICE_0_NAME': is not about a port",
                        "'SERVICE_80_': names no attribute",
                        "'SERVICE_Port': would stand in the place of the service's address"}));
}

Provided with_traefik(Texts labels, Texts environment = {}) {
  return services_of(container(std::move(labels), {80}, std::move(environment)),
                     TraefikLabels::kRead);
}

TEST(DockerLabels, TraefiksAreReadWhereAskedFor) {
  const Texts labels{{"traefik.enable", "true"},
                     {"traefik.tcp.routers.db.rule", "HostSNI(`*`)"},
                     {"traefik.tcp.services.db.loadbalancer.server.port", "5432"},
                     {"traefik.TCP.services.Cache.LoadBalancer.server.port", "6379"},
                     {"traefik.tcp.services.db.loadbalancer.proxyprotocol.version", "2"},
                     {"traefik.http.services.web.loadbalancer.server.port", "80"}};
  EXPECT_EQ(services(labels, {80}), Services{});
  const auto provided = with_traefik(labels);
  EXPECT_EQ(provided.services, (Services{{"cache", 6379, {}}, {"db", 5432, {}}}));
  EXPECT_EQ(provided.complaints, Complaints{});
}

TEST(DockerLabels, TraefiksStandBesideRegistratorsAndBehindOurOwn) {
  constexpr auto kPort = "traefik.tcp.services.db.loadbalancer.server.port";
  EXPECT_EQ(with_traefik({{kPort, "5432"}}, {{"SERVICE_NAME", "web"}}).services,
            (Services{{"web", 80, {}}, {"db", 5432, {}}}));
  EXPECT_EQ(with_traefik({{kPort, "5432"}, {"ambbpf.service", "web"}}).services,
            (Services{{"web", 80, {}}}));
}

TEST(DockerLabels, TraefiksThatAreWrongOrTurnedOff) {
  constexpr auto kPort = "traefik.tcp.services.db.loadbalancer.server.port";
  EXPECT_EQ(with_traefik({{kPort, "5432"}, {"traefik.enable", "false"}}).services, Services{});
  const auto wrong = with_traefik({{kPort, "http"}});
  EXPECT_EQ(wrong.services, Services{});
  EXPECT_EQ(wrong.complaints, Complaints{fmt::format("'{}': 'http' is not a port", kPort)});
  EXPECT_EQ(with_traefik({{"traefik.tcp.services..loadbalancer.server.port", "1"}}).services.size(),
            0U);
}

}  // namespace
}  // namespace ambbpf::test
