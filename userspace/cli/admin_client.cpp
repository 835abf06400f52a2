// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/admin_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

namespace ambbpf {
namespace {

constexpr std::chrono::milliseconds kTimeout{3'000};      // for the whole answer
constexpr std::size_t kLongestAnswer = 64 * 1024 * 1024;  // bytes

struct EndCurl {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

std::size_t append(char* data, std::size_t, std::size_t size, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size > kLongestAnswer) return 0;  // fails the transfer
  body.append(data, size);
  return size;
}

}  // namespace

std::string AdminAnswer::first_line() const {
  return body.substr(0, std::min<std::size_t>(body.find('\n'), 200));
}

Error AdminAnswer::as_error() const {
  return {.what = fmt::format("answered {}: {}", code, first_line()), .code = {}};
}

std::string escaped_for_query(std::string_view text) {
  const std::unique_ptr<char, decltype(&curl_free)> escaped(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
  return escaped ? escaped.get() : "";
}

Result<AdminAnswer> ask_process(const std::filesystem::path& socket, const std::string& path,
                                Method method, std::chrono::seconds wait) {
  const std::unique_ptr<CURL, EndCurl> easy(curl_easy_init());
  if (!easy) return fail("libcurl cannot be set up");
  const std::string url = "http://localhost" + path;
  AdminAnswer answer;
  std::array<char, CURL_ERROR_SIZE> why{};
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  if (method == Method::kPost) curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, "");
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>((kTimeout + wait).count()));
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer.body);
  if (const auto result = curl_easy_perform(easy.get()); result != CURLE_OK) {
    long error = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_OS_ERRNO, &error);
    // libcurl speaks of localhost and its port 80.
    if (result == CURLE_COULDNT_CONNECT && error != 0)
      return fail_errno("connect", static_cast<int>(error));
    return fail(why[0] ? why.data() : curl_easy_strerror(result));
  }
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer.code);
  return answer;
}

}  // namespace ambbpf
