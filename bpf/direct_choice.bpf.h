/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Which service is dialled, and which of its backends a consumer is sent to. */
#ifndef AMBBPF_DIRECT_CHOICE_BPF_H
#define AMBBPF_DIRECT_CHOICE_BPF_H

#include "direct_maps.bpf.h"

static __always_inline int is_loopback(const __u32 *address)
{
	if (address[0] || address[1])
		return 0;
	if (address[2] == bpf_htonl(0xffff))
		return (bpf_ntohl(address[3]) >> 24) == 127;
	return !address[2] && address[3] == bpf_htonl(1);
}

static __always_inline int is_ipv4(const __u32 *address)
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

/* fe80::/10: it is somebody else's on each link. */
static __always_inline int is_link_local(const __u32 *address)
{
	return (bpf_ntohl(address[0]) >> 22) == 0xfe8 >> 2;
}

/* `is_any`: the listener is one on every address. */
static __always_inline __u32 *find_service(const struct direct_listener *dialled, int *is_any)
{
	struct direct_listener key = *dialled;
	__u32 *index = bpf_map_lookup_elem(&listener_of, &key);

	*is_any = 0;
	if (index || is_link_local(dialled->address))
		return index;
	*is_any = 1;
	key.address[3] = 0; /* 0.0.0.0, or what is left of another */
	if (is_ipv4(dialled->address))
		index = bpf_map_lookup_elem(&listener_of, &key);
	if (!index) {
		key.address[0] = key.address[1] = key.address[2] = 0; /* [::] */
		index = bpf_map_lookup_elem(&listener_of, &key);
	}
	if (!index || is_loopback(dialled->address))
		return index;
	key = *dialled;
	key.port = 0;
	return bpf_map_lookup_elem(&local_address, &key) ? index : 0;
}

/* Another CPU may have written a time that is a little later than `now`. */
static __always_inline int is_past(__u64 then, __u64 for_so_long, __u64 now)
{
	return now > then && now - then > for_so_long;
}

/* How long a connect may be unanswered: many round trips, as a busy host answers later. */
static __always_inline __u64 answer_within(const struct direct_backend *backend)
{
	__u64 within = (__u64)backend->rtt_us * 1000 * 16;

	if (within < ANSWER_WITHIN_LEAST)
		return ANSWER_WITHIN_LEAST;
	return within < ANSWER_WITHIN_MOST ? within : ANSWER_WITHIN_MOST;
}

static __always_inline int is_in_doubt(const struct direct_backend *backend, __u64 now)
{
	__u64 asked_at = backend->asked_at;

	if (backend->out || is_past(backend->answered_at, live_for, now))
		return 1;
	return asked_at && is_past(asked_at, answer_within(backend), now);
}

/* Whether somebody listens there, in the consumer's namespace. */
static __always_inline int is_open(struct bpf_sock_addr *ctx, const __u32 *address, __u32 port)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);

	if (is_ipv4(address)) {
		tuple.ipv4.daddr = address[3];
		tuple.ipv4.dport = port;
	} else {
		size = sizeof(tuple.ipv6);
		__builtin_memcpy(tuple.ipv6.daddr, address, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.dport = port;
	}
	struct bpf_sock *listener = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);

	if (!listener)
		return 0;
	bpf_sk_release(listener);
	return 1;
}

/* Which kinds of backends a socket can use. */
struct demand {
	__u32 mask;
	__u32 kind;
};

struct consumer {
	struct demand demand;
	__u64 netns; /* 0: the ambassador's own */
	__u64 cgroup;
	__u64 now;
};

/* Whether a socket of IPv6 may have a peer of IPv4, by the address ::ffff:10.0.0.1. */
static __always_inline int takes_ipv4(struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	return tcp && sk->family == AF_INET6 &&
	       !BPF_CORE_READ_BITFIELD(&tcp->inet_conn.icsk_inet.sk.__sk_common, skc_ipv6only);
}

/*
 * Those of the family dialled, for IPv6 where it can be IPv4 too, as localhost is ::1 first. A
 * socket that is bound to an address of this host is not sent elsewhere, where it may get no
 * answer.
 */
static __always_inline struct demand demand_of(struct bpf_sock *sk, const __u32 *dialled,
					       const __u32 *source)
{
	struct demand demand = {.mask = DIRECT_IPV4, .kind = 0};
	int bound = source[0] || source[1] || source[3];

	if (is_ipv4(dialled))
		demand.kind = DIRECT_IPV4;
	else if (!bound && takes_ipv4(sk))
		demand.mask = 0;
	if (bound) {
		demand.mask |= DIRECT_LOCAL | DIRECT_LOOPBACK;
		demand.kind |= DIRECT_LOCAL;
		if (is_loopback(source))
			demand.kind |= DIRECT_LOOPBACK;
	}
	return demand;
}

