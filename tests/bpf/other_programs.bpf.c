// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * What others may have on a cgroup beside zero hop: programs that watch connects and connections,
 * and a packet filter as IPAddressDeny= of systemd makes one.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

__u64 connects;
__u64 established;
__u64 round_trips; /* what it has asked for by a flag of its own */
__u32 last_port;   /* that a connect was for when it got here, in host order */

SEC("cgroup/connect4")
int sees_connects(struct bpf_sock_addr *ctx)
{
	last_port = bpf_ntohs(ctx->user_port);
	__sync_fetch_and_add(&connects, 1);
	return 1;
}

SEC("sockops")
int sees_connections(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
		case BPF_SOCK_OPS_TCP_CONNECT_CB:
			bpf_sock_ops_cb_flags_set(
				ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTT_CB_FLAG);
			break;
		case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
			__sync_fetch_and_add(&established, 1);
			break;
		case BPF_SOCK_OPS_RTT_CB:
			__sync_fetch_and_add(&round_trips, 1);
			break;
	}
	return 1;
}

SEC("cgroup_skb/egress")
int lets_out_to_loopback_only(struct __sk_buff *skb)
{
	__u8 first = 0; /* byte of the destination */

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return 0;
	bpf_skb_load_bytes(skb, __builtin_offsetof(struct iphdr, daddr), &first, sizeof(first));
	return first == 127;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
