// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <vector>

#include "tests/support/peers.h"
#include "tests/torture/book.h"
#include "tests/torture/ends.h"
#include "tests/torture/proxy.h"

namespace ambbpf::torture {
namespace {

using Counts = StatusReport::Connections;

std::vector<std::uint64_t> seeds_of(const Settings& settings) {
  std::vector<std::uint64_t> seeds(settings.connections, settings.only.value_or(0));
  if (settings.only) return seeds;
  Random random(settings.seed);
  for (auto& seed : seeds) seed = random.next();
  return seeds;
}

// Several, so that the proxy's ports towards them are never used up by TIME_WAIT.
std::vector<Listening> listen_for_backends(const Settings& settings) {
  constexpr asio::ip::address_v4::uint_type kFirst = 0x7f000001;
  constexpr unsigned kAddresses = 8;
  std::vector<Listening> listening;
  if (settings.serve) {
    listening.push_back(listen_at(*settings.serve));
    return listening;
  }
  // The program forwards to one address; its connections are few.
  for (unsigned i = 0; i < (settings.as_shipped ? 1 : kAddresses); ++i)
    listening.push_back(listen_at({asio::ip::address_v4(kFirst + i), 0}));
  return listening;
}

Result<std::unique_ptr<Proxy>> start_proxy(const Settings& settings,
                                           const std::vector<Listening>& backends) {
  if (settings.as_shipped) return start_program(settings, backends.front().address);
  std::vector<tcp::endpoint> addresses;
  for (const auto& backend : backends) addresses.push_back(backend.address);
  return start_in_process(settings, addresses);
}

// Plays all connections. Returns when both sides and the proxy are through with them.
void play(Book& book, const Settings& settings, Proxy* proxy, std::vector<Listening> backends) {
  std::atomic<bool> no_more{false};
  auto serving =
      std::async(std::launch::async, [&] { run_backends(book, std::move(backends), no_more); });
  auto playing = std::async(std::launch::async, [&] {
    run_clients(book, proxy ? proxy->address() : *settings.through, settings.concurrent);
  });
  playing.wait();
  // A connection that the proxy is through with has reached the backends.
  if (proxy && !book.has_seen_enough() &&
      !test::eventually([&] { return proxy->counts().now == 0; }))
    book.fail("the proxy keeps connections whose clients are gone");
  no_more = true;
  serving.get();
  playing.get();
}

double by_kernel_percent(const Counts& counts) {
  const auto by_kernel = counts.to_backend.kernel_bytes + counts.to_client.kernel_bytes;
  const auto by_user = counts.to_backend.user_bytes + counts.to_client.user_bytes;
  const auto all = std::max<std::uint64_t>(by_kernel + by_user, 1);
  return 100.0 * static_cast<double>(by_kernel) / static_cast<double>(all);
}

// A torture that the kernel had little part in would show little about it.
void judge_use_of_kernel(Book& book, const Settings& settings, const Counts& counts,
                         std::size_t aborted) {
  constexpr std::uint64_t kPromotedPercent = 80;  // of those that are not broken off
  const auto promoted = counts.promoted;
  if (by_kernel_percent(counts) < settings.by_kernel_percent)
    book.fail(fmt::format("the kernel moved {:.1f} % of the bytes, and should have moved {} %",
                          by_kernel_percent(counts), settings.by_kernel_percent));
  if (promoted * 100 < (book.connections() - aborted) * kPromotedPercent)
    book.fail(fmt::format("{} of {} connections entered the map", promoted, book.connections()));
  // Both directions of each at its start and at its end, and more often for want of room.
  const auto moves = 2 * promoted + book.connections() / 4;
  if (counts.handed_over < moves || counts.taken_back < moves)
    book.fail(fmt::format(
        "{} connections in the map were handed over {} times, taken back {}, and should be {}",
        promoted, counts.handed_over, counts.taken_back, moves));
}

void judge(Book& book, const Settings& settings, const Counts& counts, std::size_t aborted) {
  if (counts.now > 0) book.fail("the proxy has a connection left");
  if (counts.in_map_now > 0) book.fail("the sockmap has a connection left");
  if (counts.mismatches > 0) book.fail(fmt::format("{} mismatches", counts.mismatches));
  if (settings.engine != Engine::kSockmap || settings.only) return;
  const bool by_kernel = counts.to_backend.kernel_bytes > 0 && counts.to_client.kernel_bytes > 0;
  if (!by_kernel) book.fail("the kernel moved nothing");
  if (settings.by_kernel_percent > 0) judge_use_of_kernel(book, settings, counts, aborted);
}

void print_summary(const Book& book, std::size_t aborted, double seconds) {
  constexpr double kMiB = 1024.0 * 1024.0;
  const auto up = static_cast<double>(book.received[kBackend]) / kMiB;
  const auto down = static_cast<double>(book.received[kClient]) / kMiB;
  fmt::print(
      "{} connections ({} clean, {} aborted, {} resets seen), {:.0f} MiB up, {:.0f} MiB down, "
      "{:.1f} s, {:.0f} MiB/s, {} failures",
      book.connections(), book.connections() - aborted, aborted, book.resets_seen.load(), up, down,
      seconds, (up + down) / seconds, book.failures());
}

void print_counts(const Counts& counts) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  fmt::print(
      "; proxy: up {} MiB by kernel {} by user, down {} MiB by kernel {} by user, {} promoted, "
      "{} handed over, {} taken back, {} refused, {} resets, {} mismatches, {} lost events",
      counts.to_backend.kernel_bytes / kMiB, counts.to_backend.user_bytes / kMiB,
      counts.to_client.kernel_bytes / kMiB, counts.to_client.user_bytes / kMiB, counts.promoted,
      counts.handed_over, counts.taken_back, counts.refused_by_kernel, counts.resets,
      counts.mismatches, counts.lost_events);
}

// tools/test shows this line.
void print_use_of_kernel(const Book& book, const Counts& counts) {
  fmt::print(
      "measured, long connections: the kernel moved {:.1f} % of their bytes; of {} connections {} "
      "entered the map; handed over {} times, taken back {}\n",
      by_kernel_percent(counts), book.connections(), counts.promoted, counts.handed_over,
      counts.taken_back);
}

}  // namespace

Outcome run(const Settings& settings) {
  const auto seeds = seeds_of(settings);
  Book book(seeds, settings.allowed, settings.replay);
  std::size_t aborted = 0;
  for (const auto seed : seeds)
    aborted += make_script(0, seed, settings.allowed).is_clean() ? 0 : 1;

  auto backends = listen_for_backends(settings);
  std::unique_ptr<Proxy> proxy;
  if (!settings.through) {
    auto started = start_proxy(settings, backends);
    if (!started) {
      fmt::print("skipped: {}\n", started.error().message());
      return Outcome::kRefusedByKernel;
    }
    proxy = std::move(*started);
  }

  const auto start = Clock::now();
  play(book, settings, proxy.get(), std::move(backends));
  const std::chrono::duration<double> took = Clock::now() - start;
  book.close();
  Counts counts;
  if (proxy) {
    counts = proxy->counts();
    judge(book, settings, counts, aborted);
    if (const auto ended = proxy->end(); !ended) book.fail(ended.error().message());
  }
  print_summary(book, aborted, took.count());
  if (proxy) print_counts(counts);
  fmt::print("\n");
  if (proxy && settings.by_kernel_percent > 0) print_use_of_kernel(book, counts);
  return book.failures() == 0 ? Outcome::kPassed : Outcome::kFailed;
}

}  // namespace ambbpf::torture
