// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/script.h"

#include <algorithm>

namespace ambbpf::torture {
namespace {

using std::chrono::microseconds;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

// Mostly small, sometimes empty, now and then large: 70 KiB on average.
std::uint64_t random_size(Random& random) {
  const auto kind = random.below(100);
  if (kind < 10) return 0;
  if (kind < 65) return random.up_to(8 * kKiB);
  if (kind < 90) return random.up_to(64 * kKiB);
  return random.up_to(kind < 98 ? 512 * kKiB : 4 * kMiB);
}

void both_at_once(Script& script, const std::array<std::uint64_t, 2>& sizes) {
  for (const auto side : {kClient, kBackend}) script.parts[side].sends = {{sizes[side], 0}};
}

// Requests and answers, and then what is left of the two streams at once.
void ping_pong(Script& script, const std::array<std::uint64_t, 2>& sizes, Random& random) {
  const auto rounds = 1 + random.below(30);
  const Side first = random.percent(50) ? kClient : kBackend;
  const bool small = random.percent(60);
  std::array<std::uint64_t, 2> sent{};
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (const auto side : {first, other(first)}) {
      const auto left = sizes[side] - sent[side];
      const auto most = small ? std::min(left, 2 * kKiB) : left / (rounds - round);
      sent[side] += random.up_to(most);
      script.parts[side].sends.push_back({sent[side], sent[other(side)]});
    }
  }
  for (const auto side : {kClient, kBackend})
    script.parts[side].sends.push_back({sizes[side], sent[other(side)]});
}

void one_after_the_other(Script& script, const std::array<std::uint64_t, 2>& sizes, Side first) {
  const Side second = other(first);
  script.parts[first].sends = {{sizes[first], 0}};
  script.parts[second].sends = {{sizes[second], kEnd}};
}

// Mostly small; now and then more than the sockets on the way hold while the reader pauses.
std::uint64_t size_of_turn(Random& random) {
  const auto kind = random.below(100);
  if (kind < 3) return random.up_to(10 * kMiB);
  return random.up_to(kind < 10 ? 32 * kKiB : 2 * kKiB);
}

// Question and answer, hundreds of times, now and then not waiting for each other. Then one may end
// while the other goes on.
void converse(Script& script, Random& random) {
  const auto rounds = 100 + random.below(200);
  std::array<std::uint64_t, 2> sent{};
  std::array<std::uint64_t, 2> awaited{};
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (const auto side : {kClient, kBackend}) {
      if (random.percent(80)) awaited[side] = sent[other(side)];
      sent[side] += size_of_turn(random);
      script.parts[side].sends.push_back({sent[side], awaited[side]});
    }
  }
  const Side last = random.percent(50) ? kClient : kBackend;
  if (random.percent(50))
    script.parts[last].finishes_last = true;
  else
    script.parts[last].sends.push_back({sent[last] + random_size(random), kEnd});
}

void choose_short_shape(Script& script, Random& random) {
  const std::array<std::uint64_t, 2> sizes{kHelloSize + random_size(random), random_size(random)};
  const auto shape = random.below(10);
  if (shape < 7) {
    if (shape < 4)
      both_at_once(script, sizes);
    else
      ping_pong(script, sizes, random);
    const auto last = random.below(3);
    if (last < 2) script.parts[last].finishes_last = true;
  } else {
    one_after_the_other(script, sizes, shape == 7 ? kBackend : kClient);
  }
}

// The client's name comes before everything else.
void begin_with_hello(Part& client) {
  client.sends.insert(client.sends.begin(), {kHelloSize, 0});
  for (auto& stretch : client.sends)
    stretch.until = std::max<std::uint64_t>(stretch.until, kHelloSize);
}

