// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/stream.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace ambbpf::torture {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kBlock = 512;  // words made at a time; they stay in the first cache

}  // namespace

void Stream::fill(std::uint64_t offset, std::span<std::byte> bytes) const {
  std::array<std::uint64_t, kBlock> block;
  while (!bytes.empty()) {
    const std::size_t skip = offset % kWord;
    const auto size = std::min(bytes.size(), kBlock * kWord - skip);
    const auto words = (skip + size + kWord - 1) / kWord;
    for (std::size_t i = 0; i < words; ++i) block[i] = word(offset / kWord + i);
    std::memcpy(bytes.data(), reinterpret_cast<const std::byte*>(block.data()) + skip, size);
    offset += size;
    bytes = bytes.subspan(size);
  }
}

std::optional<std::uint64_t> Stream::first_difference(std::uint64_t offset,
                                                      std::span<const std::byte> bytes) const {
  std::array<std::byte, kBlock * kWord> expected;
  while (!bytes.empty()) {
    const auto size = std::min(bytes.size(), expected.size());
    fill(offset, std::span(expected).first(size));
    if (std::memcmp(bytes.data(), expected.data(), size) != 0) {
      const auto differs =
          std::mismatch(bytes.begin(), bytes.begin() + static_cast<long>(size), expected.begin());
      return offset + static_cast<std::uint64_t>(differs.first - bytes.begin());
    }
    offset += size;
    bytes = bytes.subspan(size);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Stream::find(std::span<const std::byte> bytes,
                                          std::uint64_t size) const {
  std::vector<std::byte> all(size);
  fill(0, all);
  const auto found = std::search(all.begin(), all.end(), bytes.begin(), bytes.end());
  if (found == all.end()) return std::nullopt;
  return static_cast<std::uint64_t>(found - all.begin());
}

}  // namespace ambbpf::torture
