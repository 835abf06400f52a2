// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "userspace/docker/address.h"
#include "userspace/docker/container.h"
#include "userspace/docker/decode.h"
#include "userspace/http/http_client.h"

namespace ambbpf {

// Requests to one Docker Engine, in the oldest version of its API that both it and we speak, 1.24
// where it can: what an engine answers there changes least from release to release. An engine's
// refusals are errors with its words. For one thread; *this outlives its requests.
class DockerApi {
 public:
  DockerApi(asio::any_io_executor executor, DockerAddress address);

  const asio::any_io_executor& executor() const { return http_.executor(); }
  const DockerAddress& address() const { return address_; }

  // "1.24"; empty before the first answer.
  std::string version() const { return version_ ? to_string(*version_) : ""; }

  // Before the next request the engine is asked anew what it speaks: it may have been replaced.
  void forget_version() { version_.reset(); }

  // The ids of all containers, running or not.
  awaitable<Result<std::vector<std::string>>> list();

  // Nothing if there is no such container.
  awaitable<Result<std::optional<Container>>> inspect(std::string id);

  // What happens from now on, one JSON object after the other (JsonSplitter), and before that what
  // the engine remembers since `since_nano`, in nanoseconds since 1970 on its clock.
  awaitable<Result<HttpStream>> events(std::optional<std::int64_t> since_nano);

  // The host's name.
  awaitable<Result<std::string>> host_name();

 private:
  awaitable<Result<DockerApiVersion>> agree();
  awaitable<Result<DockerApiVersion>> ask_version();
  awaitable<Result<DockerApiVersion>> try_version();
  awaitable<Result<HttpResponse>> get(std::string path);
  HttpRequest request(std::optional<DockerApiVersion> version, std::string_view path) const;
  tl::unexpected<Error> refused(std::string_view path, int status, std::string_view body);

  DockerAddress address_;
  HttpClient http_;
  std::optional<DockerApiVersion> version_;
};

}  // namespace ambbpf
