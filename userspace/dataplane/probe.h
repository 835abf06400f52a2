// SPDX-License-Identifier: Apache-2.0
// Finds out what the kernel can do by doing it: versions are not asked.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "userspace/dataplane/engine.h"
#include "userspace/support/result.h"

namespace ambbpf {

// One behaviour that an engine was tried for, on loopback.
struct Finding {
  std::string what;  // "early bytes"
  bool ok = false;
  std::string detail;  // why not; or a remark
};

struct EngineTrial {
  Engine engine = Engine::kCopy;
  std::string refusal;                            // why the engine cannot be used; empty: it can
  std::string advice;                             // what to do about it; may be empty
  std::vector<std::string> missing_capabilities;  // of those that the kernel program takes
  std::vector<Finding> findings;
  std::chrono::milliseconds took{};

  bool usable() const { return refusal.empty(); }
};

// Moves a few connections of its own through the engine, in well under a second.
EngineTrial try_engine(Engine engine);

struct EngineChoice {
  Engine engine = Engine::kCopy;
  std::vector<EngineTrial> trials;  // in the order tried; the last one is of `engine`
};

// The first that passes of sockmap, splice, copy. Fails when not even copying works.
Result<EngineChoice> best_engine();

// That one, or an error that says why it cannot be used.
Result<EngineChoice> engine_that_was_asked_for(Engine engine);

}  // namespace ambbpf
