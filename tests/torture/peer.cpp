// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/peer.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "userspace/support/close_socket.h"

namespace ambbpf::torture {
namespace {

using namespace std::chrono_literals;

constexpr auto kTimeout = 20s;
constexpr std::uint64_t kTurn = 512 * 1024;  // bytes before others get theirs

void set_buffer(int socket, int option, int size) {
  if (size > 0) ::setsockopt(socket, SOL_SOCKET, option, &size, sizeof size);
}

std::string named(int error) { return std::generic_category().message(error); }

// Whom the header of a connection names: another address for each (198.18.0.0/15 is for such
// tests, RFC 2544).
ProxyHeader header_of(std::uint64_t number) {
  const asio::ip::address_v4 client(0xc6120000 + static_cast<std::uint32_t>(number % 0x20000));
  const tcp::endpoint server(asio::ip::address_v4(0xc6130001), 443);
  return {.addresses = {{tcp::endpoint(client, 1024), server}}};
}

}  // namespace

Peer::Peer(UniqueFd socket, Book& book, Account& account, const Script& script)
    : socket_(std::move(socket)), book_(book) {
  take_part(account, kClient, script);
  if (!book.allowed().proxy_headers) return;
  const auto version = account.number % 2 == 0 ? ProxyVersion::kOne : ProxyVersion::kTwo;
  header_ = write_proxy_header(version, header_of(account.number));
}

Peer::Peer(UniqueFd socket, Book& book) : socket_(std::move(socket)), book_(book) {}

void Peer::take_part(Account& account, Side side, const Script& script) {
  account_ = &account;
  side_ = side;
  part_ = script.parts[side];
  incoming_ = script.parts[other(side)].stream;
  incoming_size_ = script.parts[other(side)].size();
  random_ = Random(part_.seed);
  const auto now = Clock::now();
  account.moved = now;
  read_after_ = now + part_.reading.first_after;
  write_after_ = now + part_.writing.first_after;
  if (side == kBackend) {  // a client's are set before it connects
    set_buffer(socket(), SO_RCVBUF, part_.receive_buffer);
    set_buffer(socket(), SO_SNDBUF, part_.send_buffer);
  }
}

void Peer::go(Clock::time_point now, Bytes scratch) {
  if (!account_) learn_part();
  if (!account_ || is_over()) return;
  abort_when_reached(now);
  if (!aborts_at_) read(now, scratch);
  if (!is_over() && !aborts_at_) write(now, scratch);
  if (is_over()) return;
  if (aborts_at_) {
    if (now >= *aborts_at_) abort();
  } else if (finished_ && ended_) {
    end();
  }
}

Clock::time_point Peer::wake() const {
  if (aborts_at_) return *aborts_at_;
  auto wake = Clock::time_point::max();
  if (!account_) return wake;
  if (readable_ && !ended_) wake = std::min(wake, read_after_);
  if (writable_ && (!header_.empty() || sent_ < may_send_up_to() || may_finish()))
    wake = std::min(wake, write_after_);
  return wake;
}

// False: it is not there yet, or never will be.
bool Peer::take_proxy_header() {
  if (!book_.allowed().proxy_headers || told_of_the_client_) return true;
  std::array<char, kLongestProxyHeader> bytes;
  const auto seen = ::recv(socket(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_PEEK);
  if (seen < 0 && errno == EAGAIN) return false;
  if (seen <= 0) {
    book_.ended_unnamed();
    end();
    return false;
  }
  const auto parsed = parse_proxy_header({bytes.data(), static_cast<std::size_t>(seen)});
  if (parsed.found == ProxyParse::Found::kBeginning) return false;
  if (parsed.found != ProxyParse::Found::kHeader) {
    book_.fail("a backend got no PROXY header");
    end();
    return false;
  }
  told_of_the_client_ = parsed.header;
  return ::recv(socket(), bytes.data(), parsed.size, MSG_DONTWAIT) ==
         static_cast<ssize_t>(parsed.size);
}

void Peer::learn_part() {
  if (!take_proxy_header()) return;
  const auto got =
      ::recv(socket(), hello_.data() + received_, hello_.size() - received_, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {  // Book::close() finds out whether that was anybody's right
    book_.ended_unnamed();
    return end();
  }
  received_ += static_cast<std::uint64_t>(got);
  if (received_ < hello_.size()) return learn_part();

  const auto [number, seed] = std::bit_cast<Stream::Head>(hello_);
  if (number >= book_.connections() || book_.account(number).seed != seed) {
    book_.fail(fmt::format("a backend got {:#x} {:#x} for a hello", number, seed));
    return end();
  }
  Account& account = book_.account(number);
  take_part(account, kBackend, make_script(number, seed, book_.allowed()));
  if (account.begun[kBackend].exchange(true)) return fail("the hello came to two backends");
  if (told_of_the_client_ &&
      (!told_of_the_client_->addresses ||
       told_of_the_client_->addresses->client != header_of(number).addresses->client))
    fail("its PROXY header names another client");
}

// False: there is no room for all of it, or nobody to take it.
bool Peer::send_proxy_header(Bytes scratch) {
  while (!header_.empty()) {
    const auto size =
        std::min<std::uint64_t>(header_.size(), 1 + random_.below(part_.writing.most));
    const auto put = ::send(socket(), header_.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EAGAIN) {
      writable_ = false;
      return false;
    }
    if (put < 0) {
      broken("send", errno, scratch);
      return false;
    }
    header_.erase(0, static_cast<std::size_t>(put));
  }
  return true;
}

void Peer::read(Clock::time_point now, Bytes scratch) {
  for (const auto start = received_;
       readable_ && !ended_ && !aborts_at_ && now >= read_after_ && received_ - start < kTurn;) {
    const auto size = 1 + random_.below(part_.reading.most);
    const auto got = ::recv(socket(), scratch.data(), size, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
      readable_ = false;
      return;
    }
    if (got < 0) return broken("recv", errno, scratch);
    account_->moved = now;
    if (got == 0) return end_of_stream();
    received(scratch.first(static_cast<std::size_t>(got)));
    if (is_over()) return;
    abort_when_reached(now);
    pause(part_.reading, read_pauses_, now, read_after_);
  }
}

void Peer::write(Clock::time_point now, Bytes scratch) {
  if (now >= write_after_ && !send_proxy_header(scratch)) return;
  for (const auto start = sent_;
       writable_ && !aborts_at_ && now >= write_after_ && sent_ - start < kTurn;) {
    const auto allowed = may_send_up_to();
    if (sent_ >= allowed) break;
    const auto size = std::min(allowed - sent_, 1 + random_.below(part_.writing.most));
    const bool last = sent_ + size == part_.size() && (ended_ || !part_.finishes_last);
    const auto bytes = scratch.first(size);
    part_.stream.fill(sent_, bytes);
    const bool urgent = part_.urgent_percent > 0 && random_.percent(part_.urgent_percent);
    const auto put = ::send(socket(), bytes.data(), size,
                            MSG_DONTWAIT | MSG_NOSIGNAL | (urgent ? MSG_OOB : 0) |
                                (last && part_.end_in_last_segment ? MSG_MORE : 0));
    if (put < 0 && errno == EAGAIN) {
      writable_ = false;
      return;
    }
    if (put < 0) return broken("send", errno, scratch);
    account_->moved = now;
    sent_ += static_cast<std::uint64_t>(put);
    abort_when_reached(now);
    if (sent_ < part_.size()) pause(part_.writing, write_pauses_, now, write_after_);
  }
  if (may_finish() && !aborts_at_ && now >= write_after_) {
    finish();
    abort_when_reached(now);
  }
}

// Also at most up to where the abort is to be.
std::uint64_t Peer::may_send_up_to() const {
  std::uint64_t until = 0;
  for (const auto& stretch : part_.sends) {
    if (stretch.after == kEnd ? !ended_ : received_ < stretch.after) break;
    until = stretch.until;
  }
  const auto& abort = part_.abort;
  if (abort.kind != Abort::Kind::kNone && abort.when == Abort::When::kSent)
    until = std::min(until, abort.at);
  return until;
}

bool Peer::may_finish() const {
  return !finished_ && sent_ == part_.size() && (ended_ || !part_.finishes_last);
}

void Peer::finish() {
  finished_ = true;
  account_->ends_after[side_] = sent_;
  // ENOTCONN: it has been reset; reading tells.
  if (::shutdown(socket(), SHUT_WR) != 0 && errno != ENOTCONN) fail("shutdown: " + named(errno));
}

void Peer::pause(const Manner& manner, Clock::duration& spent, Clock::time_point now,
                 Clock::time_point& until) {
  if (spent >= manner.all_pauses || !random_.percent(manner.pauses_percent)) return;
  const auto most = static_cast<std::uint64_t>(manner.longest_pause.count());
  const auto length = std::chrono::microseconds(random_.up_to(most));
  spent += length;
  until = now + length;
}

void Peer::received(std::span<const std::byte> bytes) {
  const auto in_stream = std::min<std::uint64_t>(bytes.size(), incoming_size_ - received_);
  if (const auto at = incoming_.first_difference(received_, bytes.first(in_stream))) {
    const auto wrong = bytes.subspan(*at - received_);
    const auto found =
        incoming_.find(wrong.first(std::min<std::size_t>(wrong.size(), 16)), incoming_size_);
    return fail(fmt::format("wrong byte at {} of {}: {}", *at, incoming_size_,
                            found ? fmt::format("it belongs at {}", *found) : "of no place"));
  }
  if (in_stream < bytes.size())
    return fail(fmt::format("{} bytes more than the {} of the stream", bytes.size() - in_stream,
                            incoming_size_));
  received_ += bytes.size();
}

void Peer::end_of_stream() {
  ended_ = true;
  const auto end = account_->ends_after[other(side_)].load();
  if (received_ != end)
    return fail(
        end == Account::kNotYet
            ? fmt::format("the stream ended at {}; the other side has not ended it", received_)
            : fmt::format("the stream ended at {}; the other side sent {}", received_, end));
  if (received_ < incoming_size_) this->end();  // the other side has vanished
}

// By a reset. What came before it can still be read.
void Peer::broken(const char* call, int error, Bytes scratch) {
  for (;;) {
    const auto got = ::recv(socket(), scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (got <= 0 || is_over()) break;
    if (!ended_) received(scratch.first(static_cast<std::size_t>(got)));
    if (is_over()) return;
  }
  const bool is_reset = error == ECONNRESET || error == EPIPE;
  if (!is_reset || !account_->aborted[other(side_)])
    return fail(fmt::format("{}: {}, but the other side has not aborted", call, named(error)));
  ++book_.resets_seen;
  end();
}

void Peer::abort_when_reached(Clock::time_point now) {
  const auto& abort = part_.abort;
  if (aborts_at_ || abort.kind == Abort::Kind::kNone) return;
  const bool reached = abort.when == Abort::When::kSent       ? sent_ >= abort.at
                       : abort.when == Abort::When::kReceived ? received_ >= abort.at
                                                              : finished_;
  if (reached) aborts_at_ = now + abort.delay;
}

void Peer::abort() {
  account_->aborted[side_] = true;
  if (part_.abort.kind == Abort::Kind::kReset)
    close_with_reset(std::move(socket_));
  else if (!finished_)
    account_->ends_after[side_] = sent_;
  end();
}

void Peer::check_timeout(Clock::time_point now) {
  if (now - (account_ ? account_->moved.load() : begun_) < kTimeout) return;
  if (account_) return fail("nothing moves any more");
  book_.fail("a backend waits in vain for a hello");
  end();
}

void Peer::fail(const std::string& what) {
  book_.fail(*account_, fmt::format("{}: {} ({})", name_of(side_), what, where()));
  account_->aborted[side_] = true;
  close_with_reset(std::move(socket_));
  end();
}

void Peer::end() {
  socket_ = UniqueFd();
  if (!account_) return;
  account_->over[side_] = true;
  book_.received[side_] += received_;
}

std::string Peer::where() const {
  const auto end = account_->ends_after[other(side_)].load();
  return fmt::format("sent {} of {}{}, received {} of {}{}; the {} has {}", sent_, part_.size(),
                     finished_ ? " and the end" : "", received_, incoming_size_,
                     ended_ ? " and the end" : "", name_of(other(side_)),
                     end == Account::kNotYet ? "not ended" : fmt::format("ended at {}", end));
}

}  // namespace ambbpf::torture
