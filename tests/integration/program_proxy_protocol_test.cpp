// SPDX-License-Identifier: Apache-2.0
// PROXY headers that HAProxy writes and HAProxy, nginx and Apache read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "tests/support/borrowed_socket.h"
#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "tests/support/start_server.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using testing::HasSubstr;

class ProgramProxyProtocol : public testing::Test {
 protected:
  void TearDown() override {
    for (const auto server : servers) {
      ::kill(server, SIGKILL);
      ::waitpid(server, nullptr, 0);
    }
  }

  std::string at(const char* name) const { return (place.path() / name).string(); }

  void serve(const std::vector<std::string>& words, const tcp::endpoint& listens_on) {
    servers.push_back(start_server(words, at("servers.log")));
    ASSERT_TRUE(eventually([&] { return !is_refused(listens_on); }));
  }

  std::string written(const char* name, const std::string& text) const {
    std::ofstream(at(name)) << text;
    return at(name);
  }

  // HAProxy on `first`, which sends `header` to the program.
  void start_sender(const std::string& header) {
    serve({"/usr/sbin/haproxy", "-db", "-f",
           written("sender.cfg",
                   "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n"
                   " timeout server 20s\nlisten front\n bind " +
                       to_string(first) + "\n server program " + to_string(front) + " " + header +
                       "\n")},
          first);
  }

  // HAProxy on `backend`, which answers with who it thinks the client is.
  void start_reader() {
    serve({"/usr/sbin/haproxy", "-db", "-f",
           written("reader.cfg",
                   "defaults\n mode http\n timeout connect 5s\n timeout client 20s\n"
                   " timeout server 20s\nfrontend back\n bind " +
                       to_string(backend) +
                       " accept-proxy\n http-request return status 200 content-type text/plain "
                       "lf-string \"client %[src]:%[src_port] id %[fc_pp_unique_id]\"\n")},
          backend);
  }

  // The program on `front`.
  std::vector<std::string> forward(const std::vector<std::string>& more) const {
    std::vector<std::string> words{"forward",        to_string(backend), "--listen",
                                   to_string(front), "--admin",          at("admin.sock")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // A request to `server`, and who asked.
  static std::string get(const tcp::endpoint& server, std::string& own_address) {
    Peer client = Peer::connect_to(server);
    own_address = to_string(local_address(client.socket()));
    client.send("GET / HTTP/1.0\r\n\r\n");
    return client.read_until_end().bytes;
  }

  void expect_the_client_is_known(const tcp::endpoint& server, const std::string& before = {}) {
    std::string own_address;
    const auto answer = get(server, own_address);
    EXPECT_THAT(answer, HasSubstr("client " + before + own_address));
  }

  TemporaryDirectory place;
  tcp::endpoint first = free_address(), front = free_address(), backend = free_address();
  std::vector<pid_t> servers;
};

const std::vector<std::string> kRequire{"--proxy-protocol", "require", "--proxy-trusted",
                                        "192.0.2.0/24,127.0.0.0/8"};

std::vector<std::string> and_send(const std::string& version) {
  auto words = kRequire;
  words.insert(words.end(), {"--send-proxy", version});
  return words;
}

TEST_F(ProgramProxyProtocol, IsHAProxysOnBothSides) {
  start_reader();
  for (const auto* sends : {"send-proxy", "send-proxy-v2"})
    for (const auto* version : {"v1", "v2"}) {
      SCOPED_TRACE(std::string(sends) + " " + version);
      Program ambassador(forward(and_send(version)));
      ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
      start_sender(sends);
      expect_the_client_is_known(first);
      ::kill(servers.back(), SIGKILL);
      ::waitpid(servers.back(), nullptr, 0);
      servers.pop_back();
    }
}

TEST_F(ProgramProxyProtocol, GivesEachConnectionAUniqueId) {
  start_reader();
  Program ambassador(forward(and_send("v2")));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  start_sender("send-proxy-v2 proxy-v2-options crc32c");
  std::string own_address;
  EXPECT_THAT(get(first, own_address), testing::ContainsRegex("id [0-9a-f]{32}"));
}

TEST_F(ProgramProxyProtocol, IsReadByNginx) {
  serve({"/usr/sbin/nginx", "-c",
         written("nginx.conf", "daemon off;\nmaster_process off;\npid " + at("nginx.pid") +
                                   ";\nerror_log " + at("nginx.log") +
                                   ";\nevents {}\nhttp {\n access_log off;\n server {\n  listen " +
                                   to_string(backend) +
                                   " proxy_protocol;\n  return 200 \"client "
                                   "$proxy_protocol_addr:$proxy_protocol_port\";\n }\n}\n")},
        backend);
  for (const auto* version : {"v1", "v2"}) {
    Program ambassador(forward({"--send-proxy", version}));
    ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
    expect_the_client_is_known(front);
  }
}

TEST_F(ProgramProxyProtocol, IsReadByApache) {
  const std::string modules = "/usr/lib/apache2/modules";
  std::string loaded;
  for (const std::string name : {"mpm_event", "authz_core", "remoteip", "headers"})
    loaded += "LoadModule " + name + "_module " + modules + "/mod_" + name + ".so\n";
  serve({"/usr/sbin/apache2", "-X", "-f",
         written("apache.conf",
                 "ServerRoot " + place.path().string() + "\nServerName here\nPidFile " +
                     at("apache.pid") + "\nErrorLog " + at("apache.log") + "\nDefaultRuntimeDir " +
                     place.path().string() + "\nUser nobody\nGroup nogroup\n" + loaded + "Listen " +
                     to_string(backend) +
                     "\nRemoteIPProxyProtocol On\n"
                     "Header always set Client \"expr=%{REMOTE_ADDR}:%{REMOTE_PORT}\"\n")},
        backend);
  for (const auto* version : {"v1", "v2"}) {
    Program ambassador(forward({"--send-proxy", version}));
    ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
    std::string own_address;
    EXPECT_THAT(get(front, own_address), HasSubstr("Client: " + own_address));
  }
}

TEST_F(ProgramProxyProtocol, IsCountedWhereItIsMissing) {
  start_reader();
  Program ambassador(forward(kRequire));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  std::string own_address;
  EXPECT_EQ(get(front, own_address), "");
  EXPECT_TRUE(ambassador.says("PROXY header of " + own_address + ": there is none"));
  const auto status = run({"status", "--json", "--admin", at("admin.sock")});
  EXPECT_THAT(status.out, HasSubstr("\"no_proxy_header\":1,"));
}

TEST_F(ProgramProxyProtocol, NeedsSomebodyToTrust) {
  const auto refused = run(forward({"--proxy-protocol", "accept"}));
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--proxy-protocol: needs --proxy-trusted as well"));
}

}  // namespace
}  // namespace ambbpf::test
