// SPDX-License-Identifier: Apache-2.0
#include "tests/support/etcd_process.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "tests/support/free_port.h"
#include "tests/support/new_directory.h"
#include "tests/support/start_server.h"
#include "userspace/etcd/base64.h"
#include "userspace/support/json.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

std::size_t append(char* data, std::size_t, std::size_t size, void* body) {
  static_cast<std::string*>(body)->append(data, size);
  return size;
}

template <class Condition>
bool wait_for(Condition condition, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

std::string loopback(unsigned short port) { return fmt::format("http://127.0.0.1:{}", port); }

void must_succeed(const HttpAnswer& answer, const std::string& what) {
  if (answer.status < 200 || answer.status > 299)
    throw std::runtime_error(fmt::format("{}: {} {}", what, answer.status, answer.body));
}

void collect(const JsonValue& node, std::map<std::string, std::string>& into) {
  if (const auto value = string_at(node, "value")) into.emplace(*string_at(node, "key"), *value);
  if (const auto* nodes = array_at(node, "nodes"))
    for (const auto& child : nodes->GetArray()) collect(child, into);
}

}  // namespace

HttpAnswer call(const std::string& method, const std::string& url, const std::string& body,
                const CallAs& as) {
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> fields(nullptr, curl_slist_free_all);
  HttpAnswer answer;
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  if (!as.client.key.empty()) {
    curl_easy_setopt(easy.get(), CURLOPT_SSLCERT, as.client.certificate.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_SSLKEY, as.client.key.c_str());
  }
  if (!as.user_and_password.empty())
    curl_easy_setopt(easy.get(), CURLOPT_USERPWD, as.user_and_password.c_str());
  if (!as.token.empty()) {
    fields.reset(curl_slist_append(nullptr, ("Authorization: " + as.token).c_str()));
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, fields.get());
  }
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, 10L);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer.body);
  if (method != "GET") {
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  if (curl_easy_perform(easy.get()) == CURLE_OK)
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

EtcdProcess::EtcdProcess(EtcdFlags flags) : EtcdProcess("alone", free_port()) {
  cluster_ = fmt::format("{}={}", name_, peer_url_);
  if (flags.tls) url_.replace(0, 4, "https");
  start(std::move(flags));
}

EtcdProcess::EtcdProcess(std::string name, unsigned short peer_port)
    : name_(std::move(name)),
      directory_(new_directory("etcd")),
      url_(loopback(free_port())),
      peer_url_(loopback(peer_port)) {}

EtcdProcess::~EtcdProcess() {
  kill();
  std::filesystem::remove_all(directory_);
}

std::vector<std::string> EtcdProcess::arguments() const {
  std::vector<std::string> words{
      "/usr/bin/etcd",
      "--name=" + name_,
      "--data-dir=" + directory_ + "/data",
      "--listen-client-urls=" + url_,
      "--advertise-client-urls=" + url_,
      "--listen-peer-urls=" + peer_url_,
      "--initial-advertise-peer-urls=" + peer_url_,
      "--initial-cluster=" + cluster_,
      "--heartbeat-interval=50",
      "--election-timeout=500",
      "--bcrypt-cost=4",  // passwords need not be safe, and tests are to be fast
      fmt::format("--enable-v2={}", flags_.enable_v2)};
  if (flags_.tls) {
    words.push_back("--cert-file=" + flags_.tls->server.certificate);
    words.push_back("--key-file=" + flags_.tls->server.key);
    if (const auto& ca = flags_.tls->clients_ca; !ca.empty()) {
      words.emplace_back("--client-cert-auth");
      words.push_back("--trusted-ca-file=" + ca);
    }
  }
  return words;
}

void EtcdProcess::spawn() { pid_ = start_server(arguments(), directory_ + "/log"); }

void EtcdProcess::start() {
  spawn();
  if (!wait_until_ready()) throw std::runtime_error("etcd does not start, see " + directory_);
}

void EtcdProcess::start(EtcdFlags flags) {
  flags_ = std::move(flags);
  start();
}

bool EtcdProcess::wait_until_ready() const {
  const CallAs as{.client = own_certificate(), .user_and_password = {}, .token = {}};
  const auto healthy = [&] {
    return call("GET", url_ + "/health", "", as).body.find("true") != std::string::npos;
  };
  return wait_for(healthy, 20s);
}

void EtcdProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void EtcdProcess::kill() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

// A stop takes effect a thread at a time, and one of them may still answer: until all have stopped.
void EtcdProcess::pause() {
  signal(SIGSTOP);
  siginfo_t stopped{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED) != 0)
    throw std::runtime_error("etcd does not stop, see " + directory_);
}
void EtcdProcess::resume() { signal(SIGCONT); }
void EtcdProcess::wipe() { std::filesystem::remove_all(directory_ + "/data"); }

