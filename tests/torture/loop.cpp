// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace ambbpf::torture {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kScratch = 256 * 1024;  // no less than a manner's `most`

}  // namespace

Loop::Loop(Book& book) : book_(book), epoll_(::epoll_create1(EPOLL_CLOEXEC)), scratch_(kScratch) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

void Loop::accept_from(UniqueFd listener) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener.get(), &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  listeners_.push_back(std::move(listener));
}

void Loop::add(std::unique_ptr<Peer> peer) {
  Peer* key = peer.get();
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = key}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, key->socket(), &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  peers_[key].peer = std::move(peer);
  go(*key);
}

void Loop::accept_all() {
  for (const auto& listener : listeners_) {
    for (;;) {
      UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket)
        add(std::make_unique<Peer>(std::move(socket), book_));
      else if (errno == EAGAIN)
        break;
      else if (errno != ECONNABORTED)
        throw std::system_error(errno, std::generic_category(), "accept");
    }
  }
}

void Loop::turn() {
  std::array<epoll_event, 256> events;
  // In milliseconds: epoll_pwait2(2), which takes less, is there since Linux 5.11 only.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(pause()).count();
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(wait));
  if (count < 0 && errno != EINTR)
    throw std::system_error(errno, std::generic_category(), "epoll_wait");
  for (int i = 0; i < count; ++i) {
    if (auto* peer = static_cast<Peer*>(events[static_cast<std::size_t>(i)].data.ptr)) {
      peer->ready();
      go(*peer);
    } else {
      accept_all();
    }
  }
  serve_wakes();
  look_for_the_stuck();
}

Clock::duration Loop::pause() const {
  constexpr Clock::duration kLongest = 50ms;
  if (wakes_.empty()) return kLongest;
  return std::clamp<Clock::duration>(wakes_.begin()->first - Clock::now(), 0ms, kLongest);
}

// May end the peer, which is gone then.
void Loop::go(Peer& peer) {
  Entry& entry = peers_.at(&peer);
  if (!peer.is_over()) peer.go(Clock::now(), scratch_);
  wakes_.erase({entry.wake, &peer});
  if (peer.is_over()) {
    peers_.erase(&peer);
    return;
  }
  entry.wake = peer.wake();
  if (entry.wake != Clock::time_point::max()) wakes_.insert({entry.wake, &peer});
}

void Loop::serve_wakes() {
  std::vector<Peer*> due;
  const auto now = Clock::now();
  for (const auto& [wake, peer] : wakes_) {
    if (wake > now) break;
    due.push_back(peer);
  }
  for (Peer* peer : due) go(*peer);
}

void Loop::look_for_the_stuck() {
  const auto now = Clock::now();
  if (now - looked_at_ < 1s) return;
  looked_at_ = now;
  std::vector<Peer*> all;
  for (const auto& [peer, entry] : peers_) all.push_back(peer);
  for (Peer* peer : all) {
    peer->check_timeout(now);
    if (peer->is_over()) go(*peer);
  }
}

}  // namespace ambbpf::torture
