// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ambbpf::test {

// From here on the socket's TCP gets no packet any more, as if the cable were cut: what arrives is
// dropped before TCP sees it, so nothing is acknowledged and nothing is refused. (A socket filter
// of socket(7), which needs no privileges.) Its own packets still leave: for a cable that is cut
// for both, do it to both ends.
void cut_off(int socket);
void join_again(int socket);

}  // namespace ambbpf::test
