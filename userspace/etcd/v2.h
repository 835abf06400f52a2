// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/etcd/client.h"
#include "userspace/etcd/types.h"

namespace ambbpf {

// Reads one directory through etcd's v2 keys API: a recursive GET, then one long poll after the
// other, each for the first event from an index on. Reads are answered by the member asked, without
// a quorum and so without a redirect to the leader, which may be out of our reach.
class EtcdV2 {
 public:
  static constexpr const char* kKind = "etcd v2";

  // `directory` is what next() watches.
  EtcdV2(EtcdClient& client, const std::string& directory, const EtcdOptions& options);

  // The wanted keys below `directory`. An answer that is too long is an error of that code
  // (is_too_long in failure.h).
  awaitable<Result<EtcdListing>> list(std::string url, std::string directory, EtcdWanted wanted);

  // This API puts a slash before every path.
  awaitable<std::vector<std::string>> misplaced(std::string url, std::string directory,
                                                EtcdWanted wanted);

  // The news that follow `known`, or a sign of life. Tells by list_again when it cannot, also when
  // there was none until the deadline.
  awaitable<Result<EtcdNews>> next(std::string url, EtcdPosition known, Clock::time_point deadline);

  // Ends next() early, without news.
  void interrupt();

  // Before the next list().
  void stop() { poll_ = HttpStream(); }

 private:
  awaitable<Result<EtcdNews>> begin_poll(std::string url, EtcdPosition known);
  awaitable<Result<EtcdNews>> end_poll(EtcdPosition known, Clock::time_point deadline);

  EtcdClient& client_;
  const std::string path_;  // of the directory, encoded
  const std::chrono::milliseconds timeout_;
  HttpStream poll_;
};

}  // namespace ambbpf
