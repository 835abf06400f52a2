// SPDX-License-Identifier: Apache-2.0
#include "userspace/dns/channel.h"

#include <arpa/nameser.h>
#include <fmt/format.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include "userspace/endpoints/endpoint.h"

namespace ambbpf {
namespace {

constexpr int kTimeout = 2000;  // ms, of the first attempt; twice as long for each further one
constexpr int kAttempts = 3;    // at each server
constexpr std::chrono::seconds kAgeOfFile{5};  // the hosts file tells no TTL

int family_of(DnsQuestion::Kind kind) {
  if (kind == DnsQuestion::Kind::kOnlyIpv4) return AF_INET;
  return kind == DnsQuestion::Kind::kOnlyIpv6 ? AF_INET6 : AF_UNSPEC;
}

std::optional<asio::ip::address> address_of(const sockaddr& found) {
  if (found.sa_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, &found, sizeof(address));
    return asio::ip::address_v4(ntohl(address.sin_addr.s_addr));
  }
  if (found.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 address{};
  std::memcpy(&address, &found, sizeof(address));
  asio::ip::address_v6::bytes_type bytes{};
  std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
  return asio::ip::address_v6(bytes, address.sin6_scope_id);
}

// `is_from_file`: and not from DNS.
DnsAnswer answer_of(const ares_addrinfo& found, bool is_from_file) {
  std::int64_t ttl = std::numeric_limits<std::int64_t>::max();
  DnsAnswer answer;
  for (const auto* node = found.nodes; node; node = node->ai_next) {
    const auto address = address_of(*node->ai_addr);
    if (!address || !why_no_backend(*address).empty()) continue;
    ttl = std::min<std::int64_t>(ttl, node->ai_ttl);
    if (std::ranges::find(answer.addresses, *address) == answer.addresses.end())
      answer.addresses.push_back(*address);
  }
  for (const auto* alias = found.cnames; alias; alias = alias->next)
    ttl = std::min<std::int64_t>(ttl, alias->ttl);
  set_age(answer, is_from_file ? kAgeOfFile.count() : ttl, Clock::now());
  return answer;
}

}  // namespace

struct DnsChannel::Pending {
  DnsChannel& channel;
  DnsQuestion question;
  Answered answered;
};

Result<std::shared_ptr<DnsChannel>> DnsChannel::open(asio::any_io_executor executor,
                                                     const std::vector<tcp::endpoint>& servers) {
  std::shared_ptr<DnsChannel> channel(new DnsChannel(std::move(executor)));
  if (auto ready = channel->set_up(servers); !ready) return tl::unexpected(ready.error());
  return channel;
}

DnsChannel::DnsChannel(asio::any_io_executor executor)
    : executor_(std::move(executor)),
      timer_(executor_),
      sockets_(
          std::make_shared<LibrarySockets>(executor_, [this](int fd, LibrarySockets::Event event) {
            const bool reads = event != LibrarySockets::Event::kWritable;
            const bool writes = event != LibrarySockets::Event::kReadable;
            process(reads ? fd : ARES_SOCKET_BAD, writes ? fd : ARES_SOCKET_BAD);
          })) {}

Result<void> DnsChannel::set_up(const std::vector<tcp::endpoint>& servers) {
  static const int ready = ares_library_init(ARES_LIB_INIT_ALL);
  ares_options options{};
  options.timeout = kTimeout;
  options.tries = kAttempts;
  options.sock_state_cb = &DnsChannel::on_socket;
  options.sock_state_cb_data = this;
  constexpr int kGiven = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  const int opened = ready == ARES_SUCCESS ? ares_init_options(&channel_, &options, kGiven) : ready;
  if (opened != ARES_SUCCESS) {
    channel_ = nullptr;
    return fail(fmt::format("set up the resolver by /etc/resolv.conf: {}", ares_strerror(opened)));
  }
  if (servers.empty()) {
    asked_servers_ = "the servers of /etc/resolv.conf";
    return {};
  }
  for (const auto& server : servers)
    asked_servers_ += (asked_servers_.empty() ? "" : ",") + to_string(server);
  const int set = ares_set_servers_ports_csv(channel_, asked_servers_.c_str());
  if (set != ARES_SUCCESS)
    return fail(fmt::format("DNS servers {}: {}", asked_servers_, ares_strerror(set)));
  return {};
}

DnsChannel::~DnsChannel() {
  if (channel_) ares_destroy(channel_);
}

void DnsChannel::ask(const DnsQuestion& question, Answered answered) {
  auto pending = std::make_unique<Pending>(Pending{*this, question, std::move(answered)});
  ++questions_;
  is_asking_ = true;
  if (question.kind != DnsQuestion::Kind::kServices) {
    ares_addrinfo_hints hints{};
    hints.ai_family = family_of(question.kind);
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, question.name.c_str(), nullptr, &hints, &DnsChannel::on_addresses,
                     pending.release());
  } else {
    ares_search(channel_, question.name.c_str(), ns_c_in, ns_t_srv, &DnsChannel::on_services,
                pending.release());
  }
  is_asking_ = false;
  wait_for_timeouts();
}

