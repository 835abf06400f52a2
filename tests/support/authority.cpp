// SPDX-License-Identifier: Apache-2.0
#include "tests/support/authority.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

#include "tests/support/new_directory.h"

namespace ambbpf::test {
namespace {

constexpr auto* kNewKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

void openssl(const std::string& words, const std::string& log) {
  const auto command = fmt::format("/usr/bin/openssl {} >>{} 2>&1 </dev/null", words, log);
  if (std::system(command.c_str()) != 0)
    throw std::runtime_error(fmt::format("{}: see {}", command, log));
}

}  // namespace

Authority::Authority()
    : directory_(new_directory("authority")), certificate_(directory_ + "/ca.pem") {
  openssl(
      fmt::format("req -x509 {} -subj /O=ambbpf-test-authority -days 2 -keyout {}/ca.key -out {}",
                  kNewKey, directory_, certificate_),
      directory_ + "/log");
}

Authority::~Authority() { std::filesystem::remove_all(directory_); }

Certificate Authority::issue(const Subject& subject) {
  const auto file = fmt::format("{}/{}", directory_, ++issued_);
  const auto log = directory_ + "/log";
  const auto name = subject.common_name.empty() ? "" : "/CN=" + subject.common_name;
  openssl(fmt::format("req -new {} -subj '/O=ambbpf-test{}' -addext 'subjectAltName={}' "
                      "-addext 'extendedKeyUsage=serverAuth,clientAuth' -keyout {}.key -out {}.csr",
                      kNewKey, name, subject.names, file, file),
          log);
  openssl(fmt::format("x509 -req -in {}.csr -CA {} -CAkey {}/ca.key -days {} "
                      "-copy_extensions copyall -out {}.pem",
                      file, certificate_, directory_, subject.days, file),
          log);
  return {file + ".pem", file + ".key"};
}

}  // namespace ambbpf::test
