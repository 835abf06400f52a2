// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/setting.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "userspace/config/setting_readers.h"
#include "userspace/endpoints/choice.h"

namespace ambbpf {

namespace {

constexpr auto kNone = "";
constexpr std::uint64_t kMostRate = 1'000'000;

// "round_robin|first"
std::string names_of_policies() {
  std::string names;
  for (const auto& policy : all_policies())
    names += (names.empty() ? "" : "|") + std::string(policy.name);
  return names;
}

std::string meanings_of_policies() {
  std::string meanings = "How a backend is chosen";
  std::string_view between = ". ";
  for (const auto& policy : all_policies())
    meanings += fmt::format("{}{}: {}", std::exchange(between, "; "), policy.name, policy.meaning);
  return meanings;
}

const auto policy_names = names_of_policies();
const auto policy_meanings = meanings_of_policies();

// clang-format off
const Setting every_setting[] = {
  // Of the process.
  {Scope::kProcess, "engine", Form::kText, "--engine", "AMBBPF_ENGINE", kServing,
   "auto|sockmap|splice|copy", "auto", kNone,
   "How bytes are moved; auto takes the best that works",
   [](const Given& given, Draft& draft) -> Result<void> {
     const auto name = read_choice(given, {"auto", "sockmap", "splice", "copy"});
     if (!name) return tl::unexpected(name.error());
     draft.process.engine = engine_named(*name);  // none for "auto"
     return {};
   }},
  {Scope::kProcess, "threads", Form::kNumber, "--threads", "AMBBPF_THREADS", kServing,
   "NUMBER", kNone, "one a CPU",
   "Threads that serve connections", read_threads},
  {Scope::kProcess, "drain", Form::kText, "--drain", "AMBBPF_DRAIN", kServing,
   "TIME", "5s", kNone,
   "How long open connections may go on after SIGTERM",
   read_time<[](Draft& draft) -> auto& { return draft.process.drain; }>},
  {Scope::kProcess, "admin", Form::kText, "--admin", "AMBBPF_ADMIN", kServing | kRegister,
   "PATH", kNone, "in /run/ambbpf, or where the user may write",
   "The admin socket",
   read_text<[](Draft& draft) -> auto& { return draft.process.admin; }>},
  {Scope::kProcess, "admin_listen", Form::kText, "--admin-listen", "AMBBPF_ADMIN_LISTEN", kServing | kRegister,
   "ADDRESS:PORT", kNone, "none",
   "Where the status page and /metrics can be read by TCP: 127.0.0.1:9110, or :9110 for the same", read_admin_listen},
  {Scope::kProcess, "admin_names", Form::kTexts, "--admin-name", "AMBBPF_ADMIN_NAME", kServing | kRegister,
   "NAME[,NAME...]", kNone, kNone,
   "Names of this host under which they are read, beside its addresses and localhost", read_admin_names},
  {Scope::kProcess, "metrics_per_endpoint", Form::kFlag, "--metrics-per-endpoint", "AMBBPF_METRICS_PER_ENDPOINT", kServing,
   "true|false", "true", kNone,
   "Whether each endpoint has metrics of its own, beside those of its service",
   read_bool<[](Draft& draft) -> auto& { return draft.process.metrics_per_endpoint; }>},
  {Scope::kProcess, "direct_cgroup", Form::kText, "--direct-cgroup", "AMBBPF_DIRECT_CGROUP", kServing,
   "PATH", kNone, "the root of cgroup v2, the whole host",
   "The cgroup whose processes are consumers of direct services",
   read_text<[](Draft& draft) -> auto& { return draft.process.direct_cgroup; }>},
  {Scope::kProcess, "direct_except_cgroups", Form::kTexts, "--direct-except-cgroup",
   "AMBBPF_DIRECT_EXCEPT_CGROUP", kServing,
   "PATH[,PATH...]", kNone, kNone,
   "Cgroups whose processes are no such consumers, nor those below",
   read_except_cgroups},
  {Scope::kProcess, "direct_except_mark", Form::kNumber, "--direct-except-mark", "AMBBPF_DIRECT_EXCEPT_MARK", kServing,
   "NUMBER", kNone, kNone,
   "Nor are sockets with this mark (SO_MARK)",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 1, 0xffff'ffff), draft.process.direct_except_mark);
   }},
  {Scope::kProcess, "dns_servers", Form::kTexts, "--dns-server", "AMBBPF_DNS_SERVER", kServing,
   "ADDRESS[:PORT][,...]", kNone, "those of /etc/resolv.conf",
   "Who is asked for names: 10.0.0.2, [fd00::2], or 127.0.0.1:5353; each for 2 s, and three times", read_dns_servers},
  {Scope::kProcess, "fail_static", Form::kText, "--fail-static", "AMBBPF_FAIL_STATIC", kServing,
   "TIME", "60s", kNone,
   "How long consumers of direct services go on when this process has been killed; 5s and more, or 0s",
   read_fail_static},
  {Scope::kProcess, "log_level", Form::kText, "--log-level", "AMBBPF_LOG_LEVEL", kServing | kRegister,
   "error|warn|info|debug", "info", kNone,
   "What is worth a line on stderr",
   [](const Given& given, Draft& draft) {
     return keep(read_choice(given, {"error", "warn", "info", "debug"}), draft.process.log_level);
   }},
  {Scope::kProcess, "log_format", Form::kText, "--log-format", "AMBBPF_LOG_FORMAT", kServing | kRegister,
   "text|json|journald", "text", kNone,
   "How the lines of the log are written; json: an object each; journald: to the journal, not to stderr",
   read_one_of<log::kFormats, [](Draft& draft) -> auto& { return draft.process.log_format; }>},
  {Scope::kProcess, "access_log", Form::kText, "--access-log", "AMBBPF_ACCESS_LOG", kServing,
   "PATH|syslog|journald", kNone, "none",
   "Where a line is written for each proxied connection at its end", read_access_log},
  {Scope::kProcess, "access_log_format", Form::kText, "--access-log-format", "AMBBPF_ACCESS_LOG_FORMAT", kServing,
   "text|json", "text", kNone,
   "How the lines of the access log are written",
   read_one_of<kAccessFormats, [](Draft& draft) -> auto& { return draft.process.access_log.format; }>},
  {Scope::kProcess, "access_log_sample", Form::kNumber, "--access-log-sample", "AMBBPF_ACCESS_LOG_SAMPLE", kServing,
   "NUMBER", "1", kNone,
   "Of so many connections one has a line; 1: each",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 1, 1'000'000'000), draft.process.access_log.sample);
   }},