Certificate EtcdProcess::own_certificate() const {
  return flags_.tls ? flags_.tls->client : Certificate{};
}

HttpAnswer EtcdProcess::call_v2(const std::string& method, const std::string& target,
                                const std::string& body) const {
  CallAs as{.client = own_certificate(), .user_and_password = {}, .token = {}};
  if (auth_v2_) as.user_and_password = fmt::format("root:{}", kRootsPassword);
  return call(method, url_ + "/v2" + target, body, as);
}

void EtcdProcess::put_v2(const std::string& key, const std::string& value, int ttl) const {
  const std::unique_ptr<char, void (*)(void*)> escaped(
      curl_easy_escape(nullptr, value.c_str(), static_cast<int>(value.size())), curl_free);
  auto body = fmt::format("value={}", escaped.get());
  if (ttl > 0) body += fmt::format("&ttl={}", ttl);
  must_succeed(call_v2("PUT", "/keys" + key, body), "put " + key);
}

void EtcdProcess::remove_v2(const std::string& key, bool recursive) const {
  must_succeed(call_v2("DELETE", "/keys" + key + (recursive ? "?recursive=true" : "")),
               "remove " + key);
}

std::string EtcdProcess::post_v3(const std::string& what, const std::string& body) const {
  CallAs as{.client = own_certificate(), .user_and_password = {}, .token = {}};
  if (auth_v3_) {
    const auto login =
        call("POST", url_ + "/v3/auth/authenticate",
             fmt::format(R"({{"name":"root","password":"{}"}})", kRootsPassword), as);
    must_succeed(login, "authenticate");
    as.token = string_at(parse_json(login.body).value(), "token").value();
  }
  const auto answer = call("POST", url_ + "/v3" + what, body, as);
  must_succeed(answer, what);
  return answer.body;
}

void EtcdProcess::put_v3(const std::string& key, const std::string& value, int ttl) const {
  std::string lease;
  if (ttl > 0) {
    const auto granted = parse_json(post_v3("/lease/grant", fmt::format(R"({{"TTL":"{}"}})", ttl)));
    lease = fmt::format(R"(,"lease":"{}")", string_at(granted.value(), "ID").value());
  }
  post_v3("/kv/put", fmt::format(R"({{"key":"{}","value":"{}"{}}})", base64_encode(key),
                                 base64_encode(value), lease));
}

void EtcdProcess::remove_v3(const std::string& key, bool recursive) const {
  const auto first = recursive ? key + "/" : key;
  const auto end = recursive ? fmt::format(R"(,"range_end":"{}")", base64_encode(key + "0")) : "";
  post_v3("/kv/deleterange", fmt::format(R"({{"key":"{}"{}}})", base64_encode(first), end));
}

std::size_t EtcdProcess::leases() const {
  const auto leases = parse_json(post_v3("/lease/leases", "{}"));
  const auto* all = array_at(leases.value(), "leases");
  return all ? all->Size() : 0;
}

