// SPDX-License-Identifier: Apache-2.0
#include "tests/support/named_backend.h"

#include <utility>

#include "userspace/endpoints/endpoint_value.h"

namespace ambbpf::test {

NamedBackend::NamedBackend(std::string name, const tcp::endpoint& address)
    : name_(std::move(name)), listener_(address) {
  serving_ = in_background([this] { serve(); });
}

NamedBackend::~NamedBackend() {
  stopping_ = true;
  Peer::connect_to(listener_.address());
}

void NamedBackend::serve() {
  for (;;) {
    try {
      Peer peer = listener_.accept();
      if (stopping_) return;
      peer.read(1);
      peer.send_and_finish(name_);
      peer.read_all();
    } catch (const std::exception&) {
      // A client that went away, or nobody for a long time: the next one.
    }
  }
}

std::string ask(const tcp::endpoint& address) {
  Peer client = Peer::connect_to(address);
  client.send("?");
  auto answer = client.read_all();
  client.finish();
  return answer;
}

std::string registered(const tcp::endpoint& address) { return encode_endpoint_value(address, {}); }

}  // namespace ambbpf::test
