// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/api.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/docker/decode_container.h"

namespace ambbpf {
namespace {

// The first that tells of health; all else that we need is older.
constexpr DockerApiVersion kWanted{1, 24};

constexpr std::int64_t kNanosInASecond = 1'000'000'000;

}  // namespace

DockerApi::DockerApi(asio::any_io_executor executor, DockerAddress address)
    : address_(std::move(address)), http_(std::move(executor), address_.access) {}

HttpRequest DockerApi::request(std::optional<DockerApiVersion> version,
                               std::string_view path) const {
  HttpRequest request;
  request.url = version ? fmt::format("{}/v{}{}", address_.url, to_string(*version), path)
                        : fmt::format("{}{}", address_.url, path);
  return request;
}

tl::unexpected<Error> DockerApi::refused(std::string_view path, int status, std::string_view body) {
  if (status == 400) forget_version();  // it may be the version that is refused
  return fail(fmt::format("GET {} at {}: status {}, {}", path, address_.name, status,
                          decode_docker_error(body)));
}

awaitable<Result<DockerApiVersion>> DockerApi::agree() {
  if (version_) co_return *version_;
  auto version = co_await ask_version();
  if (version) version_ = *version;
  co_return version;
}

// GET /version tells both ends of the range.
awaitable<Result<DockerApiVersion>> DockerApi::ask_version() {
  auto asked = request(std::nullopt, "/version");
  const auto answer = co_await http_.request(std::move(asked));
  if (!answer) co_return tl::unexpected(answer.error());
  const auto range = decode_docker_version(answer->body);
  if (!range || answer->head.status != 200) co_return co_await try_version();
  co_return std::min(std::max(kWanted, range->lowest), range->highest);
}

// Where it is not to be had, as behind a proxy that guards the engine, a wrong version is refused
// with the right one.
awaitable<Result<DockerApiVersion>> DockerApi::try_version() {
  auto asked = request(kWanted, "/_ping");
  const auto answer = co_await http_.request(std::move(asked));
  if (!answer) co_return tl::unexpected(answer.error());
  const auto other = decode_docker_other_version(answer->body);
  co_return answer->head.status == 400 && other ? *other : kWanted;
}

awaitable<Result<HttpResponse>> DockerApi::get(std::string path) {
  const auto version = co_await agree();
  if (!version) co_return tl::unexpected(version.error());
  auto asked = request(*version, path);
  co_return co_await http_.request(std::move(asked));
}

awaitable<Result<std::vector<std::string>>> DockerApi::list() {
  const std::string path = "/containers/json?all=1";
  const auto answer = co_await get(path);
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->head.status != 200) co_return refused(path, answer->head.status, answer->body);
  co_return decode_docker_list(answer->body);
}

awaitable<Result<std::optional<Container>>> DockerApi::inspect(std::string id) {
  const std::string path = fmt::format("/containers/{}/json", id);
  const auto answer = co_await get(path);
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->head.status == 404) co_return std::optional<Container>{};
  if (answer->head.status != 200) co_return refused(path, answer->head.status, answer->body);
  auto container = decode_docker_container(answer->body);
  if (!container) co_return tl::unexpected(container.error());
  co_return std::optional(std::move(*container));
}

awaitable<Result<HttpStream>> DockerApi::events(std::optional<std::int64_t> since_nano) {
  const auto version = co_await agree();
  if (!version) co_return tl::unexpected(version.error());
  const auto path = since_nano
                        ? fmt::format("/events?since={}.{:09}", *since_nano / kNanosInASecond,
                                      *since_nano % kNanosInASecond)
                        : std::string("/events");
  auto asked = request(*version, path);
  const auto deadline = Clock::now() + asked.timeout;
  auto stream = co_await http_.open(std::move(asked));
  if (!stream || stream->head().status == 200) co_return stream;
  const auto body = co_await stream->read_rest(deadline);
  co_return refused(path, stream->head().status, body ? body->text : std::string());
}

awaitable<Result<std::string>> DockerApi::host_name() {
  const std::string path = "/info";
  const auto answer = co_await get(path);
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->head.status != 200) co_return refused(path, answer->head.status, answer->body);
  co_return decode_docker_host_name(answer->body);
}

}  // namespace ambbpf
