// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/libbpf.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "userspace/support/log.h"

namespace ambbpf {
namespace {

int log_line(libbpf_print_level level, const char* format, va_list arguments) {
  std::array<char, 512> line{};
  const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (size <= 0 || level == LIBBPF_DEBUG) return size;
  std::string_view text(line.data());
  while (text.ends_with('\n')) text.remove_suffix(1);
  log::debug("{}", text);
  return size;
}

}  // namespace

void log_libbpf_at_debug() { libbpf_set_print(log_line); }

std::vector<KernelProgram> kernel_programs_in(const void* object, std::size_t size) {
  log_libbpf_at_debug();
  std::vector<KernelProgram> found;
  bpf_object* opened = bpf_object__open_mem(object, size, nullptr);
  if (!opened) return found;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, opened)
      found.push_back({bpf_program__name(program), bpf_program__section_name(program)});
  bpf_object__close(opened);
  return found;
}

}  // namespace ambbpf
