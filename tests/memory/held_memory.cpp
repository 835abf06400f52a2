// SPDX-License-Identifier: Apache-2.0
#include "tests/memory/held_memory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace ambbpf::test {
namespace {

// The number behind `name`, which a line of the file begins with or has among its words.
std::int64_t number_after(const std::string& name, const std::string& line_begins,
                          const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto at = line.starts_with(line_begins) ? line.find(name) : std::string::npos;
    if (at != std::string::npos) return std::stoll(line.substr(at + name.size()));
  }
  throw std::runtime_error("no " + name + " in " + path);
}

std::int64_t kibibytes(const std::string& name, const std::string& path) {
  return number_after(name, name, path) * 1024;
}

std::int64_t pages(std::int64_t count) { return count * ::sysconf(_SC_PAGESIZE); }

void count_descriptors(HeldMemory& held, const std::string& process) {
  for (const auto& entry : std::filesystem::directory_iterator(process + "/fd")) {
    std::error_code closed_meanwhile;
    const auto what = read_symlink(entry.path(), closed_meanwhile).string();
    if (closed_meanwhile) continue;
    ++held.descriptors;
    if (what.starts_with("pipe:")) ++held.pipes;
  }
}

std::int64_t nth_number(int n, const std::string& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  for (; n > 0; --n) file >> number;
  if (!file) throw std::runtime_error("cannot read " + path);
  return number;
}

}  // namespace

HeldMemory HeldMemory::of(pid_t process) {
  const auto directory = "/proc/" + std::to_string(process);
  HeldMemory held;
  held.user = kibibytes("Private_Clean:", directory + "/smaps_rollup") +
              kibibytes("Private_Dirty:", directory + "/smaps_rollup");
  count_descriptors(held, directory);
  held.tcp = pages(number_after(" mem ", "TCP:", "/proc/net/sockstat"));
  held.slab = kibibytes("Slab:", "/proc/meminfo");
  held.available = kibibytes("MemAvailable:", "/proc/meminfo");
  return held;
}

HeldMemory operator-(const HeldMemory& after, const HeldMemory& before) {
  return {.user = after.user - before.user,
          .descriptors = after.descriptors - before.descriptors,
          .pipes = after.pipes - before.pipes,
          .tcp = after.tcp - before.tcp,
          .slab = after.slab - before.slab,
          .available = after.available - before.available};
}

std::int64_t largest_send_buffer() { return nth_number(3, "/proc/sys/net/ipv4/tcp_wmem"); }
std::int64_t largest_receive_buffer() { return nth_number(3, "/proc/sys/net/ipv4/tcp_rmem"); }
std::int64_t tcp_memory_pressure() { return pages(nth_number(2, "/proc/sys/net/ipv4/tcp_mem")); }

}  // namespace ambbpf::test
