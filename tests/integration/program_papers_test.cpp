// SPDX-License-Identifier: Apache-2.0
// What the program says of itself, and writes to be installed beside it.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tests/support/program.h"
#include "userspace/support/json.h"

namespace ambbpf::test {
namespace {

TEST(ProgramVersion, SaysWhatTheProgramWasBuiltFrom) {
  const auto ran = run({"version", "--json"}, {.environment = {}, .privileged = false});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto said = parse_json(ran.out);
  ASSERT_TRUE(said) << ran.out;
  EXPECT_EQ(string_at(*said, "version"), AMBBPF_VERSION);
  for (const auto* field : {"commit", "compiler"})
    EXPECT_FALSE(string_at(*said, field).value_or("").empty()) << field;
  const auto* libraries = object_at(*said, "libraries");
  ASSERT_TRUE(libraries) << ran.out;
  for (const auto* library : {"boost", "libbpf", "libcurl", "tls"})
    EXPECT_FALSE(string_at(*libraries, library).value_or("").empty()) << library;
  const auto* programs = array_at(*said, "kernel_programs");
  ASSERT_TRUE(programs) << ran.out;
  std::set<std::string_view> sections;
  for (const auto& program : programs->GetArray())
    sections.insert(string_at(program, "section").value_or(""));
  for (const auto* section : {"sk_skb/stream_verdict", "cgroup/connect4", "cgroup/connect6"})
    EXPECT_TRUE(sections.contains(section)) << section;
}

TEST(ProgramVersion, IsTheSameForPeople) {
  const auto ran = run({"version"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("ambbpf " AMBBPF_VERSION "\ncommit: ")) << ran.out;
  EXPECT_NE(ran.out.find("(sk_skb/stream_verdict)"), std::string::npos) << ran.out;
}

TEST(ProgramReference, IsWrittenBelowADirectoryThatItMakes) {
  const TemporaryDirectory place;
  const auto there = place.path() / "some" / "where";
  const auto ran = run({"reference", "--into", there.string()});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const auto* file : {"man/man1/ambbpf.1", "man/man1/ambbpf-run.1", "man/man5/ambbpf.toml.5",
                           "bash/ambbpf", "zsh/_ambbpf", "fish/ambbpf.fish"})
    EXPECT_GT(std::filesystem::file_size(there / file), 100U) << file;
}

TEST(ProgramReference, ThatCannotBeWrittenIsToldOf) {
  const TemporaryDirectory place;
  const auto file = place.path() / "file";
  std::ofstream(file) << "in the way";
  const auto ran = run({"reference", "--into", file.string()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "ambbpf: make " + (file / "man/man1").string() + ": Not a directory\n");
}

}  // namespace
}  // namespace ambbpf::test
