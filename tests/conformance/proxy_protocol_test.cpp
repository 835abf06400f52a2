// SPDX-License-Identifier: Apache-2.0
// PROXY headers, taken from clients and sent to backends, with every engine: no byte of either side
// is lost or made up, however the header arrives.
#include <thread>

#include "tests/conformance/relay_promises.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using Clients = ProxyProtocol::Clients;
using namespace std::chrono_literals;

constexpr std::string_view kHeader = "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n";

ProxyProtocol reading(Clients clients) {
  return {.clients = clients, .trusted = {*Network::parse("127.0.0.0/8")}};
}

// Reads the header that the proxy has sent, and nothing behind it.
ProxyHeader header_at(Peer& backend) {
  std::string bytes;
  auto parsed = parse_proxy_header(bytes);
  for (; parsed.found == ProxyParse::Found::kBeginning; parsed = parse_proxy_header(bytes))
    bytes += backend.read(1);
  EXPECT_EQ(parsed.found, ProxyParse::Found::kHeader) << parsed.why;
  return parsed.header;
}

std::string text_of(const std::optional<ProxyHeader::Addresses>& addresses) {
  if (!addresses) return "none";
  return to_string(addresses->client) + " to " + to_string(addresses->server);
}

class ProxyProtocolPromises : public RelayPromises {
 protected:
  void serve_with(const ProxyProtocol& proxy) { serve_with_proxy_protocol(proxy); }

  // Both ways, and to the end: the proxy's books are looked at by TearDown().
  void expect_exchange(Peer& from, Peer& to, std::string_view sent_already = {}) {
    const auto question = bytes_from_seed(1, 300 * kKiB);
    const auto answer = bytes_from_seed(2, 200 * kKiB);
    auto asking = in_background([&] { from.send_and_finish(question); });
    EXPECT_TRUE(same(to.read_all(), std::string(sent_already) + question));
    to.send_and_finish(answer);
    EXPECT_TRUE(same(from.read_all(), answer));
  }

  void expect_refusal(Peer& refused) {
    EXPECT_EQ(refused.read_until_end().error, std::errc::connection_reset);
  }
};

INSTANTIATE_TEST_SUITE_P(EveryEngine, ProxyProtocolPromises, ::testing::ValuesIn(every_engine()),
                         name_of_engine);

}  // namespace

TEST_P(ProxyProtocolPromises, TakesTheHeaderAndNoByteBehindIt) {
  serve_with(reading(Clients::kMustSend));
  client = connect();
  client.send(std::string(kHeader) + "more");
  backend = listener->accept();
  expect_exchange(client, backend, "more");
}

TEST_P(ProxyProtocolPromises, TakesAHeaderThatComesInPieces) {
  serve_with(reading(Clients::kMustSend));
  const ProxyHeader header{
      .addresses = {{*parse_address("192.0.2.1:1"), *parse_address("192.0.2.2:2")}},
      .unique_id = "id"};
  for (const auto& text : {std::string(kHeader), write_proxy_header(ProxyVersion::kTwo, header)}) {
    client = connect();
    for (const char byte : text) {
      client.send({&byte, 1});
      std::this_thread::sleep_for(1ms);
    }
    backend = listener->accept();
    expect_exchange(client, backend);
  }
}

TEST_P(ProxyProtocolPromises, TellsTheBackendWhoTheClientIs) {
  for (const auto version : {ProxyVersion::kOne, ProxyVersion::kTwo}) {
    serve_with({.to_backend = version});
    client = connect();
    backend = listener->accept();
    const auto header = header_at(backend);
    EXPECT_EQ(text_of(header.addresses),
              to_string(local_address(client.socket())) + " to " + to_string(proxy->address()));
    EXPECT_EQ(header.unique_id.size(), version == ProxyVersion::kTwo ? 32U : 0U);
    expect_exchange(client, backend);
  }
}

