// SPDX-License-Identifier: Apache-2.0
// Configuration files.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/fuzz/require.h"
#include "tests/fuzz/sane_settings.h"
#include "userspace/config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ambbpf;
  // Of each process, for several may run at once; a directory, for what includes a pattern.
  static const auto directory =
      std::filesystem::temp_directory_path() / ("ambbpf-fuzz-" + std::to_string(::getpid()));
  static const auto file = directory / "ambbpf.toml";
  std::filesystem::create_directories(directory);
  std::ofstream(file) << fuzz::as_text(data, size);
  const auto loaded = load_settings(file);
  std::filesystem::remove_all(directory);
  if (loaded) {
    fuzz::require_sane(*loaded);
    return 0;
  }
  fuzz::require(!loaded.error().empty(), "what is refused has a mistake");
  for (const auto& mistake : loaded.error())
    fuzz::require(fuzz::is_plain(mistake.text()), "a mistake is one plain line");
  return 0;
}
