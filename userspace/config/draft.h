// SPDX-License-Identifier: Apache-2.0
// What has been set so far, of one command line or of one table of a file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/config/settings.h"

namespace ambbpf {

// A value as it was given: one text, or several where a setting takes a list.
struct Given {
  struct Item {
    std::string text;
    EndpointAttributes fields{};  // of a table in a file
  };
  std::vector<Item> items;
  // How another value would be given the same way: "3s" as "--hold 3s".
  std::function<std::string(std::string_view)> as;

  const std::string& text() const { return items.back().text; }
};

// Each setting stores into its own part; a table of a file uses one part only.
struct Draft {
  AsWritten written;  // by read_table()
  ProcessSettings process;
  ServiceSettings service;
  std::optional<asio::ip::address> listen_address;  // of `ambbpf proxy`, for all its ports
  EtcdSettings etcd;
  std::string etcd_user;
  std::string etcd_password_file;
  DockerSettings docker;
  std::string docker_host;
  HttpAccess docker_tls;
  RegistrationSettings registration;
  NamedPort only;  // of the registration; whole or not at all
};

// Reads the value of a setting and keeps it; the error does not name the setting.
using SettingReader = Result<void>(const Given& given, Draft& draft);

}  // namespace ambbpf
