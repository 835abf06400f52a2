// SPDX-License-Identifier: Apache-2.0
// Registrations of a configuration file that changes, beside services in the same process.
#include <gmock/gmock.h>
#include <rapidjson/document.h>

#include <csignal>
#include <fstream>

#include "tests/integration/registration.h"
#include "tests/support/free_port.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

rapidjson::Document parsed_answer(const HttpAnswer& answer) {
  rapidjson::Document document;
  if (document.Parse(answer.body.c_str()).HasParseError())
    throw std::runtime_error("no JSON: " + answer.body);
  return document;
}

class RegisterReload : public RegistrationInBoth {
 protected:
  std::string file() const { return (place.path() / "ambbpf.toml").string(); }
  std::string admin_socket() const { return (place.path() / "admin.sock").string(); }

  // Of what every file here has: the admin socket, this etcd and this engine, and a service.
  void write(const std::string& text) const {
    std::ofstream(file()) << fmt::format(
        "admin = \"{}\"\n"
        "[etcd.main]\nurls = \"{}\"\napi = \"{}\"\n"
        "[docker.host]\nhost = \"{}\"\n"
        "[service.web]\nlisten = \"{}\"\nsource = \"etcd.main\"\n{}",
        admin_socket(), etcd.url(), api(), engine.url(), to_string(front), text);
  }
  std::string registration(const std::string& more, const std::string& in = "main") const {
    return fmt::format(
        "[register.web]\netcd = \"{}\"\ncontainer = \"web-1\"\nport = 80\nservice = \"web\"\n"
        "advertise = \"{}\"\n{}\n",
        in, kAddress, more);
  }
  void reload(const std::string& text) const {
    write(text);
    const auto reloaded = run({"reload", "--admin", admin_socket()});
    if (reloaded.code != 0) throw std::runtime_error(reloaded.err);
  }
  rapidjson::Document status() const {
    return parsed_answer({200, run({"status", "--json", "--admin", admin_socket()}).out});
  }

  // How far etcd's history is; and whether any key was deleted since.
  std::uint64_t history() const {
    if (api() == "v3")
      return std::stoull(parsed_answer(call("POST", etcd.url() + "/v3/kv/range",
                                            R"({"key":"AA=="})"))["header"]["revision"]
                             .GetString());
    return mark();
  }
  bool any_deleted_since(std::uint64_t then) const {
    if (api() == "v3") {
      // "/services/web/web-1"
      const auto found = parsed_answer(
          call("POST", etcd.url() + "/v3/kv/range", R"({"key":"L3NlcnZpY2VzL3dlYi93ZWItMQ=="})"));
      return std::stoull(found["kvs"][0]["create_revision"].GetString()) > then;
    }
    for (const auto end = mark(); then < end;) {
      const auto event = parsed_answer(
          call("GET", fmt::format("{}/v2/keys/services?wait=true&recursive=true&waitIndex={}",
                                  etcd.url(), then + 1)));
      const std::string action = event["action"].GetString();
      if (action == "delete" || action == "compareAndDelete" || action == "expire") return true;
      then = event["node"]["modifiedIndex"].GetUint64();
    }
    return false;
  }

  const tcp::endpoint front = free_address();

 private:
  // An event of v2, and its index.
  std::uint64_t mark() const {
    const auto written =
        parsed_answer(call("PUT", etcd.url() + "/v2/keys/services/mark?value=here"));
    return written["node"]["modifiedIndex"].GetUint64();
  }
};

TEST_P(RegisterReload, OneProcessServesAndRegistersUnderOneStatus) {
  run_container("web-1", {"-p", "80", "--hostname", "one"});
  write(registration("ttl = \"2s\""));
  Program program({"run", "--config", file()});
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << program.err();
  EXPECT_EQ(fetch(std::to_string(front.port())), "one\n") << program.err();
  const auto told = status();
  const auto& process = told["processes"][0];
  EXPECT_STREQ(process["services"][0]["name"].GetString(), "web");
  EXPECT_STREQ(process["registrars"][0]["name"].GetString(), "web");
  EXPECT_STREQ(process["registrars"][0]["registrations"][0]["state"].GetString(), "registered");
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(value(kKey), "");
}

