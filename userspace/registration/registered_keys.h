// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "userspace/etcd/writer.h"

namespace ambbpf {

// What is to stand in etcd: whole keys ("/services/web/web-1") and their values, none of them
// empty.
using WantedKeys = std::map<std::string, std::string>;

// Why keys are not wanted any more, for the log; not every one has a reason.
using Reasons = std::map<std::string, std::string>;

struct RegisteredKey {
  enum class State {
    kPending,     // wanted, and not yet written or lost
    kKept,        // in etcd, and ours
    kOvertaken,   // another registrar has written it after us; we step in when it is gone
    kWithdrawing  // no longer wanted, and still to be deleted
  };
  std::string key;
  std::string value;
  State state = State::kPending;
  // Of kOvertaken: what stands there; of kWithdrawing: why it is not wanted; and why etcd refuses.
  std::string note;
};

// The keys that are wanted and those that are still to be deleted, and what is to be done next.
// Does no I/O itself; key_reconciler.h drives it.
class RegisteredKeys {
 public:
  struct Task {
    enum class Kind { kPut, kPutUnlessOthers, kRemove };
    Kind kind;
    OwnKey key;                    // of kRemove: as it was last written
    std::optional<OwnKey> before;  // of a put: what we wrote earlier
  };
  struct Counts {
    std::uint64_t writes = 0;
    std::uint64_t lost = 0;
    std::uint64_t deletes = 0;
  };

  void want(const WantedKeys& wanted, const Reasons& why_not = {});

  // The next change to make in etcd; from now on it may have taken effect. Each must come to an end
  // with put_done() or remove_done(), unless nobody knows how it ended: then it is due again, after
  // what has not been tried as often.
  std::optional<Task> take_next();
  void put_done(const Task& task, const EtcdFound& found);
  void remove_done(const Task& task, const EtcdFound& found);

  // Keys of ours from before this process: those that are not wanted are to be deleted.
  void adopt(const std::vector<OwnKey>& left_over);

  // What is to be kept alive, or looked at because another has it; and what was found there.
  std::vector<OwnKey> to_keep() const;
  void keep_done(const std::vector<OwnKey>& asked, const std::vector<EtcdFound>& found);

  // Nobody knows which of them were kept alive, and so at which index they are.
  void keep_failed(const std::vector<OwnKey>& asked);

  // Makes what etcd refused due again.
  void retry_refused();

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  const Counts& counts() const { return counts_; }
  bool any_refused() const;
  std::vector<RegisteredKey> list() const;

 private:
  using State = RegisteredKey::State;
  struct Entry {
    std::string value;
    State state = State::kPending;
    bool anew = true;            // to be written whatever stands there
    std::size_t tries = 0;       // since the last answer
    bool refused = false;        // not to be tried before retry_refused()
    std::optional<OwnKey> sent;  // what of ours may stand in etcd
    std::string note;
  };
  using Entries = std::map<std::string, Entry>;

  void drop_unwanted(const WantedKeys& wanted, const Reasons& why_not);
  void drop_if_nothing_stands(const std::string& key);
  void found_ours(Entry& entry, const OwnKey& asked, std::uint64_t index);
  void found_lost(Entry& entry, const OwnKey& asked);
  void found_other(Entry& entry, const std::string& key, const std::string& value);
  void refuse(Entry& entry, const std::string& key, const std::string& why);

  Entries entries_;
  Counts counts_;
};

}  // namespace ambbpf
