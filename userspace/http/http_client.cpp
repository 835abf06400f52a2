// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/http_client.h"

#include <strings.h>

#include "userspace/http/curl_loop.h"
#include "userspace/http/http_transfer.h"

namespace ambbpf {
namespace {

using TransferPtr = std::shared_ptr<HttpTransfer>;

// False: the deadline has passed or the reader was interrupted.
awaitable<bool> wait_until(TransferPtr transfer, bool (HttpTransfer::*ready)() const,
                           Clock::time_point deadline) {
  while (!((*transfer).*ready)()) {
    if (transfer->take_interrupt() || Clock::now() >= deadline) co_return false;
    co_await transfer->wait_for_change(deadline);
  }
  co_return true;
}

awaitable<Result<StreamPiece>> read_line_of(TransferPtr transfer, Clock::time_point deadline) {
  const bool ready = co_await wait_until(transfer, &HttpTransfer::has_line, deadline);
  if (!ready) co_return StreamPiece{StreamPiece::Kind::kQuiet, {}};
  // A transfer that broke has told all its whole lines before its error.
  if (transfer->error() && !transfer->has_whole_line())
    co_return tl::unexpected(*transfer->error());
  co_return transfer->take_line();
}

awaitable<Result<StreamPiece>> read_some_of(TransferPtr transfer, Clock::time_point deadline) {
  const bool ready = co_await wait_until(transfer, &HttpTransfer::has_some, deadline);
  if (!ready) co_return StreamPiece{StreamPiece::Kind::kQuiet, {}};
  auto piece = transfer->take_rest();
  if (!piece.text.empty()) co_return piece;
  if (transfer->error()) co_return tl::unexpected(*transfer->error());
  co_return StreamPiece{StreamPiece::Kind::kEnd, {}};
}

awaitable<Result<StreamPiece>> read_rest_of(TransferPtr transfer, Clock::time_point deadline) {
  const bool ready = co_await wait_until(transfer, &HttpTransfer::is_over, deadline);
  if (!ready) co_return StreamPiece{StreamPiece::Kind::kQuiet, {}};
  if (transfer->error()) co_return tl::unexpected(*transfer->error());
  co_return transfer->take_rest();
}

awaitable<Result<HttpStream>> head_of(TransferPtr transfer, Clock::time_point deadline) {
  const bool ready = co_await wait_until(transfer, &HttpTransfer::has_head, deadline);
  if (!ready) co_return tl::unexpected(transfer->no_answer());
  if (transfer->error()) co_return tl::unexpected(*transfer->error());
  co_return HttpStream(transfer);
}

awaitable<Result<HttpResponse>> whole_of(TransferPtr transfer, Clock::time_point deadline) {
  auto body = co_await read_rest_of(transfer, deadline);
  if (!body) co_return tl::unexpected(body.error());
  if (body->kind == StreamPiece::Kind::kQuiet) co_return tl::unexpected(transfer->no_answer());
  HttpResponse response{transfer->head(), std::move(body->text)};
  co_return response;
}

}  // namespace

std::optional<std::string_view> HttpHead::field(std::string_view name) const {
  for (const auto& [field_name, value] : fields)
    if (field_name.size() == name.size() &&
        strncasecmp(field_name.data(), name.data(), name.size()) == 0)
      return value;
  return std::nullopt;
}

const HttpHead& HttpStream::head() const { return transfer_->head(); }

awaitable<Result<StreamPiece>> HttpStream::read_line(Clock::time_point deadline) const {
  return read_line_of(transfer_, deadline);
}

awaitable<Result<StreamPiece>> HttpStream::read_some(Clock::time_point deadline) const {
  return read_some_of(transfer_, deadline);
}

awaitable<Result<StreamPiece>> HttpStream::read_rest(Clock::time_point deadline) const {
  return read_rest_of(transfer_, deadline);
}

void HttpStream::interrupt() const { transfer_->interrupt(); }

HttpClient::HttpClient(asio::any_io_executor executor, HttpAccess access)
    : loop_(std::make_shared<CurlLoop>(std::move(executor))),
      access_(std::make_shared<const HttpAccess>(std::move(access))) {}

const asio::any_io_executor& HttpClient::executor() const { return loop_->executor(); }

awaitable<Result<HttpStream>> HttpClient::open(HttpRequest request) {
  const auto deadline = Clock::now() + request.timeout;
  return head_of(std::make_shared<HttpTransfer>(loop_, access_, std::move(request)), deadline);
}

awaitable<Result<HttpResponse>> HttpClient::request(HttpRequest request) {
  const auto deadline = Clock::now() + request.timeout;
  return whole_of(std::make_shared<HttpTransfer>(loop_, access_, std::move(request)), deadline);
}

}  // namespace ambbpf
