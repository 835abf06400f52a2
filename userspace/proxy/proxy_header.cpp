// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/proxy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <boost/endian/conversion.hpp>
#include <vector>

#include "userspace/endpoints/endpoint.h"

namespace ambbpf {
namespace {

using Found = ProxyParse::Found;

constexpr std::string_view kWordOfOne = "PROXY ";
constexpr std::size_t kLongestOfOne = 107;  // with its CRLF
constexpr std::string_view kSignatureOfTwo("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedPart = 16;  // of version 2
constexpr std::size_t kAddressesOfV4 = 12;
constexpr std::size_t kAddressesOfV6 = 36;
constexpr std::size_t kTlvHead = 3;

enum Command : unsigned char { kLocal = 0x20, kProxied = 0x21 };  // with the version
enum Family : unsigned char { kUnspecified = 0x00, kTcp4 = 0x11, kTcp6 = 0x21, kUnixStream = 0x31 };
enum Tlv : unsigned char { kCrc32c = 0x03, kUniqueId = 0x05 };

ProxyParse malformed(std::string_view why) { return {.found = Found::kMalformed, .why = why}; }

unsigned char byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return boost::endian::load_big_u16(reinterpret_cast<const unsigned char*>(bytes.data()) + at);
}

std::optional<tcp::endpoint> endpoint_of(std::string_view address, std::string_view port,
                                         bool of_v6) {
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(std::string(address), error);
  unsigned number = 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  constexpr std::size_t kMostDigits = 5;
  if (error || ip.is_v6() != of_v6 || address.find('%') != address.npos || port.empty() ||
      port.size() > kMostDigits || !std::ranges::all_of(port, digit))
    return std::nullopt;
  for (const char c : port) number = number * 10 + static_cast<unsigned>(c - '0');
  if (number > 0xffff) return std::nullopt;
  return unmapped(tcp::endpoint(ip, static_cast<std::uint16_t>(number)));
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t begin = 0; begin <= line.size();) {
    const auto end = std::min(line.find(' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

// "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n"
ProxyParse parse_one(std::string_view bytes) {
  const auto end = bytes.substr(0, kLongestOfOne).find("\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= kLongestOfOne) return malformed("its line is longer than 107 bytes");
    return {.found = Found::kBeginning, .size = bytes.size() + 1};
  }
  ProxyParse parsed{.found = Found::kHeader, .size = end + 2};
  const auto words = words_of(bytes.substr(0, end));
  if (words[1] == "UNKNOWN") return parsed;
  constexpr std::size_t kWords = 6;
  const bool of_v6 = words[1] == "TCP6";
  if ((!of_v6 && words[1] != "TCP4") || words.size() != kWords)
    return malformed("its line is not PROXY TCP4|TCP6 CLIENT SERVER PORT PORT");
  const auto client = endpoint_of(words[2], words[4], of_v6);
  const auto server = endpoint_of(words[3], words[5], of_v6);
  if (!client || !server) return malformed("its line has an address or a port that is none");
  parsed.header.addresses = {*client, *server};
  return parsed;
}

template <class Address>
tcp::endpoint binary_endpoint(std::string_view bytes, std::size_t address, std::size_t port) {
  typename Address::bytes_type ip;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(address), ip.size(), ip.begin());
  return unmapped(tcp::endpoint(Address(ip), number_at(bytes, port)));
}

// The whole header, with the four bytes of the checksum as zeroes.
bool checksum_holds(std::string_view header, std::size_t at) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> sum;  // CRC32c, RFC 4960
  constexpr std::array<char, 4> kZeroes{};
  sum.process_bytes(header.data(), at);
  sum.process_bytes(kZeroes.data(), kZeroes.size());
  sum.process_bytes(header.data() + at + kZeroes.size(), header.size() - at - kZeroes.size());
  const auto* there = reinterpret_cast<const unsigned char*>(header.data()) + at;
  return sum.checksum() == boost::endian::load_big_u32(there);
}

// Those from `at` on, which fill the header. An empty answer: they do.
std::string_view read_tlvs(std::string_view header, std::size_t at, ProxyHeader& into) {
  while (at < header.size()) {
    if (header.size() - at < kTlvHead) return "its last field has no room";
    const auto type = byte_at(header, at);
    const std::size_t size = number_at(header, at + 1);
    at += kTlvHead;
    if (header.size() - at < size) return "a field is longer than the rest of it";
    if (type == kCrc32c && (size != 4 || !checksum_holds(header, at)))
      return "its checksum does not hold";
    if (type == kUniqueId && size > kLongestUniqueId) return "its unique id is too long";
    if (type == kUniqueId) into.unique_id = header.substr(at, size);
    at += size;
  }
  return {};
}

ProxyParse parse_two(std::string_view bytes) {
  if (bytes.size() < kFixedPart) return {.found = Found::kBeginning, .size = kFixedPart};
  const auto command = byte_at(bytes, 12);
  const auto family = byte_at(bytes, 13);
  const std::size_t size = kFixedPart + number_at(bytes, 14);
  if (command != kLocal && command != kProxied) return malformed("it has an unknown command");
  if (size > kLongestProxyHeader) return malformed("it is longer than 4096 bytes");
  if (bytes.size() < size) return {.found = Found::kBeginning, .size = size};
  bytes = bytes.substr(0, size);
  ProxyParse parsed{.found = Found::kHeader, .size = size};
  if (command == kLocal || family == kUnspecified || family == kUnixStream) return parsed;
  if (family != kTcp4 && family != kTcp6) return malformed("its addresses are not of TCP");
  const auto addresses = family == kTcp4 ? kAddressesOfV4 : kAddressesOfV6;
  if (size < kFixedPart + addresses) return malformed("it has no room for its addresses");
  if (family == kTcp4)
    parsed.header.addresses = {binary_endpoint<asio::ip::address_v4>(bytes, 16, 24),
                               binary_endpoint<asio::ip::address_v4>(bytes, 20, 26)};
  else
    parsed.header.addresses = {binary_endpoint<asio::ip::address_v6>(bytes, 16, 48),
                               binary_endpoint<asio::ip::address_v6>(bytes, 32, 50)};
  const auto wrong = read_tlvs(bytes, kFixedPart + addresses, parsed.header);
  return wrong.empty() ? parsed : malformed(wrong);
}

// Without the zone of a link-local address, which means nothing elsewhere.
tcp::endpoint as_v6(const tcp::endpoint& endpoint) {
  const auto& address = endpoint.address();
  if (address.is_v6()) return {asio::ip::address_v6(address.to_v6().to_bytes()), endpoint.port()};
  return {asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()), endpoint.port()};
}

// Both as IPv6 where one is.
ProxyHeader::Addresses of_one_family(const ProxyHeader::Addresses& addresses) {
  ProxyHeader::Addresses both{unmapped(addresses.client), unmapped(addresses.server)};
  if (both.client.address().is_v4() && both.server.address().is_v4()) return both;
  return {as_v6(both.client), as_v6(both.server)};
}

std::string write_one(const ProxyHeader& header) {
  if (!header.addresses) return "PROXY UNKNOWN\r\n";
  const auto [client, server] = of_one_family(*header.addresses);
  return fmt::format("PROXY {} {} {} {} {}\r\n", client.address().is_v6() ? "TCP6" : "TCP4",
                     client.address().to_string(), server.address().to_string(), client.port(),
                     server.port());
}

void append_number(std::string& text, std::size_t number) {
  text += static_cast<char>(number >> 8U);
  text += static_cast<char>(number & 0xffU);
}

void append_address(std::string& text, const asio::ip::address& address) {
  const auto append = [&text](const auto& bytes) { text.append(bytes.begin(), bytes.end()); };
  address.is_v6() ? append(address.to_v6().to_bytes()) : append(address.to_v4().to_bytes());
}

std::string write_two(const ProxyHeader& header) {
  std::string rest;
  auto family = kUnspecified;
  if (header.addresses) {
    const auto [client, server] = of_one_family(*header.addresses);
    family = client.address().is_v6() ? kTcp6 : kTcp4;
    append_address(rest, client.address());
    append_address(rest, server.address());
    append_number(rest, client.port());
    append_number(rest, server.port());
  }
  if (header.addresses && !header.unique_id.empty()) {
    rest += static_cast<char>(kUniqueId);
    append_number(rest, header.unique_id.size());
    rest += header.unique_id;
  }
  std::string text(kSignatureOfTwo);
  text += static_cast<char>(header.addresses ? kProxied : kLocal);
  text += static_cast<char>(family);
  append_number(text, rest.size());
  return text + rest;
}

bool may_begin_with(std::string_view bytes, std::string_view mark) {
  return bytes.substr(0, mark.size()) == mark.substr(0, bytes.size());
}

}  // namespace

ProxyParse parse_proxy_header(std::string_view bytes) {
  for (const auto& [mark, parse] :
       {std::pair(kWordOfOne, &parse_one), std::pair(kSignatureOfTwo, &parse_two)})
    if (may_begin_with(bytes, mark))
      return bytes.size() < mark.size()
                 ? ProxyParse{.found = Found::kBeginning, .size = bytes.size() + 1}
                 : parse(bytes);
  return {.found = Found::kNoHeader};
}

std::string write_proxy_header(ProxyVersion version, const ProxyHeader& header) {
  if (version == ProxyVersion::kNone) return {};
  return version == ProxyVersion::kOne ? write_one(header) : write_two(header);
}

}  // namespace ambbpf
