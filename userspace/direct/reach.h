// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <tuple>

#include "userspace/direct/network_namespace.h"
#include "userspace/direct/programs.h"
#include "userspace/endpoints/backend.h"

namespace ambbpf {

// Whether backends are reached from other network namespaces: they are connected to from in there,
// and the programs told of those that answer.
class Reach {
 public:
  // For the thread of `programs`, which outlives *this, as `io` does.
  Reach(asio::io_context& io, DirectPrograms& programs) : io_(io), programs_(programs) {}

  // `wanted`: DIRECT_UNREACHED. One that does not answer is asked again after a pause that doubles,
  // and a few at once are asked only.
  void ask(const direct_event& wanted, const Backend& backend, std::chrono::milliseconds timeout);
  void let_go();  // of what was not used of late; a namespace that is held open does not go

 private:
  struct Known {
    Result<NetworkNamespace> there = fail("it was not looked for");
    Clock::time_point used;  // or looked for
  };
  using Place = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;  // netns, backend, its use
  struct Asked {
    std::chrono::seconds pause{0};
    Clock::time_point last;
    bool is_under_way = false;
  };

  const Result<NetworkNamespace>& find(const direct_event& wanted);
  static awaitable<void> hear(Reach& self, Place place, Connecting connecting,
                              std::chrono::milliseconds timeout);

  asio::io_context& io_;
  DirectPrograms& programs_;
  std::map<std::uint64_t, Known> namespaces_;  // by cookie
  std::map<Place, Asked> asked_;
  std::size_t under_way_ = 0;
};

}  // namespace ambbpf
