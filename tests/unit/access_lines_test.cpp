// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "userspace/access/lines.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/support/json.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;

AccessRecord record_of(const std::string& service) {
  return {.origin = std::make_shared<const AccessOrigin>(
              AccessOrigin{service, parse_address("127.0.0.1:8080").value()}),
          .client = parse_address("10.0.0.9:40000").value(),
          .endpoint = parse_address("[fd00::1]:80").value(),
          .ended = std::chrono::system_clock::time_point(1'795'745'950s + 42us),
          .lasted = 1'234'567us,
          .connected_after = 89us,
          .bytes_to_backend = 100,
          .bytes_to_client = 2'000,
          .kernel_bytes = 30,
          .tries = 2,
          .reason = EndReason::kBackendReset};
}

AccessRecord refused_record() {
  auto record = record_of("web");
  record.endpoint = {};
  record.connected_after.reset();
  record.bytes_to_backend = record.bytes_to_client = record.kernel_bytes = 0;
  record.tries = 0;
  record.reason = EndReason::kNoEndpoint;
  return record;
}

std::string line_of(const AccessRecord& record, AccessFormat format,
                    AccessLines::Frame frame = AccessLines::Frame::kLine) {
  AccessLines lines(format, frame);
  fmt::memory_buffer text;
  lines.append(record, text);
  return fmt::to_string(text);
}

TEST(AccessLine, HasEveryFieldAsText) {
  EXPECT_EQ(line_of(record_of("team/web"), AccessFormat::kText),
            "time=2026-11-27T02:19:10.000042Z service=team/web listener=127.0.0.1:8080 "
            "client=10.0.0.9:40000 endpoint=[fd00::1]:80 bytes_to_backend=100 "
            "bytes_to_client=2000 kernel_bytes=30 duration_ms=1234.567 connect_ms=0.089 tries=2 "
            "reason=backend_reset\n");
}

TEST(AccessLine, HasEveryFieldAsJson) {
  EXPECT_EQ(line_of(record_of("team/web"), AccessFormat::kJson),
            R"({"time":"2026-11-27T02:19:10.000042Z","service":"team/web",)"
            R"("listener":"127.0.0.1:8080","client":"10.0.0.9:40000","endpoint":"[fd00::1]:80",)"
            R"("bytes_to_backend":100,"bytes_to_client":2000,"kernel_bytes":30,)"
            R"("duration_ms":1234.567,"connect_ms":0.089,"tries":2,"reason":"backend_reset"})"
            "\n");
}

TEST(AccessLine, OfOneThatHadNoEndpointSaysSo) {
  EXPECT_THAT(line_of(refused_record(), AccessFormat::kText),
              testing::AllOf(HasSubstr(" endpoint=- "), HasSubstr(" connect_ms=- tries=0 "),
                             EndsWith(" reason=no_endpoint\n")));
  const auto line = line_of(refused_record(), AccessFormat::kJson);
  const auto parsed = parse_json(line);
  ASSERT_TRUE(parsed) << line;
  EXPECT_FALSE(field_at(*parsed, "endpoint"));
  EXPECT_FALSE(field_at(*parsed, "connect_ms"));
  EXPECT_EQ(uint_at(*parsed, "tries"), 0U);
}

TEST(AccessLine, ShowsAClientOfIpv4AsSuchAlsoOnAListenerOfIpv6) {
  auto record = record_of("web");
  record.client = parse_address("[::ffff:10.0.0.9]:40000").value();
  EXPECT_THAT(line_of(record, AccessFormat::kText), HasSubstr(" client=10.0.0.9:40000 "));
}

TEST(AccessLine, CannotBeForgedByTheNameOfAService) {
  const std::string name = "a' reason=x\n\\{\"\xff\xc3\xa4";
  const auto text = line_of(record_of(name), AccessFormat::kText);
  EXPECT_THAT(text,
              HasSubstr(R"( service='a\x27 reason=x\n\x5c{"\xff\xc3\xa4' listener=127.0.0.1)"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);

  const auto json = line_of(record_of(name), AccessFormat::kJson);
  EXPECT_EQ(std::ranges::count(json, '\n'), 1);
  const auto parsed = parse_json(json);
  ASSERT_TRUE(parsed) << json;
  EXPECT_EQ(string_at(*parsed, "service"), "a' reason=x\n\\{\"\xef\xbf\xbd\xc3\xa4");
  EXPECT_EQ(string_at(*parsed, "reason"), "backend_reset");

  const auto entry =
      line_of(record_of(name), AccessFormat::kText, AccessLines::Frame::kJournalEntry);
  EXPECT_EQ(entry.find("\n\n"), entry.size() - 2);
}

TEST(AccessLine, KnowsServicesAndEndpointsApartHoweverManyThereAre) {
  AccessLines lines(AccessFormat::kText, AccessLines::Frame::kLine);
  for (int i = 0; i < 10'000; ++i) {
    auto record = record_of(fmt::format("s{}", i));
    record.endpoint.port(static_cast<unsigned short>(i + 1));
    for (int twice = 0; twice < 2; ++twice) {
      fmt::memory_buffer text;
      lines.append(record, text);
      const std::string_view line(text.data(), text.size());
      ASSERT_NE(line.find(fmt::format(" service=s{} ", i)), std::string_view::npos) << line;
      ASSERT_NE(line.find(fmt::format(" endpoint=[fd00::1]:{} ", i + 1)), std::string_view::npos);
    }
  }
}

TEST(EndReasons, HaveAWordEach) {
  for (const auto& [reason, word] : kEndReasons) EXPECT_EQ(name_of(reason), word);
}

}  // namespace
}  // namespace ambbpf::test
