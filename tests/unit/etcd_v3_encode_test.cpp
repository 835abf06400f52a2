// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/etcd/v3_encode.h"

namespace ambbpf {
namespace {

TEST(EtcdV3Encode, PasswordsAreEscaped) {
  EXPECT_EQ(encode_v3_authenticate({"amb", "a\"b\\c\n"}),
            R"({"name":"amb","password":"a\"b\\c\n"})");
}

TEST(EtcdV3Encode, RequestsCoverWhatIsBelowTheDirectory) {
  EXPECT_EQ(encode_v3_range({"/services/web"}),
            R"({"key":"L3NlcnZpY2VzL3dlYi8=","range_end":"L3NlcnZpY2VzL3dlYjA="})");
  EXPECT_EQ(encode_v3_range({"/services/web", "/services/web/a", 5, 7}),
            R"({"key":"L3NlcnZpY2VzL3dlYi9h","range_end":"L3NlcnZpY2VzL3dlYjA=",)"
            R"("limit":"5","revision":"7"})");
  EXPECT_EQ(encode_v3_watch("/services/web", 18446744073709551615U),
            R"({"create_request":{"key":"L3NlcnZpY2VzL3dlYi8=","range_end":"L3NlcnZpY2VzL3dlYjA=",)"
            R"("start_revision":"18446744073709551615","progress_notify":true}})");
}

TEST(EtcdV3Encode, TransactionsSayWhatTheyAreAsked) {
  EXPECT_EQ(encode_v3_put("a", "b", 7, false),
            R"({"success":[{"request_put":{"key":"YQ==","value":"Yg==","lease":"7"}}]})");
  EXPECT_EQ(encode_v3_put("a", "b", 7, true),
            R"({"compare":[{"key":"YQ==","target":"CREATE","result":"EQUAL",)"
            R"("create_revision":"0"}],)"
            R"("success":[{"request_put":{"key":"YQ==","value":"Yg==","lease":"7"}}],)"
            R"("failure":[{"request_range":{"key":"YQ=="}}]})");
  EXPECT_EQ(encode_v3_remove("a", 9),
            R"({"compare":[{"key":"YQ==","target":"MOD","result":"EQUAL","mod_revision":"9"}],)"
            R"("success":[{"request_delete_range":{"key":"YQ=="}}],)"
            R"("failure":[{"request_range":{"key":"YQ=="}}]})");
  EXPECT_EQ(encode_v3_read({"a", "b"}),
            R"({"success":[{"request_range":{"key":"YQ=="}},{"request_range":{"key":"Yg=="}}]})");
}

}  // namespace
}  // namespace ambbpf
