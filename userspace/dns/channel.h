// SPDX-License-Identifier: Apache-2.0
// c-ares on an Asio executor: Asio waits for sockets and time, c-ares does the rest. For one
// thread; resolver.h is the way in.
#pragma once

// ares_search: what c-ares 1.34 wants in its place is not in 1.18, which Debian 12 has.
#define CARES_NO_DEPRECATED
#include <ares.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "userspace/dns/answer.h"
#include "userspace/support/library_sockets.h"

namespace ambbpf {

class DnsChannel : public std::enable_shared_from_this<DnsChannel> {
 public:
  // Called once, in a later turn of the loop; never when the channel has gone first.
  using Answered = std::function<void(Result<DnsAnswer>)>;

  // What /etc/resolv.conf, nsswitch.conf and the hosts file say is followed as it is now;
  // `servers`, if there are any, are asked in place of those of resolv.conf.
  static Result<std::shared_ptr<DnsChannel>> open(asio::any_io_executor executor,
                                                  const std::vector<tcp::endpoint>& servers);
  ~DnsChannel();
  DnsChannel(const DnsChannel&) = delete;
  DnsChannel& operator=(const DnsChannel&) = delete;

  void ask(const DnsQuestion& question, Answered answered);
  bool is_idle() const { return questions_ == 0; }

 private:
  struct Pending;
  explicit DnsChannel(asio::any_io_executor executor);
  Result<void> set_up(const std::vector<tcp::endpoint>& servers);

  static void on_socket(void* self, ares_socket_t fd, int reading, int writing);
  static void on_addresses(void* pending, int status, int timeouts, ares_addrinfo* found);
  static void on_services(void* pending, int status, int timeouts, unsigned char* message,
                          int size);
  void answered(std::unique_ptr<Pending> pending, Result<DnsAnswer> answer);
  std::string failure(const DnsQuestion& question, int status) const;
  void process(ares_socket_t to_read, ares_socket_t to_write);
  void wait_for_timeouts();

  const asio::any_io_executor executor_;
  asio::steady_timer timer_;
  std::shared_ptr<LibrarySockets> sockets_;  // calls *this
  std::string asked_servers_;                // in words
  std::size_t questions_ = 0;                // that are not answered yet
  bool is_asking_ = false;  // what is answered within the question comes from no network
  ares_channel channel_ = nullptr;
};

}  // namespace ambbpf
