// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/probe.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "userspace/dataplane/probe_line.h"
#include "userspace/support/capabilities.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kAFew = 1000;
constexpr std::size_t kMany = 256 * 1024;
constexpr std::size_t kStallBound =
    32 * 1024 * 1024;  // what a connection may hold for a slow reader

void early_bytes(ProbeLine& line, TrialRelay& relay) {
  line.client.send(kAFew);
  line.join(relay);
  line.backend.expect(kAFew);
}

void to_and_fro(ProbeLine& line, TrialRelay& relay) {
  line.join(relay);
  for (int turn = 0; turn < 20; ++turn) {
    line.client.send(kAFew);
    line.backend.expect(kAFew);
    line.backend.send(kAFew);
    line.client.expect(kAFew);
  }
}

// As much of it as the buffers on the way hold, so that the end comes while it is under way.
void send_and_finish(ProbePeer& from, ProbePeer& to) {
  const auto sent = from.send_until_stalled(kMany);
  from.finish();
  to.expect(sent);
  to.expect_end();
}

void end_after_data(ProbeLine& line, TrialRelay& relay) {
  to_and_fro(line, relay);
  send_and_finish(line.client, line.backend);
}

void half_close(ProbeLine& line, TrialRelay& relay) {
  end_after_data(line, relay);
  std::this_thread::sleep_for(20ms);  // a quiet backend is not a finished one
  send_and_finish(line.backend, line.client);
}

void slow_reader(ProbeLine& line, TrialRelay& relay) {
  to_and_fro(line, relay);
  const auto taken = line.client.send_until_stalled(kStallBound);
  line.client.finish();
  if (taken >= kStallBound && line.failure.empty()) line.failure = "nothing slows the sender down";
  line.backend.expect(taken);
  line.backend.expect_end();
}

// Before Linux 6.0 an urgent byte hides from the kernel program, and what follows it may be lost.
void urgent_bytes(ProbeLine& line, TrialRelay& relay) {
  to_and_fro(line, relay);
  for (int turn = 0; turn < 3; ++turn) {
    line.client.send(kAFew);
    line.client.send_urgent_byte();
    line.backend.expect(kAFew + 1);
  }
}

struct Behaviour {
  const char* what;
  void (*story)(ProbeLine&, TrialRelay&);
  bool ipv6 = false;
};
constexpr Behaviour kBehaviours[] = {
    {"early bytes", early_bytes}, {"to and fro", to_and_fro},   {"end after data", end_after_data},
    {"half-close", half_close},   {"slow reader", slow_reader}, {"urgent bytes", urgent_bytes},
    {"IPv6", half_close, true},
};

Finding try_behaviour(const Behaviour& behaviour, TrialRelay& relay) {
  Finding finding{.what = behaviour.what, .ok = false, .detail = {}};
  const auto loopback = behaviour.ipv6 ? asio::ip::address(asio::ip::address_v6::loopback())
                                       : asio::ip::address(asio::ip::address_v4::loopback());
  auto line = ProbeLine::open(loopback);
  if (!line) {
    // A host without IPv6 does not need an engine that can do it.
    finding.ok = behaviour.ipv6;
    finding.detail = line.error().message();
    return finding;
  }
  behaviour.story(**line, relay);
  finding.detail = (*line)->failure;
  finding.ok = finding.detail.empty();
  return finding;
}

bool exists(const char* path) {
  struct stat status {};
  return ::stat(path, &status) == 0;
}

std::string advice(const std::vector<std::string>& missing) {
  if (!missing.empty())
    return fmt::format("it lacks {}; ambbpf doctor says how to give it that",
                       fmt::join(missing, ", "));
  if (!exists("/sys/kernel/btf/vmlinux"))
    return "the kernel has no type information: it needs CONFIG_DEBUG_INFO_BTF=y";
  return "the kernel needs CONFIG_BPF_SYSCALL, CONFIG_BPF_STREAM_PARSER and CONFIG_INET, 6.0 or "
         "later; --log-level debug shows what libbpf said";
}

}  // namespace

EngineTrial try_engine(Engine engine) {
  const auto start = std::chrono::steady_clock::now();
  EngineTrial trial{.engine = engine,
                    .refusal = {},
                    .advice = {},
                    .missing_capabilities = {},
                    .findings = {},
                    .took = {}};
  auto relay = TrialRelay::start(engine);
  if (!relay) {
    trial.refusal = relay.error().message();
    trial.missing_capabilities = capabilities_missing_for_bpf();
    trial.advice = advice(trial.missing_capabilities);
  } else {
    for (const auto& behaviour : kBehaviours)
      trial.findings.push_back(try_behaviour(behaviour, **relay));
    if (engine == Engine::kSockmap) {
      const auto counts = (*relay)->counts();
      const bool used = counts.to_backend.kernel_bytes > 0 && counts.to_client.kernel_bytes > 0;
      trial.findings.push_back({.what = "moved by the kernel",
                                .ok = used,
                                .detail = used ? "" : "every byte came back to user space"});
    }
    const auto bad = std::find_if(trial.findings.begin(), trial.findings.end(),
                                  [](const auto& finding) { return !finding.ok; });
    if (bad != trial.findings.end())
      trial.refusal = fmt::format("self-test '{}': {}", bad->what, bad->detail);
  }
  trial.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  return trial;
}

Result<EngineChoice> best_engine() {
  EngineChoice choice;
  for (const auto engine : {Engine::kSockmap, Engine::kSplice, Engine::kCopy}) {
    choice.engine = engine;
    choice.trials.push_back(try_engine(engine));
    if (choice.trials.back().usable()) return choice;
  }
  return fail("no engine works here: " + choice.trials.back().refusal);
}

Result<EngineChoice> engine_that_was_asked_for(Engine engine) {
  EngineChoice choice{.engine = engine, .trials = {try_engine(engine)}};
  const auto& trial = choice.trials.back();
  if (!trial.usable())
    return fail(fmt::format("--engine {}: {}{}{}", name_of(engine), trial.refusal,
                            trial.advice.empty() ? "" : "; ", trial.advice));
  return choice;
}

}  // namespace ambbpf
