// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/docker/address.h"

namespace ambbpf {
namespace {

DockerAddress parsed(std::string_view text, bool tls = false) {
  return parse_docker_host(text, tls, {"/left/over.sock", "ca.pem", "", ""}).value();
}

std::string refusal(std::string_view text) {
  const auto address = parse_docker_host(text, false, {});
  return address ? "accepted" : address.error().message();
}

TEST(DockerAddress, UnixSocket) {
  const auto address = parsed("unix:///run/docker.sock", true);
  EXPECT_EQ(address.name, "unix:///run/docker.sock");
  EXPECT_EQ(address.url, "http://docker");
  EXPECT_EQ(address.access.unix_socket, "/run/docker.sock");
  EXPECT_EQ(parsed("unix:///run/user@1000/docker.sock").access.unix_socket,
            "/run/user@1000/docker.sock");
}

TEST(DockerAddress, DefaultIsTheUsualSocket) {
  const DockerAddress usual;
  const auto address = parsed(usual.name);
  EXPECT_EQ(address.url, usual.url);
  EXPECT_EQ(address.access.unix_socket, usual.access.unix_socket);
}

TEST(DockerAddress, Tcp) {
  EXPECT_EQ(parsed("tcp://10.0.0.1").url, "http://10.0.0.1:2375");
  EXPECT_EQ(parsed("tcp://10.0.0.1", true).url, "https://10.0.0.1:2376");
  EXPECT_EQ(parsed("tcp://core-1.example:4243/", true).url, "https://core-1.example:4243");
  EXPECT_EQ(parsed("tcp://[fd00::1]").url, "http://[fd00::1]:2375");
  EXPECT_EQ(parsed("tcp://[fd00::1]:1").url, "http://[fd00::1]:1");
  EXPECT_EQ(parsed("http://docker").url, "http://docker:2375");
  EXPECT_EQ(parsed("http://docker", true).url, "http://docker:2375");
  EXPECT_EQ(parsed("https://docker").url, "https://docker:2376");
  EXPECT_EQ(parsed("tcp://docker").access.unix_socket, "");
  EXPECT_EQ(parsed("tcp://docker").access.ca, "ca.pem");
  EXPECT_EQ(parsed("tcp://docker").name, "tcp://docker");
}

TEST(DockerAddress, SaysWhatIsWrong) {
  const std::string scheme = " does not begin with unix://, tcp://, http:// or https://";
  EXPECT_EQ(refusal(""), "Docker host: ''" + scheme);
  EXPECT_EQ(refusal("/run/docker.sock"), "Docker host: '/run/docker.sock'" + scheme);
  EXPECT_EQ(refusal("ssh://core-1\n"), "Docker host: 'ssh://core-1\\n'" + scheme);
  EXPECT_EQ(refusal("unix://run/docker.sock"),
            "Docker host: 'unix://run/docker.sock' does not name a socket's absolute path");
  EXPECT_EQ(refusal("unix:///a\nb"),
            "Docker host: 'unix:///a\\nb' does not name a socket's absolute path");
  EXPECT_EQ(refusal("unix:///" + std::string(107, 'a')),
            "Docker host: 'unix:///" + std::string(72, 'a') +
                "...' (115 bytes) is too long for a socket's path");
  EXPECT_EQ(refusal("tcp://"), "Docker host: '' is not host[:port]: No host part in the URL");
  EXPECT_EQ(refusal("tcp://a/b"), "Docker host: 'a/b' is not host[:port]: there is more");
  EXPECT_EQ(refusal("tcp://a:0"), "Docker host: 'a:0' is not host[:port]: port 0");
  EXPECT_EQ(refusal("tcp://root:hunter2@a"),
            "Docker host: user names and passwords in it are not supported");
}

}  // namespace
}  // namespace ambbpf
