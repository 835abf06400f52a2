// SPDX-License-Identifier: Apache-2.0
// Authentication at an EtcdProcess, in both APIs.
#include <fmt/format.h>

#include <stdexcept>

#include "tests/support/etcd_process.h"
#include "userspace/etcd/base64.h"

namespace ambbpf::test {

void EtcdProcess::must_v2(const std::string& target, const std::string& body) const {
  const auto answer = call_v2("PUT", target, body);
  if (answer.status < 200 || answer.status > 299)
    throw std::runtime_error(fmt::format("{}: {} {}", target, answer.status, answer.body));
}

void EtcdProcess::enable_auth_v2() {
  must_v2("/auth/users/root", fmt::format(R"({{"user":"root","password":"{}"}})", kRootsPassword));
  must_v2("/auth/roles/services",
          R"({"role":"services","permissions":{"kv":{"read":["/services/*"],)"
          R"("write":["/services/*"]}}})");
  must_v2("/auth/enable", "");
  auth_v2_ = true;
  must_v2("/auth/roles/guest",
          R"({"role":"guest","revoke":{"kv":{"read":["/*"],"write":["/*"]}}})");
}

void EtcdProcess::add_user_v2(const std::string& name, const std::string& password) const {
  must_v2("/auth/users/" + name,
          fmt::format(R"({{"user":"{}","password":"{}","roles":["services"]}})", name, password));
}

void EtcdProcess::set_password_v2(const std::string& name, const std::string& password) const {
  must_v2("/auth/users/" + name, fmt::format(R"({{"user":"{}","password":"{}"}})", name, password));
}

void EtcdProcess::enable_auth_v3() {
  if (!rooted_v3_) {
    post_v3("/auth/user/add", fmt::format(R"({{"name":"root","password":"{}"}})", kRootsPassword));
    post_v3("/auth/role/add", R"({"name":"root"})");
    post_v3("/auth/user/grant", R"({"user":"root","role":"root"})");
    post_v3("/auth/role/add", R"({"name":"services"})");
    post_v3(
        "/auth/role/grant",
        fmt::format(R"({{"name":"services","perm":{{"permType":2,"key":"{}","range_end":"{}"}}}})",
                    base64_encode("/services/"), base64_encode("/services0")));
  }
  rooted_v3_ = true;
  post_v3("/auth/enable", "{}");
  auth_v3_ = true;
}

void EtcdProcess::disable_auth_v3() {
  post_v3("/auth/disable", "{}");
  auth_v3_ = false;
}

void EtcdProcess::add_user_v3(const std::string& name, const std::string& password) const {
  post_v3("/auth/user/add", fmt::format(R"({{"name":"{}","password":"{}"}})", name, password));
  post_v3("/auth/user/grant", fmt::format(R"({{"user":"{}","role":"services"}})", name));
}

void EtcdProcess::set_password_v3(const std::string& name, const std::string& password) const {
  post_v3("/auth/user/changepw", fmt::format(R"({{"name":"{}","password":"{}"}})", name, password));
}

}  // namespace ambbpf::test