void DnsChannel::on_addresses(void* given, int status, int, ares_addrinfo* found) {
  std::unique_ptr<Pending> pending(static_cast<Pending*>(given));
  const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> owner(found, &ares_freeaddrinfo);
  if (status == ARES_EDESTRUCTION) return;
  auto& channel = pending->channel;
  Result<DnsAnswer> answer = fail(channel.failure(pending->question, status));
  if (status == ARES_SUCCESS && found) answer = answer_of(*found, channel.is_asking_);
  const bool says_none = status == ARES_ENOTFOUND || status == ARES_ENODATA;
  if (pending->question.kind != DnsQuestion::Kind::kAddresses && says_none)
    set_age((answer = DnsAnswer()).value(), 0, Clock::now());
  else if (answer && answer->addresses.empty())
    answer = fail(channel.failure(pending->question, ARES_ENODATA));
  channel.answered(std::move(pending), std::move(answer));
}

void DnsChannel::on_services(void* given, int status, int, unsigned char* message, int size) {
  std::unique_ptr<Pending> pending(static_cast<Pending*>(given));
  if (status == ARES_EDESTRUCTION) return;
  auto& channel = pending->channel;
  Result<DnsAnswer> answer = fail(channel.failure(pending->question, status));
  if (status == ARES_SUCCESS) {
    auto decoded = decode_srv_answer({message, static_cast<std::size_t>(size)});
    if (decoded) {
      DnsAnswer services;
      services.services = std::move(decoded->records);
      set_age(services, decoded->ttl, Clock::now());
      answer = std::move(services);
    } else {
      answer = fail(fmt::format("resolve {}: {}", pending->question.name, decoded.error().what));
    }
  }
  channel.answered(std::move(pending), std::move(answer));
}

// Out of c-ares' turn, in which it must not be destroyed.
void DnsChannel::answered(std::unique_ptr<Pending> pending, Result<DnsAnswer> answer) {
  asio::post(executor_, [weak = weak_from_this(), answered = std::move(pending->answered),
                         answer = std::move(answer)]() mutable {
    const auto self = weak.lock();
    if (!self) return;
    --self->questions_;
    answered(std::move(answer));
  });
}

// Where DNS says no, it does not matter which server did.
std::string DnsChannel::failure(const DnsQuestion& question, int status) const {
  std::string_view name = question.name;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (status == ARES_ENOTFOUND) return fmt::format("resolve {}: there is no such name", name);
  if (status == ARES_ENODATA)
    return fmt::format(
        "resolve {}: the name has no {}", name,
        question.kind == DnsQuestion::Kind::kServices ? "SRV record" : "address of a backend");
  return fmt::format("resolve {}: {} (asked: {})", name, ares_strerror(status), asked_servers_);
}

void DnsChannel::on_socket(void* self, ares_socket_t fd, int reading, int writing) {
  // One that cannot be watched is taken up by the time-out of its question.
  static_cast<DnsChannel*>(self)->sockets_->watch(fd, reading != 0, writing != 0);
}

void DnsChannel::process(ares_socket_t to_read, ares_socket_t to_write) {
  ares_process_fd(channel_, to_read, to_write);
  wait_for_timeouts();
}

void DnsChannel::wait_for_timeouts() {
  timeval left{};
  if (!ares_timeout(channel_, nullptr, &left)) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

}  // namespace ambbpf