TEST_P(RegisterReload, AChangedRegistrationKeepsItsKeyAllTheTime) {
  run_container("web-1", {"-p", "80", "--hostname", "one"});
  write(registration("ttl = \"60s\""));
  Program program({"run", "--config", file()});
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << program.err();
  const auto then = history();
  reload(registration("ttl = \"2s\""));
  EXPECT_EQ(status()["processes"][0]["registrars"][0]["ttl_ms"].GetUint64(), 2000U);
  ASSERT_TRUE(program.says("is left to another registrar")) << program.err();
  EXPECT_TRUE(stays(kKey, value_of("web-1"), after(3s))) << program.err();
  reload(registration("ttl = \"2s\"\nattributes = {zone = \"a\"}"));
  EXPECT_TRUE(becomes(kKey, value_of("web-1", R"(,"zone":"a")"))) << value(kKey);
  reload(registration("ttl = \"3s\"\nattributes = {zone = \"a\"}"));
  EXPECT_TRUE(stays(kKey, value_of("web-1", R"(,"zone":"a")"), after(4s))) << program.err();
  EXPECT_FALSE(any_deleted_since(then)) << program.err();
  EXPECT_EQ(fetch(std::to_string(front.port())), "one\n");
  EXPECT_EQ(etcd.leases(), api() == "v3" ? 1U : 0U) << "a predecessor has left its lease";
}

TEST_P(RegisterReload, ARegistrationThatIsNotTouchedGoesOn) {
  run_container("web-1");
  const auto stays_the_same = registration("ttl = \"60s\"");
  write(stays_the_same);
  Program program({"run", "--config", file()});
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << program.err();
  const auto asked = [&] {
    const auto told = status();
    const auto& registrar = told["processes"][0]["registrars"][0];
    return std::pair(registrar["docker"]["lists"].GetUint64(),
                     registrar["etcd"]["writes"].GetUint64());
  };
  const auto before = asked();
  for (int i = 1; i <= 5; ++i)
    reload(stays_the_same + fmt::format("[service.db]\nlisten = \"{}\"\nretries = {}\n",
                                        to_string(free_address()), i));
  EXPECT_EQ(asked(), before);
}

TEST_P(RegisterReload, ARemovedRegistrationDeletesItsKey) {
  run_container("web-1");
  write(registration("ttl = \"60s\""));
  Program program({"run", "--config", file()});
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << program.err();
  const auto then = history();
  reload("");
  EXPECT_TRUE(goes(kKey)) << program.err();
  EXPECT_EQ(status()["processes"][0]["registrars"].Size(), 0U);
  reload(registration("ttl = \"60s\""));
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << program.err();
  EXPECT_TRUE(any_deleted_since(then));
}

TEST_P(RegisterReload, ARegistrationStaysUntilItsSuccessorCanWrite) {
  run_container("web-1");
  write(registration("ttl = \"2s\""));
  Program program({"run", "--config", file()});
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << program.err();
  const auto then = history();
  const auto away = fmt::format("[etcd.away]\nurls = \"http://{}\"\n", to_string(free_address()));
  reload(registration("ttl = \"2s\"", "away") + away);
  EXPECT_TRUE(stays(kKey, value_of("web-1"), after(4s))) << program.err();
  reload(registration("ttl = \"3s\""));
  EXPECT_TRUE(stays(kKey, value_of("web-1"), after(4s))) << program.err();
  EXPECT_FALSE(any_deleted_since(then)) << program.err();
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(value(kKey), "");
}

INSTANTIATE_TEST_SUITE_P(Etcd, RegisterReload, testing::Values("v2", "v3"), name_of_api);

}  // namespace
}  // namespace ambbpf::test
