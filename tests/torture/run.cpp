// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/run.h"

#include <fmt/format.h>

#include <future>
#include <vector>

#include "tests/support/proxy_under_test.h"
#include "tests/torture/book.h"
#include "tests/torture/ends.h"

namespace ambbpf::torture {
namespace {

using test::ProxySettings;
using test::ProxyUnderTest;

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
  for (unsigned i = 0; i < kAddresses; ++i)
    listening.push_back(listen_at({asio::ip::address_v4(kFirst + i), 0}));
  return listening;
}

Result<std::unique_ptr<ProxyUnderTest>> start_proxy(const Settings& settings,
                                                    const std::vector<Listening>& backends) {
  ProxySettings proxy_settings;
  proxy_settings.relay.engine = settings.engine;
  proxy_settings.threads = settings.threads;
  // At once, or in the midst of things; by default few of these connections would enter the map.
  proxy_settings.relay.promotion = {.turns = settings.at_once ? 0U : 6U,
                                    .age = std::chrono::milliseconds(settings.at_once ? 0 : 50),
                                    .only_where_faster = false};
  auto proxy = ProxyUnderTest::start(proxy_settings);
  if (!proxy) return proxy;
  std::vector<tcp::endpoint> addresses;
  for (const auto& backend : backends) addresses.push_back(backend.address);
  (*proxy)->publish(addresses);
  return proxy;
}

// Plays all connections. Returns when both sides and the proxy are through with them.
void play(Book& book, const Settings& settings, ProxyUnderTest* proxy,
          std::vector<Listening> backends) {
  std::atomic<bool> no_more{false};
  auto serving =
      std::async(std::launch::async, [&] { run_backends(book, std::move(backends), no_more); });
  auto playing = std::async(std::launch::async, [&] {
    run_clients(book, proxy ? proxy->address() : *settings.through, settings.concurrent);
  });
  playing.wait();
  // A connection that the proxy is through with has reached the backends.
  if (proxy && !book.has_seen_enough() && !proxy->becomes_idle())
    book.fail("the proxy keeps connections whose clients are gone");
  no_more = true;
  serving.get();
  playing.get();
}

void judge(Book& book, const Settings& settings, const RelayCounts& counts) {
  if (counts.connections_now > 0) book.fail("the proxy has a connection left");
  if (counts.in_map_now > 0) book.fail("the sockmap has a connection left");
  if (counts.mismatches > 0) book.fail(fmt::format("{} mismatches", counts.mismatches));
  const bool by_kernel = counts.to_backend.kernel_bytes > 0 && counts.to_client.kernel_bytes > 0;
  if (settings.engine == Engine::kSockmap && !settings.only && !by_kernel)
    book.fail("the kernel moved nothing");
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

void print_counts(const RelayCounts& counts) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  fmt::print(
      "; proxy: up {} MiB by kernel {} by user, down {} MiB by kernel {} by user, {} promoted, "
      "{} handed over, {} taken back, {} refused, {} resets, {} mismatches, {} lost_events events",
      counts.to_backend.kernel_bytes / kMiB, counts.to_backend.user_bytes / kMiB,
      counts.to_client.kernel_bytes / kMiB, counts.to_client.user_bytes / kMiB, counts.promoted,
      counts.handed_over, counts.taken_back, counts.refused_by_kernel, counts.resets,
      counts.mismatches, counts.lost_events);
}

}  // namespace

Outcome run(const Settings& settings) {
  const auto seeds = seeds_of(settings);
  Book book(seeds, settings.allowed, settings.replay);
  std::size_t aborted = 0;
  for (const auto seed : seeds)
    aborted += make_script(0, seed, settings.allowed).is_clean() ? 0 : 1;

  auto backends = listen_for_backends(settings);
  std::unique_ptr<ProxyUnderTest> proxy;
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
  RelayCounts counts;
  if (proxy) {
    counts = proxy->counts();
    judge(book, settings, counts);
  }
  print_summary(book, aborted, took.count());
  if (proxy) print_counts(counts);
  fmt::print("\n");
  return book.failures() == 0 ? Outcome::kPassed : Outcome::kFailed;
}

}  // namespace ambbpf::torture