static __always_inline int is_barred(const struct consumer *consumer, __u32 backend, __u32 use)
{
	struct direct_barred key = {.netns = consumer->netns,
				    .cgroup = consumer->cgroup,
				    .backend = backend,
				    .use = use};

	if (!any_barred)
		return 0;
	__u64 *until = bpf_map_lookup_elem(&barred, &key);

	return until && consumer->now < *until;
}

/* In another namespace: until it has been asked, the proxy reaches it in its place. */
static __always_inline int is_reached(const struct consumer *consumer, __u32 backend, __u32 use,
				      int at_any_time)
{
	struct direct_reach key = {.netns = consumer->netns, .backend = backend, .use = use};
	struct direct_reached *known = bpf_map_lookup_elem(&reached, &key);
	struct direct_reached wanted = {.answered_at = 0, .wanted_at = consumer->now};

	if (known && known->answered_at &&
	    (at_any_time || !is_past(known->answered_at, live_for, consumer->now)))
		return 1;
	if (known && !is_past(known->wanted_at, wanted_every, consumer->now))
		return 0;
	if (known)
		wanted.answered_at = known->answered_at;
	bpf_map_update_elem(&reached, &key, &wanted, BPF_ANY);
	__u64 id = bpf_get_current_pid_tgid();

	send_event((struct direct_event){.kind = DIRECT_UNREACHED,
					 .index = backend,
					 .use = use,
					 .netns = consumer->netns,
					 .process = id >> 32,
					 .thread = (__u32)id});
	return 0;
}

enum fitness {
	FIT,
	UNFIT,	  /* for this consumer */
	IN_DOUBT, /* for all */
};

/* `is_last_resort`: there is no proxy to go to. */
static __always_inline enum fitness judge(struct bpf_sock_addr *ctx,
					  const struct consumer *consumer, __u32 index,
					  const struct direct_backend *backend, int is_last_resort)
{
	if ((backend->kind & consumer->demand.mask) != consumer->demand.kind)
		return UNFIT;
	if (is_last_resort ? backend->out : is_in_doubt(backend, consumer->now))
		return IN_DOUBT;
	if (!consumer->netns && (backend->kind & DIRECT_LOCAL) &&
	    !is_open(ctx, backend->address, backend->port))
		return IN_DOUBT;
	if (consumer->netns && !is_reached(consumer, index, backend->use, is_last_resort))
		return UNFIT;
	return is_barred(consumer, index, backend->use) ? UNFIT : FIT;
}

#define MOST_TRIES 8

struct picked {
	struct direct_listener to;
	__u32 backend;
	__u32 use;
};

/* Takes turns until one can be used; 0: none can. */
static __noinline int pick(struct bpf_sock_addr *ctx, const struct consumer *consumer,
			   __u32 service_index, struct picked *picked, int is_last_resort)
{
	struct direct_service *service = bpf_map_lookup_elem(&service_of, &service_index);
	int any_in_doubt = 0;
	int found = 0;

	if (!service)
		return 0;
	__u64 word = *(volatile __u64 *)&service->turns;
	__u32 first = word >> 32;
	__u32 turns = (__u32)word;

	for (__u32 i = 0; i < MOST_TRIES && i < turns; i++) {
		/* Without BPF_FETCH, for Linux before 5.12: two CPUs may have the same turn. */
		__u64 turn = *(volatile __u64 *)&service->turn;

		__sync_fetch_and_add(&service->turn, 1);
		__u32 place = first + (__u32)(turn % turns);
		__u64 *index = bpf_map_lookup_elem(&turn_of, &place);

		if (!index)
			break;
		__u32 backend_index = (__u32)*index;
		struct direct_backend *backend = bpf_map_lookup_elem(&backend_of, &backend_index);

		if (!backend)
			break;
		enum fitness fitness = judge(ctx, consumer, backend_index, backend, is_last_resort);

		if (fitness == IN_DOUBT)
			any_in_doubt = 1;
		if (fitness != FIT)
			continue;
		__builtin_memcpy(picked->to.address, backend->address, sizeof(picked->to.address));
		picked->to.port = backend->port;
		picked->backend = backend_index;
		picked->use = backend->use;
		found = 1;
		break;
	}
	if (any_in_doubt && !service->wanted) {
		service->wanted = 1;
		send_event((struct direct_event){.kind = DIRECT_WANTED, .index = service_index});
	}
	return found;
}

/* There is no proxy to go to: its process is gone, as far as can be told from here. */
static __always_inline int is_orphaned(struct bpf_sock_addr *ctx, const struct consumer *consumer,
				       const struct direct_control *known,
				       const struct direct_listener *dialled)
{
	if (!consumer->netns)
		return !is_open(ctx, dialled->address, dialled->port);
	return is_past(known->heartbeat, silent_after, consumer->now);
}

#endif
