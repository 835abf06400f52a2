/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Whose connects are not looked at. */
#ifndef AMBBPF_DIRECT_LEFT_ALONE_BPF_H
#define AMBBPF_DIRECT_LEFT_ALONE_BPF_H

#include "direct_maps.bpf.h"

static __always_inline __u64 net_of(struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	return tcp ? (__u64)tcp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net : 0;
}

static __always_inline int is_own(struct bpf_sock_addr *ctx, __u32 port)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (learn_port && port == learn_port) {
		own_tgid = tgid;
		own_netns = bpf_get_netns_cookie(ctx);
		own_net = ctx->sk ? net_of(ctx->sk) : 0;
		learned = 1;
	}
	return tgid == own_tgid;
}

/*
 * A subflow of MPTCP is connected by the kernel, and its owner asks another socket for its peer:
 * what was dialled would be kept at the wrong one.
 */
static __always_inline int is_subflow(struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	return tcp && bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp;
}

#define MOST_LEVELS 16

static __always_inline int is_exempt(struct bpf_sock *sk)
{
	if (exempt_mark && sk->mark == exempt_mark)
		return 1;
	for (int level = 0; any_exempt && level < MOST_LEVELS; level++) {
		__u64 cgroup = bpf_get_current_ancestor_cgroup_id(level);

		if (!cgroup)
			break; /* below the consumer's own */
		if (bpf_map_lookup_elem(&exempt_cgroup, &cgroup))
			return 1;
	}
	return 0;
}

static __always_inline struct cgroup *cgroup_of(struct tcp_sock *tcp)
{
	struct sock_cgroup_data *data = &tcp->inet_conn.icsk_inet.sk.sk_cgrp_data;

	if (bpf_core_field_exists(data->cgroup))
		return BPF_CORE_READ(data, cgroup);
	return (void *)(BPF_CORE_READ((struct sock_cgroup_data___before_5_15 *)data, val) & ~3ull);
}

/*
 * Its cgroup has a packet filter (IPAddressDeny= of systemd is one), which may let it send to the
 * listener, and not to a backend: the connect would be silent.
 */
static __always_inline int is_filtered(struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct cgroup *cgroup = tcp ? cgroup_of(tcp) : 0;

	return cgroup && (BPF_CORE_READ(cgroup, bpf.effective[0], items[0].prog) ||
			  BPF_CORE_READ(cgroup, bpf.effective[1], items[0].prog));
}

#endif
