// SPDX-License-Identifier: Apache-2.0
// The built ambbpf as a user runs it.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ambbpf::test {

// A directory below /tmp that everybody may enter; gone with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct ProgramSetting {
  std::vector<std::string> environment;  // "NAME=value"; nothing else of ours but PATH is passed on
  bool privileged = true;                // false: as nobody, without a single capability
  std::optional<rlim_t> descriptors = std::nullopt;  // the limit of them; none: ours
  std::vector<int> closed = {};                      // of the standard descriptors
  std::optional<int> err = std::nullopt;             // for its stderr, instead of a file
  std::optional<int> out = std::nullopt;             // for its stdout, …
};

// One run. What it prints is kept in files; it is killed with the object, or with the test process.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, const ProgramSetting& setting = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  std::string out() const;
  std::string err() const;
  bool says(const std::string& text);  // on stderr, within 20 s and before it ends
  void signal(int number) const;
  bool running();
  int wait();  // for its end, 20 s at most; its exit code, or minus the signal that ended it

 private:
  std::optional<int> poll_end();

  TemporaryDirectory directory_;
  pid_t pid_ = -1;
  std::optional<int> ended_;
};

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

// From start to end.
Ran run(const std::vector<std::string>& arguments, const ProgramSetting& setting = {});

}  // namespace ambbpf::test
