// SPDX-License-Identifier: Apache-2.0
// What Docker Engines answered. Recorded from 20.10.24, which serves APIs from 1.12 to 1.41; what
// other engines leave out or say differently (version_1.24, events_1.20, all of 1.52) was taken out
// of these recordings. The fuzzer begins with the same files.
#pragma once

#include <string>

namespace ambbpf::test {

// The content of tests/fuzz/seeds/docker_answers/NAME.
std::string recorded(const std::string& name);

// `text` with `from`, which must be there, as `to` throughout.
std::string with(std::string text, const std::string& from, const std::string& to);

}  // namespace ambbpf::test
