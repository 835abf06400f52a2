// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/address.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>

#include "userspace/http/url.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

constexpr unsigned short kPort = 2375;
constexpr unsigned short kTlsPort = 2376;

Result<DockerAddress> unix_address(std::string_view text, std::string_view path,
                                   HttpAccess access) {
  const auto is_graphic = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (!path.starts_with('/') || !std::all_of(path.begin(), path.end(), is_graphic))
    return fail(
        fmt::format("Docker host: {} does not name a socket's absolute path", quoted(text)));
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return fail(fmt::format("Docker host: {} is too long for a socket's path", quoted(text)));
  access.unix_socket = path;
  return DockerAddress{std::string(text), "http://docker", std::move(access)};
}

}  // namespace

Result<DockerAddress> parse_docker_host(std::string_view text, bool tls, HttpAccess access) {
  constexpr std::string_view kUnix = "unix://";
  if (text.starts_with(kUnix))
    return unix_address(text, text.substr(kUnix.size()), std::move(access));
  // Said without a quotation: it may hold a password.
  if (text.find('@') != std::string_view::npos)
    return fail("Docker host: user names and passwords in it are not supported");
  const auto scheme_end = text.find("://");
  const auto scheme = text.substr(0, scheme_end);
  const bool known = scheme == "tcp" || scheme == "http" || scheme == "https";
  if (scheme_end == std::string_view::npos || !known)
    return fail(
        fmt::format("Docker host: {} does not begin with unix://, tcp://, http:// or "
                    "https://",
                    quoted(text)));
  auto rest = text.substr(scheme_end + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  auto authority = parse_authority(rest);
  if (!authority) return fail(fmt::format("Docker host: {}", authority.error().what));
  const bool secure = scheme == "https" || (scheme == "tcp" && tls);
  if (!authority->port) authority->port = secure ? kTlsPort : kPort;
  access.unix_socket.clear();
  return DockerAddress{std::string(text),
                       fmt::format("{}://{}", secure ? "https" : "http", to_string(*authority)),
                       std::move(access)};
}

}  // namespace ambbpf
