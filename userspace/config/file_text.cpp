// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/file_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/support/unique_fd.h"

namespace ambbpf {

Result<std::string> file_text(const std::string& file) {
  constexpr std::size_t kLargest = 8UL << 20U;  // bytes; 1,000 services take some 100,000
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat about {};
  if (!opened || ::fstat(opened.get(), &about) != 0) return fail_errno("cannot be read");
  if (S_ISDIR(about.st_mode)) return fail("cannot be read: it is a directory");
  if (!S_ISREG(about.st_mode)) return fail("cannot be read: it is not a regular file");
  std::string text;
  for (;;) {
    constexpr std::size_t kAtOnce = 65536;
    const auto size = text.size();
    text.resize(size + kAtOnce);
    const auto got = ::read(opened.get(), text.data() + size, kAtOnce);
    if (got < 0) return fail_errno("cannot be read");
    text.resize(size + static_cast<std::size_t>(got));
    if (got == 0) return text;
    if (text.size() > kLargest) return fail(fmt::format("more than {} MiB", kLargest >> 20U));
  }
}

}  // namespace ambbpf
