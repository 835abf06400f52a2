// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/commit.h"

namespace ambbpf {

namespace {
const char* the_commit = "unknown";
}  // namespace

const char* commit() { return the_commit; }
void set_commit(const char* commit) { the_commit = commit; }

}  // namespace ambbpf
