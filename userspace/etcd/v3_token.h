// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// What one member of etcd gave its user to show with each request of API v3, kept for all requests
// to that member. Empty where the member asks for none. For one thread.
class EtcdV3Token {
 public:
  using Fetch = std::function<awaitable<Result<std::string>>()>;

  explicit EtcdV3Token(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  // The present token, or a new one. Those who come while one is being fetched get that one, or the
  // same error.
  awaitable<Result<std::string>> get(Fetch fetch);

  // `refused` is no longer valid. The present one may be another by now.
  void drop(const std::string& refused) {
    if (token_ == refused) token_.reset();
  }

 private:
  struct Fetching;  // one fetch under way, and who waits for it

  asio::any_io_executor executor_;
  std::optional<std::string> token_;
  std::shared_ptr<Fetching> fetching_;
};

}  // namespace ambbpf
