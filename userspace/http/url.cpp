// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/url.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <memory>
#include <new>

#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

struct FreeText {
  void operator()(char* text) const { curl_free(text); }
};
using Text = std::unique_ptr<char, FreeText>;

// Nothing where the URL has no such part.
std::optional<std::string> part_of(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) return std::nullopt;
  return Text(text).get();
}

// libcurl would take anything beyond ASCII, and decode %41.
bool has_odd_characters(std::string_view text) {
  const auto is_graphic = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  return !std::ranges::all_of(text, is_graphic) ||
         (!text.starts_with('[') && text.find('%') != std::string_view::npos);
}

// Into its brackets, where libcurl leaves it out.
std::string with_zone(std::string host, const std::optional<std::string>& zone) {
  if (zone) host.insert(host.size() - 1, "%25" + *zone);
  return host;
}

}  // namespace

Result<Authority> parse_authority(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    return fail(fmt::format("{} is not host[:port]: {}", quoted(text), why));
  };
  if (text.find_first_of("/?#") != std::string_view::npos) return refuse("there is more");
  if (has_odd_characters(text)) return refuse("characters that no host has");
  if (text.ends_with(':')) return refuse("no port behind the colon");
  const Url url(curl_url());
  if (!url) throw std::bad_alloc();
  const auto whole = fmt::format("http://{}", text);
  const auto code = curl_url_set(url.get(), CURLUPART_URL, whole.c_str(), CURLU_DISALLOW_USER);
  if (code != CURLUE_OK) return refuse(curl_url_strerror(code));
  Authority authority{
      with_zone(part_of(url, CURLUPART_HOST).value_or(""), part_of(url, CURLUPART_ZONEID)), {}};
  if (const auto port = part_of(url, CURLUPART_PORT))
    authority.port = static_cast<unsigned short>(std::stoul(*port));
  if (authority.port == 0) return refuse("port 0");
  return authority;
}

std::string to_string(const Authority& authority) {
  return authority.port ? fmt::format("{}:{}", authority.host, *authority.port) : authority.host;
}

std::string url_encode(std::string_view path) {
  if (path.empty()) return {};  // of which libcurl thinks that it has to measure it
  const Text text(curl_easy_escape(nullptr, path.data(), static_cast<int>(path.size())));
  if (!text) throw std::bad_alloc();
  std::string encoded = text.get();
  boost::algorithm::replace_all(encoded, "%2F", "/");
  return encoded;
}

}  // namespace ambbpf