  // Of a service.
  {Scope::kService, "listen", Form::kTexts, "", "", kNoVerb,
   "ADDRESS:PORT", kNone, "none, it has to be set",
   "The local addresses: 127.0.0.1:80, [::1]:80, or :80 for port 80 of every one", read_listen},
  {Scope::kService, "", Form::kTexts, "--listen", "AMBBPF_LISTEN", kForward,
   "ADDRESS:PORT", kNone, "port 10000 of every one",
   "The local address", read_listen},
  {Scope::kService, "", Form::kText, "--listen", "AMBBPF_LISTEN", kProxy,
   "ADDRESS", kNone, "every one",
   "The local address", read_proxy_listen},
  {Scope::kService, "source", Form::kTexts, "", "", kNoVerb,
   "KIND.NAME", kNone, "the only etcd that is defined",
   "Where endpoints are found: etcd.NAME, docker.NAME, or several", read_source},
  {Scope::kService, "", Form::kTexts, "--source", "AMBBPF_SOURCE", kProxy,
   "SOURCE[,SOURCE]", "etcd", kNone,
   "Where endpoints are found: etcd, docker (labelled containers of this host), or both, "
   "etcd,docker", read_proxy_source},
  {Scope::kService, "forward", Form::kTexts, "", "FORWARD_ADDR", kNoVerb,
   "HOST:PORT", kNone, kNone,
   "Where connections go", read_forward},
  {Scope::kService, "srv", Form::kTexts, "", "", kNoVerb,
   "NAME", kNone, kNone,
   "Names of SRV records, as _redis._tcp.example.org; each target counts with all of its addresses, by the record's weight and "
   "priority",
   read_srv},
  {Scope::kService, "endpoints", Form::kEndpoints, "", "", kNoVerb,
   "ADDRESS:PORT", kNone, kNone,
   "Endpoints that stay as they are; each is a text, or a table with its address and attributes",
   read_endpoints},
  {Scope::kService, "policy", Form::kText, "--policy", "AMBBPF_POLICY", kServing,
   policy_names, "round_robin", kNone,
   policy_meanings, read_policy},
  {Scope::kService, "zone", Form::kText, "--zone", "AMBBPF_ZONE", kServing,
   "NAME", kNone, "none",
   "Where this process is: endpoints with this attribute zone are preferred to others of their priority",
   read_text<[](Draft& draft) -> auto& { return draft.service.zone; }>},
  {Scope::kService, "zone_spill", Form::kNumber, "--zone-spill", "AMBBPF_ZONE_SPILL", kServing,
   "NUMBER", "50", kNone,
   "They are as long as so many percent of them are usable; with fewer, those of all zones are taken",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 0, 100), draft.service.zone_spill);
   }},
  {Scope::kService, "eject_resets", Form::kNumber, "--eject-resets", "AMBBPF_EJECT_RESETS", kServing,
   "NUMBER", "3", kNone,
   "An endpoint is ejected when so many connections in a row were reset, or closed at once, "
   "after the client had spoken and before it had said anything; 0: for failed connects only",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 0, 1000), draft.service.eject_resets);
   }},
  {Scope::kService, "max_ejected", Form::kNumber, "--max-ejected", "AMBBPF_MAX_EJECTED", kServing,
   "NUMBER", "50", kNone,
   "No more than so many percent of the endpoints of a priority are passed over, rounded down; "
   "those beyond that accept connections are used all the same",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 0, 100), draft.service.max_ejected);
   }},
  {Scope::kService, "slow_start", Form::kText, "--slow-start", "AMBBPF_SLOW_START", kServing,
   "TIME", "0s", kNone,
   "An endpoint that comes back, or is added to others, gets a tenth of its share of new connections at first, "
   "and all of it after so long; 0s: at once, as in any case by the policies source and first",
   read_time<[](Draft& draft) -> auto& { return draft.service.slow_start; }>},
  {Scope::kService, "direct", Form::kWord, "--direct", "AMBBPF_DIRECT", kServing,
   "true|false|auto", "false", kNone,
   "Connect consumers on this host straight to an endpoint; auto: where the kernel allows it",
   read_direct},
  {Scope::kService, "direct_watch", Form::kFlag, "--direct-watch", "AMBBPF_DIRECT_WATCH", kServing,
   "true|false", "false", kNone,
   "Hold a connection to each endpoint on another host, to hear that it stops before a consumer is refused",
   read_bool<[](Draft& draft) -> auto& { return draft.service.direct_watch; }>},
  {Scope::kService, "connect_timeout", Form::kText, "--connect-timeout", "AMBBPF_CONNECT_TIMEOUT", kServing,
   "TIME", "1s", kNone,
   "For one attempt to reach an endpoint", read_connect_timeout},
  {Scope::kService, "retries", Form::kNumber, "--retries", "AMBBPF_RETRIES", kServing,
   "NUMBER", "3", kNone,
   "Attempts after a failed one, at the next endpoint",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 0, 100), draft.service.dial.retries);
   }},
  {Scope::kService, "max_connections", Form::kNumber, "--max-connections", "AMBBPF_MAX_CONNECTIONS", kServing,
   "NUMBER", kNone,
   "as many as the descriptor limit allows, or half of them for one of several services",
   "Open connections of one service; others wait in the queue, or are reset",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 1, 1U << 30U), draft.service.max_connections);
   }},
  {Scope::kService, "max_connections_per_endpoint", Form::kNumber, "--max-connections-per-endpoint",
   "AMBBPF_MAX_CONNECTIONS_PER_ENDPOINT", kServing,
   "NUMBER", kNone, "any number",
   "Open connections to one endpoint; where each has as many, others wait in the queue, or are reset",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 1, 1U << 30U), draft.service.dial.most_per_endpoint);
   }},
  {Scope::kService, "queue", Form::kNumber, "--queue", "AMBBPF_QUEUE", kServing,
   "NUMBER", "0", kNone,
   "Connections that may wait, in the order in which they came, where max_connections or max_connections_per_endpoint leave "
   "no room",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 0, 1'000'000), draft.service.dial.queue.length);
   }},
  {Scope::kService, "queue_timeout", Form::kText, "--queue-timeout", "AMBBPF_QUEUE_TIMEOUT", kServing,
   "TIME", "5s", kNone,
   "How long they wait until they are reset",
   read_time<[](Draft& draft) -> auto& { return draft.service.dial.queue.timeout; }>},
  {Scope::kService, "max_connections_per_client", Form::kNumber, "--max-connections-per-client",
   "AMBBPF_MAX_CONNECTIONS_PER_CLIENT", kServing,
   "NUMBER", kNone, "any number",
   "Open connections of one client, which is an IPv4 address or the first 64 bits of one of IPv6; others are reset",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 1, 1U << 30U), draft.service.clients.most_of_a_client);
   }},
  {Scope::kService, "connection_rate", Form::kNumber, "--connection-rate", "AMBBPF_CONNECTION_RATE", kServing,
   "NUMBER", kNone, "any number",
   "New connections of one service in a second; a second's worth may come at once, others are reset",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 1, kMostRate), draft.service.clients.rate);
   }},
  {Scope::kService, "connection_rate_per_client", Form::kNumber, "--connection-rate-per-client",
   "AMBBPF_CONNECTION_RATE_PER_CLIENT", kServing,
   "NUMBER", kNone, "any number",
   "New connections of one client in a second, in the same way",
   [](const Given& given, Draft& draft) {
     return keep(read_number(given, 1, kMostRate), draft.service.clients.rate_of_a_client);
   }},
  {Scope::kService, "allow", Form::kTexts, "--allow", "AMBBPF_ALLOW", kServing,
   "NETWORK[,NETWORK...]", kNone, "everyone",
   "Networks whose clients are served, as 10.0.0.0/8; others are reset",
   read_networks<[](Draft& draft) -> auto& { return draft.service.clients.allow; }>},
  {Scope::kService, "deny", Form::kTexts, "--deny", "AMBBPF_DENY", kServing,
   "NETWORK[,NETWORK...]", kNone, kNone,
   "Networks whose clients are not served, whatever allow says",
   read_networks<[](Draft& draft) -> auto& { return draft.service.clients.deny; }>},
  {Scope::kService, "refuse", Form::kText, "--refuse", "AMBBPF_REFUSE", kServing,
   "reset|close", "reset", kNone,
   "How a client ends that is denied, too much, or gets no endpoint: with a reset, or in order, as if the service had nothing "
   "to say", read_refuse},
  {Scope::kService, "hold", Form::kText, "--hold", "AMBBPF_HOLD", kServing,
   "TIME", "3s", kNone,
   "How long a connection waits for a service without endpoints",
   read_time<[](Draft& draft) -> auto& { return draft.service.dial.hold; }>},
  {Scope::kService, "grace", Form::kText, "--grace", "AMBBPF_GRACE", kServing,
   "TIME", "10s", kNone,
   "How long endpoints stay whose keys vanish from etcd at once, two and half of all at least, while they still take a connect",
   read_time<[](Draft& draft) -> auto& { return draft.service.grace; }>},
  {Scope::kService, "peer_timeout", Form::kText, "--peer-timeout", "AMBBPF_PEER_TIMEOUT", kServing,
   "TIME", "30s", kNone,
   "After this long without a sign of life a client or backend is taken for vanished",
   read_peer_timeout},
  {Scope::kService, "idle_timeout", Form::kText, "--idle-timeout", "AMBBPF_IDLE_TIMEOUT", kServing,
   "TIME", "0s", kNone,
   "A connection on which no byte has moved either way for so long is reset; 0s: never",
   read_time_limit<[](Draft& draft) -> auto& { return draft.service.time_limits.idle; }>},
  {Scope::kService, "half_closed_timeout", Form::kText, "--half-closed-timeout", "AMBBPF_HALF_CLOSED_TIMEOUT", kServing,
   "TIME", "0s", kNone,
   "The same where one direction has ended, and the other one moves nothing for so long; 0s: never",
   read_time_limit<[](Draft& draft) -> auto& { return draft.service.time_limits.half_closed; }>},
  {Scope::kService, "max_lifetime", Form::kText, "--max-lifetime", "AMBBPF_MAX_LIFETIME", kServing,
   "TIME", "0s", kNone,
   "A connection is reset when it has been connected for so long; 0s: never",
   read_time_limit<[](Draft& draft) -> auto& { return draft.service.time_limits.lifetime; }>},
  {Scope::kService, "first_byte_timeout", Form::kText, "--first-byte-timeout", "AMBBPF_FIRST_BYTE_TIMEOUT", kServing,
   "TIME", "0s", kNone,
   "A connection whose client has sent nothing by then is reset; 0s: never",
   read_time_limit<[](Draft& draft) -> auto& { return draft.service.time_limits.first_byte; }>},
  {Scope::kService, "on_removal", Form::kText, "--on-removal", "AMBBPF_ON_REMOVAL", kServing,
   "keep|drain|reset", "drain", kNone,
   "What becomes of open connections to an endpoint that is removed: keep: they go on; drain: for drain_timeout at the most, "
   "if it has not come back by then; reset: they end at once", read_on_removal},
  {Scope::kService, "drain_timeout", Form::kText, "--drain-timeout", "AMBBPF_DRAIN_TIMEOUT", kServing,
   "TIME", "5m", kNone,
   "How long those may go on that drain",
   read_time<[](Draft& draft) -> auto& { return draft.service.removal.drain; }>},
  {Scope::kService, "proxy_protocol", Form::kText, "--proxy-protocol", "AMBBPF_PROXY_PROTOCOL", kServing,
   "off|accept|require", "off", kNone,
   "Whether clients in proxy_trusted send a PROXY header first, of version 1 or 2: accept: they may; "
   "require: they must, and others are reset", read_proxy_protocol},
  {Scope::kService, "proxy_trusted", Form::kTexts, "--proxy-trusted", "AMBBPF_PROXY_TRUSTED", kServing,
   "NETWORK[,NETWORK...]", kNone, kNone,
   "Networks whose PROXY headers are believed, as 10.0.0.0/8",
   read_networks<[](Draft& draft) -> auto& { return draft.service.proxy.trusted; }>},
  {Scope::kService, "send_proxy", Form::kText, "--send-proxy", "AMBBPF_SEND_PROXY", kServing,
   "off|v1|v2", "off", kNone,
   "Tell endpoints with a PROXY header who the client is", read_send_proxy},
  {Scope::kService, "check", Form::kText, "", "", kNoVerb,
   "off|tcp|tls|http|https|expect", "off", kNone,
   "How endpoints are checked: tcp: they accept a connection; tls: and shake hands; http, https: they answer a GET; "
   "expect: they answer check_send with check_expect. Who fails gets no connections", read_check},
  {Scope::kService, "check_interval", Form::kText, "", "", kNoVerb,
   "TIME", "2s", kNone,
   "From the end of a check of an endpoint to its next one, within 10 %; 100ms and more", read_check_interval},
  {Scope::kService, "check_timeout", Form::kText, "", "", kNoVerb,
   "TIME", "1s", kNone,
   "For one check, from the connect to the answer", read_check_timeout},
  {Scope::kService, "check_rise", Form::kNumber, "", "", kNoVerb,
   "NUMBER", "2", kNone,
   "Good checks in a row that bring an endpoint back",
   [](const Given& given, Draft& draft) { return keep(read_number(given, 1, 1'000), draft.service.check.rise); }},
  {Scope::kService, "check_fall", Form::kNumber, "", "", kNoVerb,
   "NUMBER", "3", kNone,
   "Failed checks in a row that take it out; a new endpoint is used until then",
   [](const Given& given, Draft& draft) { return keep(read_number(given, 1, 1'000), draft.service.check.fall); }},
  {Scope::kService, "check_port", Form::kNumber, "", "", kNoVerb,
   "PORT", kNone, "the endpoint's",
   "The port that is checked; to one of its own no PROXY header is sent",
   [](const Given& given, Draft& draft) { return keep(read_number(given, 0, 65'535), draft.service.check.port); }},
  {Scope::kService, "check_path", Form::kText, "", "", kNoVerb,
   "PATH", "/", kNone,
   "What http and https ask for", read_check_path},
  {Scope::kService, "check_host", Form::kText, "", "", kNoVerb,
   "HOST[:PORT]", kNone, "the endpoint's address",
   "The header Host of http and https, and the server's name of https and tls", read_check_host},
  {Scope::kService, "check_status", Form::kText, "", "", kNoVerb,
   "STATUS[-STATUS]", "200-399", kNone,
   "Answers to http and https that are good; a redirect is not followed", read_check_status},
  {Scope::kService, "check_body", Form::kText, "", "", kNoVerb,
   "TEXT", kNone, "anything",
   "What the first 64 KiB of their body have to contain",
   read_text<[](Draft& draft) -> auto& { return draft.service.check.body; }>},
  {Scope::kService, "check_send", Form::kText, "", "", kNoVerb,
   "TEXT", kNone, "nothing, the endpoint speaks first",
   "What expect sends; \\r, \\n, \\t and \\\\ in it are as in C, in single quotes: 'PING\\r\\n'", read_check_send},
  {Scope::kService, "check_expect", Form::kText, "", "", kNoVerb,
   "TEXT", kNone, kNone,
   "What the first 64 KiB of the answer to it have to contain",
   read_text<[](Draft& draft) -> auto& { return draft.service.check.expect; }>},
  {Scope::kService, "check_verify", Form::kFlag, "", "", kNoVerb,
   "true|false", "true", kNone,
   "Whether https and tls want a certificate of an authority that is trusted, and for the server's name",
   read_bool<[](Draft& draft) -> auto& { return draft.service.check.verify; }>},
  {Scope::kService, "check_ca", Form::kText, "", "", kNoVerb,
   "PATH", kNone, "the system's",
   "The only authorities that they trust, as PEM",
   read_text<[](Draft& draft) -> auto& { return draft.service.check.ca; }>},

  // Of an etcd cluster.
  {Scope::kEtcd, "urls", Form::kTexts, "--etcd", "AMBBPF_ETCD", kProxy | kRegister,
   "URL[,URL...]", kNone,
   "the Docker link ETCD_PORT_10000_TCP_*, else http://172.17.42.1:4001, then "
   "http://127.0.0.1:2379",
   "Where etcd is, tried in turn", read_urls},
  {Scope::kEtcd, "api", Form::kText, "--etcd-api", "AMBBPF_ETCD_API", kProxy | kRegister,
   "auto|v2|v3", "auto", kNone,
   "auto follows every API that the etcd serves", read_api},
  {Scope::kEtcd, "prefix", Form::kText, "--prefix", "AMBBPF_PREFIX", kProxy | kRegister,
   "PATH", "/services", kNone,
   "The services are directories below this one", read_prefix},
  {Scope::kEtcd, "ca", Form::kText, "--etcd-ca", "AMBBPF_ETCD_CA", kProxy | kRegister,
   "FILE", kNone, kNone,
   "Authorities to trust instead of the system's, for https",
   read_text<[](Draft& draft) -> auto& { return draft.etcd.access.ca; }>},
  {Scope::kEtcd, "cert", Form::kText, "--etcd-cert", "AMBBPF_ETCD_CERT", kProxy | kRegister,
   "FILE", kNone, kNone,
   "The certificate to show to etcd",
   read_text<[](Draft& draft) -> auto& { return draft.etcd.access.certificate; }>},
  {Scope::kEtcd, "key", Form::kText, "--etcd-key", "AMBBPF_ETCD_KEY", kProxy | kRegister,
   "FILE", kNone, kNone,
   "Its key",
   read_text<[](Draft& draft) -> auto& { return draft.etcd.access.key; }>},
  {Scope::kEtcd, "user", Form::kText, "--etcd-user", "AMBBPF_ETCD_USER", kProxy | kRegister,
   "NAME", kNone, kNone,
   "Of an etcd with authentication",
   read_text<[](Draft& draft) -> auto& { return draft.etcd_user; }>},
  {Scope::kEtcd, "password_file", Form::kText, "--etcd-password-file", "AMBBPF_ETCD_PASSWORD_FILE", kProxy | kRegister,
   "FILE", kNone, kNone,
   "Holds the user's password; for a command line AMBBPF_ETCD_PASSWORD may hold it",
   read_text<[](Draft& draft) -> auto& { return draft.etcd_password_file; }>},

  // Of a Docker Engine.
  {Scope::kDocker, "host", Form::kText, "--docker", "DOCKER_HOST", kProxy | kRegister,
   "ADDRESS", "unix:///var/run/docker.sock", kNone,
   "Where Docker is: unix:///PATH, tcp://HOST:PORT or https://HOST:PORT",
   read_text<[](Draft& draft) -> auto& { return draft.docker_host; }>},
  {Scope::kDocker, "ca", Form::kText, "--docker-ca", "AMBBPF_DOCKER_CA", kProxy | kRegister,
   "FILE", kNone, kNone,
   "Docker's certificate must be signed by one of these",
   read_text<[](Draft& draft) -> auto& { return draft.docker_tls.ca; }>},
  {Scope::kDocker, "cert", Form::kText, "--docker-cert", "AMBBPF_DOCKER_CERT", kProxy | kRegister,
   "FILE", kNone, kNone,
   "The certificate to show to Docker",
   read_text<[](Draft& draft) -> auto& { return draft.docker_tls.certificate; }>},
  {Scope::kDocker, "key", Form::kText, "--docker-key", "AMBBPF_DOCKER_KEY", kProxy | kRegister,
   "FILE", kNone, kNone,
   "The key of that certificate",
   read_text<[](Draft& draft) -> auto& { return draft.docker_tls.key; }>},
  {Scope::kDocker, "ignore_health", Form::kFlag, "--ignore-health", "AMBBPF_IGNORE_HEALTH", kProxy,
   "true|false", "false", kNone,
   "Take a container that runs for healthy, whatever its HEALTHCHECK says",
   read_bool<[](Draft& draft) -> auto& { return draft.docker.ignore_health; }>},
  {Scope::kDocker, "traefik_labels", Form::kFlag, "--traefik-labels", "AMBBPF_TRAEFIK_LABELS", kProxy,
   "true|false", "false", kNone,
   "Also take containers for endpoints of NAME that say traefik.tcp.services.NAME.loadbalancer.server.port",
   read_bool<[](Draft& draft) -> auto& { return draft.docker.traefik_labels; }>},

  // Of a registration.
  {Scope::kRegistration, "etcd", Form::kText, "", "", kNoVerb,
   "NAME", kNone, "the only one that is defined",
   "The etcd that the containers are kept in",
   read_text<[](Draft& draft) -> auto& { return draft.registration.etcd; }>},
  {Scope::kRegistration, "docker", Form::kText, "", "", kNoVerb,
   "NAME", kNone, "the only one that is defined, or unix:///var/run/docker.sock if none is",
   "The Docker Engine whose containers they are",
   read_text<[](Draft& draft) -> auto& { return draft.registration.docker; }>},
  {Scope::kRegistration, "ttl", Form::kText, "--ttl", "AMBBPF_TTL", kRegister,
   "TIME", "5s", kNone,
   "How long a key outlives this process, should it be killed", read_ttl},
  {Scope::kRegistration, "advertise", Form::kText, "--advertise", "AMBBPF_ADVERTISE", kRegister,
   "ADDRESS", kNone, "COREOS_PRIVATE_IPV4, else the one that routes to etcd",
   "This machine's address for others", read_advertise},
  {Scope::kRegistration, "ignore_health", Form::kFlag, "--ignore-health", "AMBBPF_IGNORE_HEALTH", kRegister,
   "true|false", "false", kNone,
   "Take a container that runs for healthy, whatever its HEALTHCHECK says",
   read_bool<[](Draft& draft) -> auto& { return draft.registration.ignore_health; }>},
  {Scope::kRegistration, "container", Form::kText, "", "", kNoVerb,
   "CONTAINER", kNone, "every container whose labels name a service",
   "The only container, with port and service", read_container},
  {Scope::kRegistration, "port", Form::kNumber, "", "", kNoVerb,
   "PORT", kNone, kNone,
   "The port of container that provides service",
   [](const Given& given, Draft& draft) { return keep(parse_port(given.text()), draft.only.port); }},
  {Scope::kRegistration, "service", Form::kText, "", "", kNoVerb,
   "SERVICE", kNone, kNone,
   "The service that container provides", read_service},
  {Scope::kRegistration, "attributes", Form::kAttributes, "", "", kNoVerb,
   "KEY = VALUE", kNone, kNone,
   "Further fields of its value in etcd", read_attributes},
};
// clang-format on

}  // namespace

std::span<const Setting> all_settings() { return every_setting; }

const Setting* find_setting(Scope scope, std::string_view key) {
  const auto found = std::ranges::find_if(
      every_setting, [&](const auto& known) { return known.scope == scope && known.key == key; });
  return found == std::end(every_setting) ? nullptr : found;
}

std::string name_of(Way way, Scope scope, std::string_view key) {
  return std::string(way == Way::kFile ? key : find_setting(scope, key)->flag);
}

}  // namespace ambbpf
