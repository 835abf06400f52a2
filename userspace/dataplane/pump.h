// SPDX-License-Identifier: Apache-2.0
// One direction of a connection, moved in user space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "userspace/support/unique_fd.h"

namespace ambbpf {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

// What all pumps of one thread share: a buffer to copy through, and empty pipes. A pump keeps
// neither while it has nothing buffered, so an idle connection holds no memory here.
class PumpTools {
 public:
  static constexpr std::size_t kBufferSize = 128 * 1024;
  static constexpr int kPipeSize = 1024 * 1024;  // asked for; the kernel may give less

  // Pipes take descriptors whose numbers are below `pipes_below`.
  explicit PumpTools(int pipes_below = kNoDescriptorLimit)
      : pipes_below_(pipes_below), buffer_(std::make_unique<std::byte[]>(kBufferSize)) {}

  std::byte* buffer() { return buffer_.get(); }

  // For taking all that a socket has, if that is no more than kMostBuffered: larger than that, so
  // that no read ends inside a segment that is just arriving.
  static constexpr std::size_t kMostBuffered = 1024 * 1024;
  std::vector<std::byte>& large_buffer() {
    large_buffer_.resize(kMostBuffered + 256 * 1024);
    return large_buffer_;
  }

  std::optional<Pipe> take_pipe();  // empty: past the limit, or the kernel refuses (EMFILE, ENFILE)
  void give_back(Pipe empty);

 private:
  const int pipes_below_;
  std::unique_ptr<std::byte[]> buffer_;
  std::vector<std::byte> large_buffer_;  // empty until it is asked for
  std::vector<Pipe> pipes_;
};

// Moves what the source socket has into the target socket, both non-blocking, owning neither. What
// the target does not take at once is kept here, and nothing more is read meanwhile.
class Pump {
 public:
  enum class Method {
    kSplice,  // where the last read was large
    kCopy,
  };
  enum class Outcome {
    kDrained,     // the source has nothing now, nothing is buffered
    kBlocked,     // the target is full, something is buffered
    kUnfinished,  // there is more to move, but others want their turn
    kSourceEnded,
    kSourceFailed,
    kTargetFailed,
  };

  explicit Pump(Method method) : splices_(method == Method::kSplice) {}

  // How far a run reads.
  enum class Until {
    kShortRead,  // that it brought less than asked for says that nothing is left
    kEmpty,      // until the source says so (EAGAIN)
    kFin,        // it has arrived: the last bytes are held back to travel in one segment with ours
  };
  Outcome run(int source, int target, PumpTools& tools, Until until);

  // From the next read on. splice(2) shows only a part of the bytes of a socket in a sockmap, and
  // never gets past an urgent byte.
  void stop_splicing() { splices_ = false; }

  // Takes everything that the source has into hand, and leaves the kernel with no segment that has
  // been read in part. kDrained: done; kUnfinished: there is too much of it to be held, or more is
  // coming faster than it can be taken.
  // `read_before`: what others have read from the source.
  Outcome drain(int source, std::uint64_t read_before, PumpTools& tools);

  // One of its last reads was so large that it is better spliced. A stream of large reads has a
  // small one now and then, where it has caught up with its source.
  bool reads_in_bulk() const;
  // The next read is spliced, unless there is no pipe for it.
  bool would_splice() const;

  bool has_buffered_bytes() const { return read_ != written_; }
  std::uint64_t read() const { return read_; }
  std::uint64_t written() const { return written_; }
  // After kSourceFailed or kTargetFailed.
  std::error_code error() const { return {error_, std::system_category()}; }

 private:
  Outcome move_all(int source, int target, PumpTools& tools, Until until);
  Outcome copy_once(int source, int target, PumpTools& tools, Until until);
  Outcome fill_pipe(int source, PumpTools& tools);
  Outcome flush_rest(int target);  // kDrained when nothing is left
  Outcome flush_pipe(int target);
  Outcome failed(Outcome which, int error);
  void count_read(std::size_t bytes);

  // What was copied and the target did not take.
  struct Rest {
    std::vector<std::byte> bytes;
    std::size_t at = 0;  // from here on
  };

  bool splices_;
  int error_ = 0;
  std::uint32_t last_read_ = 0;       // bytes
  std::uint32_t largest_lately_ = 0;  // bytes of a read, a quarter less with each that is smaller
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
  std::optional<Pipe> pipe_;    // what was spliced and the target did not take yet
  std::unique_ptr<Rest> rest_;  // null: nothing
};

}  // namespace ambbpf