TEST_P(ProxyProtocolPromises, PassesOnWhoTheClientIs) {
  auto both = reading(Clients::kMustSend);
  both.to_backend = ProxyVersion::kTwo;
  serve_with(both);
  const ProxyHeader header{
      .addresses = {{*parse_address("192.0.2.1:51234"), *parse_address("192.0.2.2:443")}},
      .unique_id = "given before"};
  client = connect();
  client.send(write_proxy_header(ProxyVersion::kTwo, header) + "more");
  backend = listener->accept();
  const auto passed = header_at(backend);
  EXPECT_EQ(text_of(passed.addresses), "192.0.2.1:51234 to 192.0.2.2:443");
  EXPECT_EQ(passed.unique_id, "given before");
  expect_exchange(client, backend, "more");
}

TEST_P(ProxyProtocolPromises, SpeaksOfTheConnectionItselfWhereTheHeaderDoesNot) {
  auto both = reading(Clients::kMustSend);
  both.to_backend = ProxyVersion::kOne;
  serve_with(both);
  client = connect();
  client.send("PROXY UNKNOWN\r\n");
  backend = listener->accept();
  EXPECT_EQ(text_of(header_at(backend).addresses),
            to_string(local_address(client.socket())) + " to " + to_string(proxy->address()));
  expect_exchange(client, backend);
}

TEST_P(ProxyProtocolPromises, MayDoWithoutAHeader) {
  serve_with(reading(Clients::kMaySend));
  client = connect();
  client.send("no header");
  backend = listener->accept();
  expect_exchange(client, backend, "no header");

  Peer silent = connect();
  silent.finish();
  Peer its_backend = listener->accept();
  EXPECT_EQ(its_backend.read_all(), "");
  its_backend.send_and_finish("answer");
  EXPECT_EQ(silent.read_all(), "answer");
  EXPECT_EQ(proxy->service().no_proxy_header, 0U);
}

TEST_P(ProxyProtocolPromises, ResetsWhoHasNoHeaderWhereOneHasToBe) {
  serve_with(reading(Clients::kMustSend));
  Peer without = connect();
  without.send("GET / HTTP/1.1\r\n\r\n");
  expect_refusal(without);
  Peer half = connect();
  half.send_and_finish(kHeader.substr(0, 20));
  expect_refusal(half);
  Peer silent = connect();
  silent.finish();
  expect_refusal(silent);
  EXPECT_EQ(proxy->service().no_proxy_header, 3U);
  EXPECT_EQ(proxy->service().malformed_proxy_headers, 0U);
  Peer wrong = connect();
  wrong.send("PROXY TCP4 192.0.2.1 nonsense 1 2\r\n");
  expect_refusal(wrong);
  EXPECT_EQ(proxy->service().malformed_proxy_headers, 1U);
}

TEST_P(ProxyProtocolPromises, BelievesNobodyElse) {
  auto elsewhere = reading(Clients::kMustSend);
  elsewhere.trusted = {*Network::parse("192.0.2.0/24")};
  serve_with(elsewhere);
  Peer stranger = connect();
  expect_refusal(stranger);
  EXPECT_EQ(proxy->service().no_proxy_header, 1U);
  EXPECT_EQ(proxy->service().connections_total, 0U);

  elsewhere.clients = Clients::kMaySend;
  serve_with(elsewhere);
  client = connect();
  client.send(kHeader);
  backend = listener->accept();
  expect_exchange(client, backend, kHeader);
}

TEST_P(ProxyProtocolPromises, ResetsWhoIsAboutToSendOneAtShutdown) {
  serve_with(reading(Clients::kMustSend));
  Peer greeting = connect();
  greeting.send(kHeader.substr(0, 20));
  ASSERT_TRUE(eventually([&] { return proxy->service().connections_now == 1; }));
  proxy->reset_all();
  expect_refusal(greeting);
}

TEST_P(ProxyProtocolPromises, MovesBytesByTheKernelAsElsewhere) {
  if (!promotes_at_once()) return;
  auto both = reading(Clients::kMustSend);
  both.to_backend = ProxyVersion::kTwo;
  serve_with(both);
  client = connect();
  client.send(kHeader);
  backend = listener->accept();
  header_at(backend);
  let_the_kernel_take_over();
  for (int turn = 0; turn < 20; ++turn) {
    client.send("question");
    EXPECT_EQ(backend.read(8), "question");
    backend.send("answer");
    EXPECT_EQ(client.read(6), "answer");
  }
  expect_bytes_moved_by_the_kernel();
}

}  // namespace ambbpf::test
