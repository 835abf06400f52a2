// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/v3_token.h"

namespace ambbpf {

struct EtcdV3Token::Fetching {
  explicit Fetching(const asio::any_io_executor& executor)
      : over(executor, Clock::time_point::max()) {}

  void end(Result<std::string> token) {
    result = std::move(token);
    over.cancel();
  }

  asio::steady_timer over;
  std::optional<Result<std::string>> result;
};

awaitable<Result<std::string>> EtcdV3Token::get(Fetch fetch) {
  if (token_) co_return *token_;
  if (const auto others = fetching_; others && !others->result) {
    co_await others->over.async_wait(as_tuple);
    co_return others->result.value_or(fail("given up while waiting for a token"));
  }

  // Whoever fetches may be given up midway, by its caller's deadline: those who wait are told.
  struct EndFetch {
    std::shared_ptr<Fetching> fetching;
    ~EndFetch() {
      if (!fetching->result) fetching->end(fail("the fetch of a token was given up"));
    }
  };
  const EndFetch mine{std::make_shared<Fetching>(executor_)};
  fetching_ = mine.fetching;
  auto token = co_await fetch();
  if (token) token_ = *token;
  mine.fetching->end(token);
  co_return token;
}

}  // namespace ambbpf
