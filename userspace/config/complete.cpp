// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/complete.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "userspace/etcd/url.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {
namespace {

tl::unexpected<Flaw> flaw(std::string setting, std::string what) {
  return tl::unexpected<Flaw>(Flaw{std::move(setting), std::move(what)});
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<void> check_readable(const std::string& file) {
  if (file.empty()) return {};
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  char byte = 0;
  if (!opened || ::read(opened.get(), &byte, 1) < 0) return fail_errno(file);
  return {};
}

Completed<void> check_tls(Way way, Scope scope, const HttpAccess& access) {
  if (access.certificate.empty() != access.key.empty()) {
    const auto certificate = name_of(way, scope, "cert");
    const auto key = name_of(way, scope, "key");
    return access.key.empty() ? flaw(certificate, fmt::format("needs {} as well", key))
                              : flaw(key, fmt::format("needs {} as well", certificate));
  }
  for (const auto& [key, file] :
       {std::pair("ca", &access.ca), {"cert", &access.certificate}, {"key", &access.key}})
    if (const auto readable = check_readable(*file); !readable)
      return flaw(name_of(way, scope, key), readable.error().message());
  return {};
}

Result<std::string> password_in(const std::string& file) {
  constexpr std::size_t kLongest = 4096;  // bytes
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (opened.get() < 0) return fail_errno(file);
  std::string password(kLongest + 1, '\0');
  std::size_t size = 0;
  while (size < password.size()) {
    const auto got = ::read(opened.get(), password.data() + size, password.size() - size);
    if (got < 0) return fail_errno(file);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kLongest) return fail(fmt::format("{}: more than {} bytes", file, kLongest));
  password.resize(size);
  if (password.ends_with('\n')) password.pop_back();
  if (password.empty()) return fail(file + ": holds no password");
  if (password.find('\0') != std::string::npos) return fail(file + ": has a NUL byte");
  return password;
}

Completed<std::optional<EtcdUser>> etcd_user(Way way, const Draft& draft) {
  const auto user = name_of(way, Scope::kEtcd, "user");
  const auto file = name_of(way, Scope::kEtcd, "password_file");
  const auto in_environment =
      way == Way::kCommandLine ? environment("AMBBPF_ETCD_PASSWORD") : std::string();
  if (draft.etcd_user.empty()) {
    if (in_environment.empty() && draft.etcd_password_file.empty())
      return std::optional<EtcdUser>();
    return flaw({}, "a password for etcd without " + user);
  }
  if (draft.etcd_password_file.empty() && in_environment.empty())
    return flaw(user, fmt::format("needs {}{}", file,
                                  way == Way::kFile ? "" : ", or AMBBPF_ETCD_PASSWORD set"));
  if (draft.etcd_password_file.empty()) return EtcdUser{draft.etcd_user, in_environment};
  auto password = password_in(draft.etcd_password_file);
  if (!password) return flaw(file, password.error().message());
  return EtcdUser{draft.etcd_user, std::move(*password)};
}

}  // namespace

Completed<EtcdSettings> complete_etcd(Way way, const Draft& draft) {
  auto settings = draft.etcd;
  const auto name = name_of(way, Scope::kEtcd, "urls");
  if (settings.options.urls.empty()) {
    auto urls = default_etcd_urls(::getenv);
    if (!urls) return flaw(name, urls.error().message());
    settings.options.urls = std::move(*urls);
    settings.options.advice = fmt::format("; these URLs are the defaults, {} sets others", name);
  }
  if (auto checked = check_tls(way, Scope::kEtcd, settings.access); !checked)
    return tl::unexpected(checked.error());
  auto user = etcd_user(way, draft);
  if (!user) return tl::unexpected(user.error());
  settings.user = std::move(*user);
  return settings;
}

Completed<DockerSettings> complete_docker(Way way, const Draft& draft) {
  auto access = draft.docker_tls;
  bool tls = access != HttpAccess();
  if (!tls && way == Way::kCommandLine && !environment("DOCKER_TLS_VERIFY").empty()) {
    tls = true;
    auto directory = environment("DOCKER_CERT_PATH");
    if (directory.empty()) directory = environment("HOME") + "/.docker";
    access.ca = directory + "/ca.pem";
    access.certificate = directory + "/cert.pem";
    access.key = directory + "/key.pem";
  }
  if (auto checked = check_tls(way, Scope::kDocker, access); !checked)
    return tl::unexpected(checked.error());
  auto settings = draft.docker;
  const auto host = draft.docker_host.empty() ? DockerAddress().name : draft.docker_host;
  auto address = parse_docker_host(host, tls, std::move(access));
  if (!address) return flaw(name_of(way, Scope::kDocker, "host"), address.error().message());
  settings.address = std::move(*address);
  return settings;
}

namespace {

// What cannot work is refused, and not half done.
Completed<void> check_check(Way way, const ServiceSettings& service) {
  const auto name = [way](std::string_view key) { return name_of(way, Scope::kService, key); };
  const auto& check = service.check;
  if (check.kind == CheckKind::kExpect && check.expect.empty())
    return flaw(name("check"),
                fmt::format("needs {} as well, what a good answer contains", name("check_expect")));
  if (check.is_by_libcurl() && check.port == 0 && service.proxy.to_backend == ProxyVersion::kTwo)
    return flaw(name("check"),
                fmt::format("http, https and tls can send a PROXY header of version 1 only, and "
                            "{} is v2: take v1, the check tcp or expect, or a {} where none is "
                            "needed",
                            name("send_proxy"), name("check_port")));
  if (const auto readable = check_readable(check.ca); !readable)
    return flaw(name("check_ca"), readable.error().message());
  return {};
}

}  // namespace

Completed<void> check_service(Way way, const ServiceSettings& service) {
  if (auto checked = check_check(way, service); !checked) return checked;
  if (!service.proxy.reads() || !service.proxy.trusted.empty()) return {};
  return flaw(name_of(way, Scope::kService, "proxy_protocol"),
              fmt::format("needs {} as well, as anyone may write such a header",
                          name_of(way, Scope::kService, "proxy_trusted")));
}

Completed<RegistrationSettings> complete_registration(const Draft& draft) {
  auto settings = draft.registration;
  const auto& only = draft.only;
  if (!only.container.empty() && only.port != 0 && !only.service.empty())
    settings.only = only;
  else if (only != NamedPort())
    return flaw({}, "container, port and service belong together");
  const auto coreos = environment("COREOS_PRIVATE_IPV4");
  if (settings.advertise || coreos.empty()) return settings;
  Draft advertised;
  const auto read = find_setting(Scope::kRegistration, "advertise")
                        ->read({.items = {{coreos}}, .as = {}}, advertised);
  if (!read) return flaw("COREOS_PRIVATE_IPV4", read.error().message());
  settings.advertise = advertised.registration.advertise;
  return settings;
}

}  // namespace ambbpf
