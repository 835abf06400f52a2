// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Sends connects that are meant for a listener of the ambassador straight to a backend: the
 * connection then has nothing in its way. What cannot be sent there is left alone, and so reaches
 * the listener, which retries and holds. userspace/direct/README.md has the rules.
 */
#include "direct_connect.h"
#include "kernel_types.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SOCK_STREAM 1
#define IPPROTO_TCP 6

/* The sizes are set by user space before the programs are loaded. */

/* where the ambassador listens -> index into service_of */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct direct_listener);
	__type(value, __u32);
} listener_of SEC(".maps");

/* addresses of this host, but for 127.0.0.0/8 and ::1; the port is 0 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct direct_listener);
	__type(value, __u32);
} local_address SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct direct_service);
} service_of SEC(".maps");

/* index -> backend, as services list theirs; an array takes 8 bytes for a smaller value as well */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} turn_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct direct_backend);
} backend_of SEC(".maps");

/* What a socket of a consumer has dialled, and what became of it. */
struct dialled {
	__u32 address[4];
	__u32 port;
	__u32 backend;
	__u64 connected_at;
	__u32 is_open; /* counted as opened, and not yet as anything else */
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dialled);
} dialled_by SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* Set by user space. */
__u64 own_netns;       /* the only network namespace whose connects are sent on */
__u32 own_tgid;	       /* whose connects are never: the ambassador's own */
__u64 heartbeat;       /* when the ambassador was last alive */
__u64 longest_silence; /* of the heartbeat, before the programs do nothing any more */
__u64 live_for;	       /* how long an answer speaks for a backend */
__u64 answer_within;   /* a connect unanswered for so long puts a backend in doubt */

/* Where the ambassador finds out its process id and namespace as seen from here. */
__u32 learn_port;
__u32 learned;

static __always_inline void send_event(__u32 kind, __u32 index)
{
	struct direct_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return; /* user space looks at all now and then */
	event->kind = kind;
	event->index = index;
	bpf_ringbuf_submit(event, 0);
}

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

static __always_inline __u32 *find_service(const struct direct_listener *dialled)
{
	struct direct_listener key = *dialled;
	__u32 *index = bpf_map_lookup_elem(&listener_of, &key);

	if (index)
		return index;
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

static __always_inline int is_in_doubt(const struct direct_backend *backend, __u64 now)
{
	__u64 asked_at = backend->asked_at;

	if (backend->out || now - backend->answered_at > live_for)
		return 1;
	return asked_at && now > asked_at && now - asked_at > answer_within;
}

/* Nobody listens at a local address any more: the connect would be refused. */
static __always_inline int is_closed(struct bpf_sock_addr *ctx,
				     const struct direct_backend *backend)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);

	if (!(backend->kind & DIRECT_LOCAL))
		return 0;
	if (backend->kind & DIRECT_IPV4) {
		tuple.ipv4.daddr = backend->address[3];
		tuple.ipv4.dport = backend->port;
	} else {
		size = sizeof(tuple.ipv6);
		__builtin_memcpy(tuple.ipv6.daddr, backend->address, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.dport = backend->port;
	}
	struct bpf_sock *listener = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);

	if (!listener)
		return 1;
	bpf_sk_release(listener);
	return 0;
}

/* Which kinds of backends a consumer can use. */
struct demand {
	__u32 mask;
	__u32 kind;
};

/* Those of the family dialled; a socket that is bound to loopback, or to anything else, stays
 * there. */
static __always_inline struct demand demand_of(const __u32 *dialled, const __u32 *source)
{
	struct demand demand = {.mask = DIRECT_IPV4, .kind = 0};

	if (is_ipv4(dialled))
		demand.kind = DIRECT_IPV4;
	if (source[0] || source[1] || source[3]) {
		demand.mask |= DIRECT_LOOPBACK;
		if (is_loopback(source))
			demand.kind |= DIRECT_LOOPBACK;
	}
	return demand;
}

#define MOST_TRIES 8

/*
 * Takes turns until one can be used. Fills in where to and returns the index of the backend, or a
 * negative number.
 */
static __always_inline int pick(struct bpf_sock_addr *ctx, __u32 service_index,
				struct demand demand, __u64 now, struct direct_listener *to)
{
	struct direct_service *service = bpf_map_lookup_elem(&service_of, &service_index);
	int any_in_doubt = 0;
	int found = -1;

	if (!service)
		return -1;
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
		if ((backend->kind & demand.mask) != demand.kind)
			continue;
		if (is_in_doubt(backend, now) || is_closed(ctx, backend)) {
			any_in_doubt = 1;
			continue;
		}
		__builtin_memcpy(to->address, backend->address, sizeof(to->address));
		to->port = backend->port;
		found = backend_index;
		break;
	}
	if (any_in_doubt && !service->wanted) {
		service->wanted = 1;
		send_event(DIRECT_WANTED, service_index);
	}
	if (found < 0)
		__sync_fetch_and_add(&service->left, 1);
	else
		__sync_fetch_and_add(&service->direct, 1);
	return found;
}

