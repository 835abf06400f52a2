/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Consumers in other network namespaces: whether what they dial means the ambassador. The first
 * ones are left to find it, and both ends of their handshake know the same numbers.
 */
#ifndef AMBBPF_DIRECT_HANDSHAKE_BPF_H
#define AMBBPF_DIRECT_HANDSHAKE_BPF_H

#include "direct_choice.bpf.h"
#include "direct_left_alone.bpf.h"

static __always_inline struct direct_dialled *keep(struct bpf_sock *sk,
						   const struct direct_listener *dialled,
						   const struct consumer *consumer)
{
	struct direct_dialled *kept =
		bpf_sk_storage_get(&dialled_by, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!kept)
		return 0;
	__builtin_memcpy(kept->dial.address, dialled->address, sizeof(kept->dial.address));
	kept->dial.port = dialled->port;
	kept->dial.netns = consumer->netns;
	kept->dial.unused = 0;
	kept->owner = owner;
	kept->cgroup = consumer->cgroup;
	kept->connected_at = consumer->now;
	kept->use = 0;
	kept->unused = 0;
	kept->state = DIRECT_LEFT;
	return kept;
}

/*
 * Whether what is dialled is known to mean us, and not somebody else by another network or by
 * translation of addresses; else that is found out.
 */
static __always_inline int means_us(struct bpf_sock *sk, const struct direct_listener *dialled,
				    const struct consumer *consumer)
{
	struct direct_dial key = {.netns = consumer->netns, .port = dialled->port};

	__builtin_memcpy(key.address, dialled->address, sizeof(key.address));
	__u64 *since = bpf_map_lookup_elem(&means_us_since, &key);

	if (since && !is_past(*since, known_for, consumer->now))
		return 1;
	keep(sk, dialled, consumer);
	return 0;
}

/*
 * Its callers read the context's fields themselves. In a function for an end of the connection
 * clang 14 takes the address of one of two fields, and the verifier refuses such a pointer.
 */
static __always_inline void as_mapped(__u32 *address, __u32 four)
{
	address[0] = address[1] = 0;
	address[2] = bpf_htonl(0xffff);
	address[3] = four;
}

/* The consumer's end of a connection to what it has dialled: to be found at the other one. */
static __always_inline void note_handshake(struct bpf_sock_ops *ctx,
					   const struct direct_dialled *dialled)
{
	struct direct_handshake key = {
		.client_port = ctx->local_port,
		.client_next = ctx->snd_nxt,
		.server_next = ctx->rcv_nxt,
	};
	struct direct_dial dial = dialled->dial;

	__u32 four = ctx->local_ip4;

	key.client[0] = ctx->local_ip6[0];
	key.client[1] = ctx->local_ip6[1];
	key.client[2] = ctx->local_ip6[2];
	key.client[3] = ctx->local_ip6[3];
	if (ctx->family == AF_INET)
		as_mapped(key.client, four);
	bpf_map_update_elem(&handshakes, &key, &dial, BPF_ANY);
	if (!any_handshake)
		any_handshake = 1;
}

/* For which service the ambassador has taken a connection in; 0: for none, or somebody else has. */
static __always_inline __u32 *taken_in_for(struct bpf_sock_ops *ctx)
{
	struct direct_listener at = {.port = bpf_htons(ctx->local_port)};
	__u32 four = ctx->local_ip4;
	struct bpf_sock *sk = ctx->sk;
	int is_any;

	if (!sk || !own_net || net_of(sk) != own_net)
		return 0;
	at.address[0] = ctx->local_ip6[0];
	at.address[1] = ctx->local_ip6[1];
	at.address[2] = ctx->local_ip6[2];
	at.address[3] = ctx->local_ip6[3];
	if (ctx->family == AF_INET)
		as_mapped(at.address, four);
	return find_service(&at, &is_any);
}

static __always_inline __u32 *dialled_service(const struct direct_dial *dial)
{
	struct direct_listener dialled = {.port = dial->port};
	int is_any;

	__builtin_memcpy(dialled.address, dial->address, sizeof(dialled.address));
	return find_service(&dialled, &is_any);
}

/* A connection has been taken in. If it is one of those, what was dialled means us. */
static __always_inline void find_handshake(struct bpf_sock_ops *ctx)
{
	__u32 *service = taken_in_for(ctx);

	if (!service)
		return;
	struct direct_handshake key = {
		.client_port = bpf_ntohl(ctx->remote_port),
		.client_next = ctx->rcv_nxt,
		.server_next = ctx->snd_nxt,
	};

	__u32 four = ctx->remote_ip4;

	key.client[0] = ctx->remote_ip6[0];
	key.client[1] = ctx->remote_ip6[1];
	key.client[2] = ctx->remote_ip6[2];
	key.client[3] = ctx->remote_ip6[3];
	if (ctx->family == AF_INET)
		as_mapped(key.client, four);
	struct direct_dial *dial = bpf_map_lookup_elem(&handshakes, &key);

	if (!dial)
		return;
	struct direct_dial known = *dial;
	__u32 *dialled = dialled_service(&known);
	__u64 now = bpf_ktime_get_ns();

	/* It may have been sent to another port on its way. */
	if (dialled && *dialled == *service)
		bpf_map_update_elem(&means_us_since, &known, &now, BPF_ANY);
	bpf_map_delete_elem(&handshakes, &key);
}

#endif
