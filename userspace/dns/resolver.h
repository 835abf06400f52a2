// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "userspace/dns/answer.h"

namespace ambbpf {

class DnsChannel;

// Asks for names, by the hosts file and DNS. There is one in a program: what is known counts for
// all who ask, who asks what is being asked waits for the same answer, and no more than kMostAtOnce
// questions are asked at once; the others wait for their turn. For one thread.
class Resolver : public std::enable_shared_from_this<Resolver> {
 public:
  static constexpr std::size_t kMostAtOnce = 64;

  explicit Resolver(asio::any_io_executor executor);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  const asio::any_io_executor& executor() const { return executor_; }

  // From now on; none: those of /etc/resolv.conf, as it is at the moment.
  void use_servers(std::vector<tcp::endpoint> servers);

  // What is known counts if it has been heard since. An error is one line: "resolve NAME: WHY".
  static awaitable<Result<DnsAnswer>> ask(std::shared_ptr<Resolver> self, DnsQuestion question,
                                          Clock::time_point heard_since);

  std::uint64_t questions() const { return questions_; }  // that were asked of c-ares

 private:
  struct Asked;
  struct Known {
    Result<DnsAnswer> answer;
    Clock::time_point heard;
    Clock::time_point until;
  };
  // Which /etc/resolv.conf.
  struct Stamp {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::uint64_t inode = 0;

    bool operator==(const Stamp&) const = default;
  };

  std::shared_ptr<Asked> asked(const DnsQuestion& question);
  void ask_some();
  void ask_now(const DnsQuestion& question);
  void answered(const DnsQuestion& question, Result<DnsAnswer> answer);
  void forget_what_has_aged(Clock::time_point now);
  Result<std::shared_ptr<DnsChannel>> channel();
  static Stamp stamp();

  const asio::any_io_executor executor_;
  std::vector<tcp::endpoint> servers_;
  Stamp stamp_;                                        // of channel_
  std::shared_ptr<DnsChannel> channel_;                // null: to be opened
  std::vector<std::shared_ptr<DnsChannel>> replaced_;  // until they are idle
  std::map<DnsQuestion, std::weak_ptr<Asked>> asked_;  // without an answer
  std::deque<DnsQuestion> waiting_;                    // of these, for their turn
  std::size_t at_work_ = 0;                            // …, asked of c-ares
  std::map<DnsQuestion, Known> known_;
  Clock::time_point forgot_at_;
  std::uint64_t questions_ = 0;
};

}  // namespace ambbpf
