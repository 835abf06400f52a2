// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Sends connects that are meant for a listener of the ambassador straight to a backend: the
 * connection then has nothing in its way. What cannot be sent there is left alone, and so reaches
 * the listener, which retries and holds. userspace/direct/README.md has the rules.
 */
#include "direct_choice.bpf.h"
#include "direct_handshake.bpf.h"
#include "direct_left_alone.bpf.h"
#include "direct_maps.bpf.h"

static __always_inline void count(__u32 service_index, int is_direct)
{
	struct direct_service *service = bpf_map_lookup_elem(&service_of, &service_index);

	if (service)
		__sync_fetch_and_add(is_direct ? &service->direct : &service->left, 1);
}

/* `source`: what the socket is bound to, all zero if to nothing. */
static __always_inline int send_on(struct bpf_sock_addr *ctx, const struct direct_listener *dialled,
				   const __u32 *source, struct picked *picked)
{
	struct consumer consumer = {.now = bpf_ktime_get_ns()};
	struct bpf_sock *sk = ctx->sk;
	__u32 zero = 0;
	struct direct_control *known = bpf_map_lookup_elem(&control, &zero);

	if (ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP || !sk || !known)
		return 0;
	int is_any;
	__u32 *service = find_service(dialled, &is_any);

	if (!service) {
		if (learn_port)
			is_own(ctx, dialled->port);
		return 0;
	}
	if (is_own(ctx, dialled->port) || is_subflow(sk) || is_exempt(sk) || is_filtered(sk))
		return 0;
	if (sk->bound_dev_if || is_past(known->heartbeat, known->longest_silence, consumer.now))
		return 0;
	__u64 netns = bpf_get_netns_cookie(ctx);

	consumer.demand = demand_of(sk, dialled->address, source);
	consumer.cgroup = bpf_get_current_cgroup_id();
	int is_there = is_loopback(dialled->address);

	if (netns != own_netns) {
		if (!serves_others || is_there)
			return 0;
		consumer.netns = netns;
		consumer.demand.mask |= DIRECT_LOOPBACK; /* which is another one there */
	}
	if ((consumer.netns || (is_any && !is_there)) && !means_us(sk, dialled, &consumer))
		return 0;
	int found = pick(ctx, &consumer, *service, picked, 0);

	if (!found && is_orphaned(ctx, &consumer, known, dialled))
		found = pick(ctx, &consumer, *service, picked, 1);
	count(*service, found);
	if (!found)
		return 0;
	struct direct_dialled *kept = keep(sk, dialled, &consumer);

	if (!kept)
		return 0;
	kept->backend = picked->backend;
	kept->use = picked->use;
	kept->state = DIRECT_SENT;
	return 1;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	struct direct_listener dialled = {
		.address = {0, 0, bpf_htonl(0xffff), ctx->user_ip4},
		.port = ctx->user_port,
	};
	struct picked picked = {};
	struct bpf_sock *sk = ctx->sk;
	__u32 source[4] = {0, 0, bpf_htonl(0xffff), sk ? sk->src_ip4 : 0};

	if (send_on(ctx, &dialled, source, &picked)) {
		ctx->user_ip4 = picked.to.address[3];
		ctx->user_port = picked.to.port;
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
	struct picked picked = {};
	struct bpf_sock *sk = ctx->sk;
	__u32 source[4] = {};

	if (sk) {
		source[0] = sk->src_ip6[0];
		source[1] = sk->src_ip6[1];
		source[2] = sk->src_ip6[2];
		source[3] = sk->src_ip6[3];
	}
	if (send_on(ctx, &dialled, source, &picked)) {
		ctx->user_ip6[0] = picked.to.address[0];
		ctx->user_ip6[1] = picked.to.address[1];
		ctx->user_ip6[2] = picked.to.address[2];
		ctx->user_ip6[3] = picked.to.address[3];
		ctx->user_port = picked.to.port;
	}
	return 1;
}

static __always_inline struct direct_dialled *dialled_of(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? bpf_sk_storage_get(&dialled_by, sk, 0, 0) : 0;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	struct direct_dialled *dialled = dialled_of(ctx);

	if (dialled) {
		ctx->user_ip4 = dialled->dial.address[3];
		ctx->user_port = dialled->dial.port;
	}
	return 1;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	struct direct_dialled *dialled = dialled_of(ctx);

	if (dialled) {
		ctx->user_ip6[0] = dialled->dial.address[0];
		ctx->user_ip6[1] = dialled->dial.address[1];
		ctx->user_ip6[2] = dialled->dial.address[2];
		ctx->user_ip6[3] = dialled->dial.address[3];
		ctx->user_port = dialled->dial.port;
	}
	return 1;
}

static __always_inline struct direct_reach reach_of(const struct direct_dialled *dialled)
{
	return (struct direct_reach){
		.netns = dialled->dial.netns, .backend = dialled->backend, .use = dialled->use};
}

static __always_inline void report_failure(const struct direct_dialled *dialled)
{
	send_event((struct direct_event){.kind = DIRECT_FAILED,
					 .index = dialled->backend,
					 .use = dialled->use,
					 .netns = dialled->dial.netns,
					 .cgroup = dialled->cgroup});
}

static __always_inline void failed(const struct direct_dialled *dialled,
				   struct direct_backend *backend)
{
	struct direct_reach key = reach_of(dialled);

	if (key.netns)
		bpf_map_delete_elem(&reached, &key);
	if (backend->out)
		return;
	backend->out = 1;
	report_failure(dialled);
}

/*
 * Maybe the SYN was but lost, so the backend is in doubt, unless it has answered others since; the
 * second one is reported, once.
 */
static __always_inline void unanswered(struct bpf_sock_ops *ctx,
				       const struct direct_dialled *dialled,
				       struct direct_backend *backend)
{
	if (backend->answered_at < dialled->connected_at)
		backend->out = 1;
	if (ctx->args[0] == 1) /* SYNs that were sent again before this one */
		report_failure(dialled);
}

/* Whether the kernel has an error for the consumer: else it has closed the socket by itself. */
static __always_inline int has_error(struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	return tcp && tcp->inet_conn.icsk_inet.sk.sk_err;
}

static __always_inline void ended(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
				  struct direct_dialled *dialled, struct direct_backend *backend)
{
	if (dialled->state != DIRECT_OPEN)
		return;
	dialled->state = DIRECT_OVER;

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

/* Written now and then only: every CPU reads them for every connect. */
#define ANSWERED_EVERY 10000000	   /* ns */
#define ASKED_AFTER ANSWERED_EVERY /* without an answer: until then there is none to wait for */

static __always_inline void asked(struct direct_backend *backend, __u64 now)
{
	if (!backend->asked_at && now - backend->answered_at > ASKED_AFTER)
		backend->asked_at = now;
}

static __always_inline void answered(struct bpf_sock_ops *ctx, struct direct_backend *backend,
				     __u64 now)
{
	if (backend->asked_at)
		backend->asked_at = 0;
	if (backend->out)
		backend->out = 0;
	if (backend->rtt_us && now - backend->answered_at < ANSWERED_EVERY)
		return;
	backend->answered_at = now;
	backend->rtt_us = ctx->srtt_us >> 3;
}

static __always_inline void established(struct bpf_sock_ops *ctx,
					const struct direct_dialled *dialled,
					struct direct_backend *backend, __u64 now)
{
	struct direct_reach key = reach_of(dialled);

	__sync_fetch_and_add(&backend->established, 1);
	__sync_fetch_and_add(&backend->connect_ns, now - dialled->connected_at);
	answered(ctx, backend, now);
	if (!key.netns)
		return;
	struct direct_reached *known = bpf_map_lookup_elem(&reached, &key);

	if (known)
		known->answered_at = now;
}

/* A connection that was sent on. */
static __always_inline void changed(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
				    struct direct_dialled *dialled)
{
	__u32 index = dialled->backend;
	struct direct_backend *backend = bpf_map_lookup_elem(&backend_of, &index);
	__u64 now = bpf_ktime_get_ns();

	if (!backend)
		return;
	switch (ctx->op) {
		case BPF_SOCK_OPS_TCP_CONNECT_CB:
			/* Beside what others have asked for. */
			bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags |
							       BPF_SOCK_OPS_STATE_CB_FLAG |
							       BPF_SOCK_OPS_RTO_CB_FLAG);
			dialled->state = DIRECT_OPEN;
			__sync_fetch_and_add(&backend->opened, 1);
			asked(backend, now);
			break;
		case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
			established(ctx, dialled, backend, now);
			break;
		case BPF_SOCK_OPS_RTO_CB:
			if (ctx->state == BPF_TCP_SYN_SENT)
				unanswered(ctx, dialled, backend);
			break;
		case BPF_SOCK_OPS_STATE_CB:
			ended(ctx, sk, dialled, backend);
			break;
	}
}

SEC("sockops")
int socket_changed(struct bpf_sock_ops *ctx)
{
	__u32 op = ctx->op;

	/* It is called a dozen times for each connection on this host. */
	if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB && any_handshake)
		find_handshake(ctx);
	if (op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    op != BPF_SOCK_OPS_STATE_CB && op != BPF_SOCK_OPS_RTO_CB)
		return 1;
	if (op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] != BPF_TCP_CLOSE)
		return 1;
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 1;
	struct direct_dialled *dialled = bpf_sk_storage_get(&dialled_by, sk, 0, 0);

	if (!dialled || dialled->owner != owner)
		return 1;
	if (dialled->state != DIRECT_LEFT)
		changed(ctx, sk, dialled);
	else if (op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		note_handshake(ctx, dialled);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
