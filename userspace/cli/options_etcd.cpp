// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_etcd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "userspace/cli/options_common.h"
#include "userspace/etcd/url.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {
namespace {

Result<std::string> checked_prefix(const std::string& prefix) {
  if (!prefix.starts_with('/') || prefix.find("//") != std::string::npos)
    return fail(fmt::format("--prefix: '{}' is not an absolute path in etcd", prefix));
  auto trimmed = prefix;
  while (trimmed.ends_with('/')) trimmed.pop_back();
  return trimmed;
}

Result<std::string> password_in(const std::string& file) {
  constexpr std::size_t kLongest = 4096;  // bytes
  const auto what = "--etcd-password-file: " + file;
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.get() < 0) return fail_errno(what);
  std::string password(kLongest + 1, '\0');
  std::size_t size = 0;
  while (size < password.size()) {
    const auto got = ::read(opened.get(), password.data() + size, password.size() - size);
    if (got < 0) return fail_errno(what);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kLongest) return fail(fmt::format("{}: more than {} bytes", what, kLongest));
  password.resize(size);
  if (password.ends_with('\n')) password.pop_back();
  if (password.empty()) return fail(what + ": holds no password");
  return password;
}

Result<std::optional<EtcdUser>> etcd_user(const GivenEtcd& given) {
  const char* set = std::getenv("AMBBPF_ETCD_PASSWORD");
  std::string password = set ? set : "";
  if (given.user.empty()) {
    if (password.empty() && given.password_file.empty()) return std::nullopt;
    return fail("a password for etcd without --etcd-user");
  }
  if (!given.password_file.empty()) {
    auto kept = password_in(given.password_file);
    if (!kept) return tl::unexpected(kept.error());
    password = std::move(*kept);
  }
  if (password.empty())
    return fail("--etcd-user: needs --etcd-password-file, or AMBBPF_ETCD_PASSWORD set");
  if (password.find('\0') != std::string::npos)
    return fail(fmt::format("--etcd-password-file: {}: has a NUL byte", given.password_file));
  return EtcdUser{given.user, std::move(password)};
}

}  // namespace

void add_etcd(CLI::App& verb, GivenEtcd& given) {
  verb.add_option(
          "--etcd", given.urls,
          "Where etcd is, tried in turn (default: the Docker link ETCD_PORT_10000_TCP_*, else "
          "http://172.17.42.1:4001, then http://127.0.0.1:2379)")
      ->envname("AMBBPF_ETCD")
      ->type_name("URL[,URL...]");
  add_choice(verb, "--etcd-api", "AMBBPF_ETCD_API", given.api, {"auto", "v2", "v3"},
             "auto follows every API that the etcd serves");
  verb.add_option("--prefix", given.prefix, "The services are directories below this one")
      ->envname("AMBBPF_PREFIX")
      ->type_name("PATH")
      ->capture_default_str();
  const auto add = [&verb](const char* name, const char* env, std::string& value,
                           const char* meaning, const char* type) {
    verb.add_option(name, value, meaning)->envname(env)->type_name(type);
  };
  add("--etcd-ca", "AMBBPF_ETCD_CA", given.ca,
      "Authorities to trust instead of the system's, for https", "FILE");
  add("--etcd-cert", "AMBBPF_ETCD_CERT", given.certificate, "The certificate to show to etcd",
      "FILE");
  add("--etcd-key", "AMBBPF_ETCD_KEY", given.key, "Its key", "FILE");
  add("--etcd-user", "AMBBPF_ETCD_USER", given.user, "Of an etcd with authentication", "NAME");
  add("--etcd-password-file", "AMBBPF_ETCD_PASSWORD_FILE", given.password_file,
      "The user's password; or AMBBPF_ETCD_PASSWORD holds it", "FILE");
}

Result<EtcdChoice> etcd_choice(const GivenEtcd& given) {
  EtcdChoice choice;
  auto urls = given.urls.empty() ? default_etcd_urls(::getenv) : parse_etcd_urls(given.urls);
  if (!urls) return fail("--etcd: " + urls.error().message());
  choice.options.urls = std::move(*urls);
  if (given.urls.empty())
    choice.options.advice = "; these URLs are the defaults, --etcd sets others";
  auto prefix = checked_prefix(given.prefix);
  if (!prefix) return tl::unexpected(prefix.error());
  choice.options.prefix = std::move(*prefix);
  choice.api = given.api == "v2" ? EtcdApi::kV2 : given.api == "v3" ? EtcdApi::kV3 : EtcdApi::kAuto;
  auto access = checked_tls("etcd", given.ca, given.certificate, given.key);
  if (!access) return tl::unexpected(access.error());
  choice.access = std::move(*access);
  auto user = etcd_user(given);
  if (!user) return tl::unexpected(user.error());
  choice.user = std::move(*user);
  return choice;
}

}  // namespace ambbpf
