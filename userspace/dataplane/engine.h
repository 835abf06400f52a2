// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace ambbpf {

// How the bytes of a connection are moved. All engines look the same to the two peers.
enum class Engine {
  kSockmap,  // by the kernel program; user space only while it must
  kSplice,   // splice(2) through a pipe
  kCopy,     // recv and send
};

constexpr std::string_view name_of(Engine engine) {
  return engine == Engine::kSockmap ? "sockmap" : engine == Engine::kSplice ? "splice" : "copy";
}

constexpr std::optional<Engine> engine_named(std::string_view name) {
  for (const auto engine : {Engine::kSockmap, Engine::kSplice, Engine::kCopy})
    if (name == name_of(engine)) return engine;
  return std::nullopt;
}

}  // namespace ambbpf
