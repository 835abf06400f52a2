// SPDX-License-Identifier: Apache-2.0
// A Docker Engine as far as the follower can tell, made of recorded answers.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/fake_http.h"
#include "tests/support/recorded.h"
#include "userspace/docker/follower.h"

namespace ambbpf::test {

inline const std::string kWeb = "8e728f8de630dd16782b4574e4e46ded1e14c8ef4311791a038008b0857ec3fc";
inline const std::string kSecond(64, 'b');

inline std::string web_body() { return recorded("inspect_1.24_web"); }
inline std::string away_body() {
  return with(web_body(), R"("Running":true)", R"("Running":false)");
}
inline std::string second_body() {
  return with(with(web_body(), kWeb, kSecond), R"("Name":"/web")", R"("Name":"/second")");
}

// An event after the start that web_body() tells of.
inline std::string event(const std::string& action, const std::string& id = kWeb,
                         const std::string& attributes = R"("name":"web")") {
  return R"({"status":")" + action + R"(","id":")" + id + R"(","Type":"container","Action":")" +
         action + R"(","Actor":{"ID":")" + id + R"(","Attributes":{)" + attributes +
         R"(}},"time":1795383940,"timeNano":1795383940000000001})"
         "\n";
}
inline std::string kill_event(int signal) {
  return event("kill", kWeb, R"("signal":")" + std::to_string(signal) + '"');
}

class FakeEngine {
 public:
  // Told of each request's path, before it is answered and without the lock.
  std::function<void(const std::string& path)> on_request = [](const std::string&) {};

  explicit FakeEngine(std::string version_answer = "version_1.41", std::string lowest = "1.12")
      : version_answer_(std::move(version_answer)), lowest_(std::move(lowest)) {}

  DockerAddress address() const { return {server_.url(), server_.url(), {}}; }

  // An empty body: no such container. A body that is no JSON: status 500.
  void set(const std::string& id, const std::string& inspect_body) {
    const std::lock_guard lock(mutex_);
    bodies_[id] = inspect_body;
    if (inspect_body.empty()) bodies_.erase(id);
  }
  // Every request is refused from now on.
  void break_down(bool broken) {
    const std::lock_guard lock(mutex_);
    broken_ = broken;
  }
  void send(const std::string& events) { server_.send_on(events); }
  void end_stream() { server_.close_left_open(); }

  // Of the paths asked for, those that contain `part`.
  std::vector<std::string> asked(const std::string& part) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const auto& path : asked_)
      if (path.find(part) != std::string::npos) found.push_back(path);
    return found;
  }

 private:
  FakeAnswer answer(const std::string& head) {
    const auto begin = head.find(' ') + 1;
    const auto path = head.substr(begin, head.find(' ', begin) - begin);
    on_request(path);
    const std::lock_guard lock(mutex_);
    asked_.push_back(path);
    if (broken_)
      return {fake_answer("500 Internal Server Error", "", R"({"message":"out of order"})")};
    if (path == "/version") {
      if (version_answer_.empty()) return {fake_answer("403 Forbidden", "", "no")};
      return {fake_answer("200 OK", "", recorded(version_answer_))};
    }
    return versioned(path.substr(0, path.find('/', 1)), path.substr(path.find('/', 1)));
  }

  FakeAnswer versioned(const std::string& version, const std::string& path) {
    if (version < "/v" + lowest_)
      return {fake_answer(
          "400 Bad Request", "",
          with(recorded("too_old"), "API version is 1.12", "API version is " + lowest_))};
    if (path.starts_with("/events"))
      return {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", true};
    if (path.starts_with("/containers/json")) return {fake_answer("200 OK", "", list())};
    if (path == "/info") return {fake_answer("200 OK", "", recorded("info"))};
    if (path == "/_ping") return {fake_answer("200 OK", "", "OK")};
    const auto id = path.substr(std::string("/containers/").size(), 64);
    const auto body = bodies_.find(id);
    if (body == bodies_.end()) return {fake_answer("404 Not Found", "", recorded("nosuch"))};
    const bool good = body->second.starts_with('{');
    return {fake_answer(good ? "200 OK" : "500 Internal Server Error", "", body->second)};
  }

  std::string list() const {
    std::string ids;
    for (const auto& [id, body] : bodies_)
      ids += (ids.empty() ? "" : ",") + std::string(R"({"Id":")") + id + "\"}";
    return "[" + ids + "]";
  }

  const std::string version_answer_;
  const std::string lowest_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::string> bodies_{{kWeb, web_body()}};
  std::vector<std::string> asked_;
  bool broken_ = false;
  FakeHttp server_{[this](const std::string& head) { return answer(head); }};
};

// A follower and what it has published.
struct Followed {
  explicit Followed(const FakeEngine& engine, DockerFollower::Pace pace = {})
      : follower(io.get_executor(), engine.address(), pace) {
    spawn(io, follower.run());
  }

  template <class Condition>
  bool wait_until(Condition condition) {
    const auto deadline = Clock::now() + std::chrono::seconds(20);
    while (!condition() && Clock::now() < deadline) io.run_one_for(std::chrono::milliseconds(50));
    return condition();
  }
  bool wait_for_state(Container::State state) {
    return wait_until([&] { return state_of(kWeb) == state; });
  }
  std::optional<Container::State> state_of(const std::string& id) const {
    const auto container = set.find(id);
    return container == set.end() ? std::nullopt : std::optional(container->second.state);
  }

  asio::io_context io;
  Containers set;
  int published = 0;
  std::vector<std::optional<Container::State>> states;  // of kWeb, in each set published
  std::function<void()> on_publish = [] {};
  DockerFollower follower;
  std::shared_ptr<const DockerFollower::Subscriber> subscriber =
      follower.subscribe([this](const Containers& containers) {
        set = containers;
        ++published;
        states.push_back(state_of(kWeb));
        on_publish();
      });
};

}  // namespace ambbpf::test