void EtcdProcess::revoke_leases() const {
  const auto leases = parse_json(post_v3("/lease/leases", "{}"));
  const auto* all = array_at(leases.value(), "leases");
  if (!all) return;
  for (const auto& lease : all->GetArray())
    post_v3("/lease/revoke", fmt::format(R"({{"ID":"{}"}})", string_at(lease, "ID").value()));
}

std::optional<std::string> EtcdProcess::get_v2(const std::string& key) const {
  const auto answer = call("GET", url_ + "/v2/keys" + key);
  if (answer.status == 404) return std::nullopt;
  must_succeed(answer, "get " + key);
  const auto json = parse_json(answer.body);
  return std::string(string_at(*object_at(json.value(), "node"), "value").value());
}

std::optional<std::string> EtcdProcess::get_v3(const std::string& key) const {
  const auto json = parse_json(post_v3(
      "/kv/range", fmt::format(R"({{"key":"{}","serializable":true}})", base64_encode(key))));
  const auto* kvs = array_at(json.value(), "kvs");
  if (!kvs) return std::nullopt;
  return base64_decode(string_at((*kvs)[0], "value").value_or("")).value();
}

void EtcdProcess::compact_v3() const {
  const auto status = parse_json(post_v3("/maintenance/status", "{}"));
  const auto revision = uint_at(*object_at(status.value(), "header"), "revision").value();
  post_v3("/kv/compaction", fmt::format(R"({{"revision":"{}"}})", revision));
}

std::map<std::string, std::string> EtcdProcess::tree_v2(const std::string& directory) const {
  std::map<std::string, std::string> tree;
  const auto answer = call_v2("GET", "/keys" + directory + "?recursive=true&quorum=true");
  if (answer.status == 404) return tree;
  must_succeed(answer, "list " + directory);
  collect(*object_at(parse_json(answer.body).value(), "node"), tree);
  return tree;
}

std::map<std::string, std::string> EtcdProcess::tree_v3(const std::string& directory) const {
  std::map<std::string, std::string> tree;
  const auto range =
      parse_json(post_v3("/kv/range", fmt::format(R"({{"key":"{}","range_end":"{}"}})",
                                                  base64_encode(directory + "/"),
                                                  base64_encode(directory + "0"))))
          .value();
  if (const auto* keys = array_at(range, "kvs"))
    for (const auto& kv : keys->GetArray())
      tree.emplace(base64_decode(*string_at(kv, "key")).value(),
                   base64_decode(string_at(kv, "value").value_or("")).value());
  return tree;
}

bool EtcdProcess::is_leader() const {
  const CallAs as{.client = own_certificate(), .user_and_password = {}, .token = {}};
  const auto answer = call("POST", url_ + "/v3/maintenance/status", "{}", as);
  const auto status = parse_json(answer.body);
  const auto* header = status ? object_at(*status, "header") : nullptr;
  if (!header) return false;
  return uint_at(*header, "member_id") == uint_at(*status, "leader");
}

EtcdCluster::EtcdCluster() {
  std::string cluster;
  for (const auto* name : {"a", "b", "c"}) {
    members_.emplace_back(new EtcdProcess(name, free_port()));
    cluster += fmt::format("{}{}={}", cluster.empty() ? "" : ",", name, members_.back()->peer_url_);
  }
  for (const auto& member : members_) {
    member->cluster_ = cluster;
    member->spawn();
  }
  for (const auto& member : members_)
    if (!member->wait_until_ready()) throw std::runtime_error("etcd cluster does not start");
}

std::vector<std::string> EtcdCluster::urls() const {
  std::vector<std::string> urls;
  for (const auto& member : members_) urls.push_back(member->url());
  return urls;
}

EtcdProcess& EtcdCluster::leader() {
  for (const auto& member : members_)
    if (member->is_leader()) return *member;
  throw std::runtime_error("no leader");
}

EtcdProcess& EtcdCluster::follower() {
  for (const auto& member : members_)
    if (!member->is_leader()) return *member;
  throw std::runtime_error("no follower");
}

}  // namespace ambbpf::test
