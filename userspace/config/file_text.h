// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/support/result.h"

namespace ambbpf {

// Of a regular file of a size that a person could have written; waits for nobody.
Result<std::string> file_text(const std::string& file);

}  // namespace ambbpf
