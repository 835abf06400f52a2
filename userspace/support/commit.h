// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ambbpf {

// Of the sources that this was built from, as main() has said; "unknown" before, and in tests. So
// that a new commit compiles main() anew, and nothing else.
const char* commit();
void set_commit(const char* commit);  // before there are threads

}  // namespace ambbpf