// Of a stream of `size` bytes: large ones not by a few bytes at a time, that would take for ever.
Manner random_manner(Random& random, std::uint64_t size, std::uint64_t most_at_a_time) {
  constexpr std::array<std::uint64_t, 5> kMost{64, 1500, 8 * kKiB, 64 * kKiB, 256 * kKiB};
  constexpr std::uint64_t kTimes = 300;
  Manner manner;
  manner.most =
      std::min(std::max(kMost[random.below(kMost.size())], size / kTimes), most_at_a_time);
  const auto kind = random.below(10);
  if (kind < 5) return manner;
  manner.all_pauses = microseconds(random.up_to(kind < 9 ? 20'000 : 200'000));
  manner.longest_pause = microseconds(random.up_to(kind < 7 ? 300 : 20'000));
  manner.pauses_percent = static_cast<unsigned>(kind == 9 ? 100 : 1 + random.below(30));
  if (random.percent(20)) manner.first_after = microseconds(random.up_to(50'000));
  return manner;
}

// Of one who talks for a long time, with many pauses.
Manner long_manner(Random& random, std::uint64_t most_at_a_time) {
  constexpr std::array<std::uint64_t, 4> kMost{1500, 16 * kKiB, 64 * kKiB, 256 * kKiB};
  Manner manner;
  manner.most = std::min(kMost[random.below(kMost.size())], most_at_a_time);
  manner.pauses_percent = static_cast<unsigned>(random.up_to(30));
  manner.longest_pause = microseconds(random.up_to(random.percent(50) ? 5'000 : 200'000));
  manner.all_pauses = microseconds(random.up_to(2'000'000));
  return manner;
}

int random_buffer(Random& random, Buffers buffers) {
  constexpr std::array<int, 4> kSizes{0, 2048, 16 * 1024, 100 * 1024};
  const int mixed = kSizes[random.below(kSizes.size())];
  if (buffers == Buffers::kDefault) return 0;
  return buffers == Buffers::kMixed ? mixed : 4096;
}

Abort random_abort(Random& random, std::uint64_t sends, std::uint64_t receives) {
  Abort abort;
  abort.kind = random.percent(50) ? Abort::Kind::kReset : Abort::Kind::kVanish;
  if (random.percent(50)) abort.delay = microseconds(random.up_to(20'000));
  const auto when = random.below(10);
  if (when == 0) {
    abort.when = Abort::When::kFinished;
  } else if (when < 4) {
    abort.when = Abort::When::kReceived;
    abort.at = random.up_to(receives);
  } else {
    abort.at = when == 4 ? random.up_to(std::min<std::uint64_t>(sends, 2 * kHelloSize))
                         : random.up_to(sends);
  }
  return abort;
}

}  // namespace

Script make_script(std::uint64_t number, std::uint64_t seed, const Allowed& allowed) {
  Random random(seed);
  Script script;
  if (allowed.long_lived)
    converse(script, random);
  else
    choose_short_shape(script, random);
  begin_with_hello(script.parts[kClient]);
  const auto most_at_a_time = allowed.buffers == Buffers::kDefault ? 256 * kKiB : 16 * kKiB;
  for (const auto side : {kClient, kBackend}) {
    Part& part = script.parts[side];
    part.seed = random.next();
    part.end_in_last_segment = random.percent(50);
    if (allowed.long_lived) {
      part.reading = long_manner(random, 256 * kKiB);
      part.writing = long_manner(random, most_at_a_time);
      if (random.percent(25)) part.urgent_percent = 2;
    } else {
      part.reading = random_manner(random, script.parts[other(side)].size(), 256 * kKiB);
      part.writing = random_manner(random, part.size(), most_at_a_time);
    }
    part.receive_buffer = random_buffer(random, allowed.buffers);
    // One that holds less than two segments of loopback makes the kernel send one window every
    // 200 ms (RFC 9293, 3.8.6.2.1) once segments of odd sizes have come; long ones never end then.
    constexpr int kTwoSegments = 64 * 1024;  // the kernel doubles SO_RCVBUF
    if (allowed.long_lived && part.receive_buffer < kTwoSegments) part.receive_buffer = 0;
    part.send_buffer = random_buffer(random, allowed.buffers);
  }
  script.parts[kClient].stream = Stream(random.next(), Stream::Head{number, seed});
  script.parts[kBackend].stream = Stream(random.next());

  constexpr unsigned kAbortedPercent = 20;
  if (allowed.aborts && random.percent(kAbortedPercent)) {
    const auto who = random.below(10);
    for (const auto side : {kClient, kBackend})
      if (who == 9 || who % 2 == side)
        script.parts[side].abort =
            random_abort(random, script.parts[side].size(), script.parts[other(side)].size());
  }
  return script;
}

}  // namespace ambbpf::torture