static __always_inline int is_own(struct bpf_sock_addr *ctx, __u32 port)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (learn_port && port == learn_port) {
		own_tgid = tgid;
		own_netns = bpf_get_netns_cookie(ctx);
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

/* `source`: what the socket is bound to, all zero if to nothing. */
static __always_inline int send_on(struct bpf_sock_addr *ctx, const struct direct_listener *dialled,
				   const __u32 *source, struct direct_listener *to)
{
	__u64 now = bpf_ktime_get_ns();
	struct bpf_sock *sk = ctx->sk;

	if (ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP || !sk)
		return 0;
	__u32 *service = find_service(dialled);

	if (!service) {
		if (learn_port)
			is_own(ctx, dialled->port);
		return 0;
	}
	if (is_own(ctx, dialled->port) || bpf_get_netns_cookie(ctx) != own_netns)
		return 0;
	if (now - heartbeat > longest_silence && now > heartbeat)
		return 0;
	if (is_subflow(sk))
		return 0;
	int backend = pick(ctx, *service, demand_of(dialled->address, source), now, to);

	if (backend < 0)
		return 0;
	struct dialled *kept = bpf_sk_storage_get(&dialled_by, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!kept)
		return 0;
	__builtin_memcpy(kept->address, dialled->address, sizeof(kept->address));
	kept->port = dialled->port;
	kept->backend = backend;
	kept->connected_at = now;
	kept->is_open = 0;
	return 1;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	struct direct_listener dialled = {
		.address = {0, 0, bpf_htonl(0xffff), ctx->user_ip4},
		.port = ctx->user_port,
	};
	struct direct_listener to = {};
	struct bpf_sock *sk = ctx->sk;
	__u32 source[4] = {0, 0, bpf_htonl(0xffff), sk ? sk->src_ip4 : 0};

	if (send_on(ctx, &dialled, source, &to)) {
		ctx->user_ip4 = to.address[3];
		ctx->user_port = to.port;
	}
	return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	struct direct_listener dialled = {
		.address = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]},
		.port = ctx->user_port,
	};
	struct direct_listener to = {};
	struct bpf_sock *sk = ctx->sk;
	__u32 source[4] = {};

	if (sk) {
		source[0] = sk->src_ip6[0];
		source[1] = sk->src_ip6[1];
		source[2] = sk->src_ip6[2];
		source[3] = sk->src_ip6[3];
	}
	if (send_on(ctx, &dialled, source, &to)) {
		ctx->user_ip6[0] = to.address[0];
		ctx->user_ip6[1] = to.address[1];
		ctx->user_ip6[2] = to.address[2];
		ctx->user_ip6[3] = to.address[3];
		ctx->user_port = to.port;
	}
	return 1;
}

static __always_inline struct dialled *dialled_of(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? bpf_sk_storage_get(&dialled_by, sk, 0, 0) : 0;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	struct dialled *dialled = dialled_of(ctx);

	if (dialled) {
		ctx->user_ip4 = dialled->address[3];
		ctx->user_port = dialled->port;
	}
	return 1;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	struct dialled *dialled = dialled_of(ctx);

	if (dialled) {
		ctx->user_ip6[0] = dialled->address[0];
		ctx->user_ip6[1] = dialled->address[1];
		ctx->user_ip6[2] = dialled->address[2];
		ctx->user_ip6[3] = dialled->address[3];
		ctx->user_port = dialled->port;
	}
	return 1;
}

static __always_inline void failed(struct dialled *dialled, struct direct_backend *backend)
{
	if (backend->out)
		return;
	backend->out = 1;
	send_event(DIRECT_FAILED, dialled->backend);
}

/* Whether the kernel has an error for the consumer: else it has closed the socket by itself. */
static __always_inline int has_error(struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	return tcp && tcp->inet_conn.icsk_inet.sk.sk_err;
}

static __always_inline void ended(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
				  struct dialled *dialled, struct direct_backend *backend)
{
	if (!dialled->is_open)
		return;
	dialled->is_open = 0;
	if (ctx->args[0] != BPF_TCP_SYN_SENT) {
		__sync_fetch_and_add(&backend->closed, 1);
		__sync_fetch_and_add(&backend->received, ctx->bytes_received);
		__sync_fetch_and_add(&backend->sent, ctx->bytes_acked);
	} else if (has_error(sk)) {
		__sync_fetch_and_add(&backend->failed, 1);
		failed(dialled, backend);
	} else {
		__sync_fetch_and_add(&backend->cancelled, 1);
	}
}

SEC("sockops")
int socket_changed(struct bpf_sock_ops *ctx)
{
	__u32 op = ctx->op;

	if (op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    op != BPF_SOCK_OPS_STATE_CB && op != BPF_SOCK_OPS_RTO_CB)
		return 1;
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 1;
	struct dialled *dialled = bpf_sk_storage_get(&dialled_by, sk, 0, 0);

	if (!dialled)
		return 1;
	__u32 index = dialled->backend;
	struct direct_backend *backend = bpf_map_lookup_elem(&backend_of, &index);

	if (!backend)
		return 1;
	__u64 now = bpf_ktime_get_ns();

	switch (op) {
		case BPF_SOCK_OPS_TCP_CONNECT_CB:
			/* Beside what others have asked for. */
			bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags |
							       BPF_SOCK_OPS_STATE_CB_FLAG |
							       BPF_SOCK_OPS_RTO_CB_FLAG);
			dialled->is_open = 1;
			__sync_fetch_and_add(&backend->opened, 1);
			if (!backend->asked_at)
				backend->asked_at = now;
			break;
		case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
			__sync_fetch_and_add(&backend->established, 1);
			__sync_fetch_and_add(&backend->connect_ns, now - dialled->connected_at);
			backend->asked_at = 0;
			backend->answered_at = now;
			backend->rtt_us = ctx->srtt_us >> 3;
			break;
		case BPF_SOCK_OPS_RTO_CB:
			if (ctx->state == BPF_TCP_SYN_SENT)
				failed(dialled, backend);
			break;
		case BPF_SOCK_OPS_STATE_CB:
			if (ctx->args[1] == BPF_TCP_CLOSE)
				ended(ctx, sk, dialled, backend);
			break;
	}
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
