// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/reset.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/direct_connect.h"
#include "userspace/direct/network_namespace.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {
namespace {

constexpr auto kWhat = "reset connections that were sent straight to an endpoint";

struct Request {
  nlmsghdr header{};
  inet_diag_req_v2 of{};
  nlattr storages{};  // of a dump only
  nlattr map{};
  std::uint32_t map_fd = 0;
};

Result<void> send(int netlink, Request& request, std::size_t size) {
  request.header.nlmsg_len = static_cast<__u32>(size);
  request.of.sdiag_protocol = IPPROTO_TCP;
  if (::send(netlink, &request, size, 0) < 0) return fail_errno(kWhat);
  return {};
}

// Calls back for each message up to the end of the answer.
Result<void> receive(int netlink, const std::function<void(const nlmsghdr&)>& take) {
  alignas(nlmsghdr) std::array<char, 32768> bytes;
  for (;;) {
    const auto got = ::recv(netlink, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(kWhat);
    auto left = static_cast<std::uint32_t>(got);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(bytes.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return {};
      if (message->nlmsg_type != NLMSG_ERROR) {
        take(*message);
        continue;
      }
      const auto* told = static_cast<const nlmsgerr*>(NLMSG_DATA(message));
      if (told->error == 0 || told->error == -ENOENT) return {};  // it has ended by itself
      return fail_errno(kWhat, -told->error);
    }
  }
}

// The first attribute of that type within `bytes`; empty: there is none.
std::span<const char> find_attribute(std::span<const char> bytes, int type) {
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr attribute;
    std::memcpy(&attribute, bytes.data(), sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > bytes.size()) return {};
    if ((attribute.nla_type & NLA_TYPE_MASK) == type)
      return bytes.subspan(NLA_HDRLEN, attribute.nla_len - std::size_t{NLA_HDRLEN});
    bytes = bytes.subspan(std::min<std::size_t>(NLA_ALIGN(attribute.nla_len), bytes.size()));
  }
  return {};
}

bool is_one(const nlmsghdr& message, const SentOn& which) {
  const std::size_t known = NLMSG_LENGTH(sizeof(inet_diag_msg));
  if (message.nlmsg_len < known) return false;
  const auto* bytes = reinterpret_cast<const char*>(&message);
  auto found =
      find_attribute({bytes + known, message.nlmsg_len - known}, INET_DIAG_SK_BPF_STORAGES);
  found = find_attribute(found, SK_DIAG_BPF_STORAGE);
  found = find_attribute(found, SK_DIAG_BPF_STORAGE_MAP_VALUE);
  direct_dialled dialled{};
  if (found.size() < sizeof dialled) return false;
  std::memcpy(&dialled, found.data(), sizeof dialled);
  return dialled.owner == which.owner && dialled.state == DIRECT_OPEN &&
         std::ranges::find(which.backends, dialled.backend) != which.backends.end();
}

Result<std::vector<inet_diag_msg>> list(int netlink, int family, const SentOn& which) {
  Request request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.of.sdiag_family = static_cast<__u8>(family);
  request.of.idiag_states = ~((1U << TCP_LISTEN) | (1U << TCP_TIME_WAIT) | (1U << TCP_CLOSE));
  request.storages.nla_type = INET_DIAG_REQ_SK_BPF_STORAGES;
  request.storages.nla_len = sizeof(nlattr) * 2 + sizeof(std::uint32_t);
  request.map.nla_type = SK_DIAG_BPF_STORAGE_REQ_MAP_FD;
  request.map.nla_len = sizeof(nlattr) + sizeof(std::uint32_t);
  request.map_fd = static_cast<std::uint32_t>(which.dialled_map);
  std::vector<inet_diag_msg> all;
  return send(netlink, request, sizeof request)
      .and_then([&] {
        return receive(netlink, [&](const nlmsghdr& message) {
          if (is_one(message, which))
            all.push_back(*static_cast<const inet_diag_msg*>(NLMSG_DATA(&message)));
        });
      })
      .map([&] { return all; });
}

Result<void> destroy(int netlink, const inet_diag_msg& socket) {
  Request request;
  request.header.nlmsg_type = SOCK_DESTROY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.of.sdiag_family = socket.idiag_family;
  request.of.id = socket.id;
  return send(netlink, request, offsetof(Request, storages)).and_then([&] {
    return receive(netlink, [](const nlmsghdr&) {});
  });
}

struct Outcome {
  std::size_t count = 0;
  std::optional<Error> error;  // the last one
};

// What ends one way or another meanwhile, or cannot be ended, is in nobody's way.
void reset_here(int netlink, const SentOn& which, Outcome& outcome) {
  for (const int family : {AF_INET, AF_INET6}) {
    const auto all = list(netlink, family, which);
    if (!all) {
      outcome.error = all.error();
      continue;
    }
    for (const auto& socket : *all) {
      const auto done = destroy(netlink, socket);
      if (done)
        ++outcome.count;
      else
        outcome.error = done.error();
    }
  }
}

}  // namespace

Result<std::size_t> reset_connections(const SentOn& which) {
  constexpr int kKind = SOCK_DGRAM | SOCK_CLOEXEC;
  const UniqueFd own(::socket(AF_NETLINK, kKind, NETLINK_SOCK_DIAG));
  if (!own) return fail_errno(kWhat);
  Outcome outcome;
  reset_here(own.get(), which, outcome);
  for (const auto& there : NetworkNamespace::others()) {
    const auto netlink = there.open_socket(AF_NETLINK, kKind, NETLINK_SOCK_DIAG);
    if (netlink) reset_here(netlink->get(), which, outcome);  // else it has gone
  }
  if (outcome.error) return tl::unexpected(*outcome.error);
  return outcome.count;
}

}  // namespace ambbpf
