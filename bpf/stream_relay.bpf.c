// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Sends the segments of a socket straight into the socket of its peer, while user space allows it
 * and the peer has room. Whatever it does not send on is passed to user space, stays charged to the
 * socket's receive buffer, and so closes the sender's window: this is the back-pressure.
 *
 * userspace/dataplane/README.md is the protocol; the kernel serialises the verdicts of one socket.
 */
#include "kernel_types.h"
#include "stream_relay.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* The sizes are set by user space before the program is loaded. */

/* slot -> socket */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} socket_of SEC(".maps");

/* socket cookie -> slot */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} slot_of SEC(".maps");

/* slot -> the direction that starts there */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} flow_of SEC(".maps");

/* Slots whose gate is open and whose bytes user space has to move again. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} taken_back SEC(".maps");

/*
 * What bpf_skb_adjust_room() cuts at most, and how often. TCP puts segments together that wait for
 * an earlier one, so one that comes here may be far longer than any packet: 17 or more fragments
 * (MAX_SKB_FRAGS) of 32 KiB and more. This is enough for 2 MiB.
 */
#define LONGEST_CUT 4095
#define MOST_CUTS 512

/* For how many of those the ring was full. User space looks here each time it has read the ring. */
__u64 lost_events;

/* User space sums them up. */
struct total totals[TOTALS] __attribute__((aligned(64)));

/*
 * Room in the target: what its send queue holds, plus what was redirected but has not yet been put
 * there by the kernel's worker, plus the segment, stays below its send buffer. Without this the
 * worker meets EAGAIN, sleeps a jiffy and does nothing else meanwhile, and nothing bounds the
 * memory. The backlog is empty whenever the gate opens: that is when `base` is taken.
 */
static __always_inline int has_room(struct flow *flow, struct bpf_sock *target, __u32 size)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(target);

	if (!tcp)
		return 0;

	__u32 write_seq = tcp->write_seq;
	__u32 redirected = flow->redirected;
	__u32 opened = *(volatile __u32 *)&flow->opened;

	if (flow->based_on != opened) {
		flow->based_on = opened;
		flow->base = write_seq - redirected;
	}

	int backlog = flow->base + redirected - write_seq;
	__u32 queued = tcp->inet_conn.icsk_inet.sk.sk_wmem_queued;
	__u32 to_come = backlog + size;
	__u32 headers = to_come / 8 + 4096; /* the queue is charged for those of its buffers, too */

	return queued + to_come + headers < (__u32)tcp->inet_conn.icsk_inet.sk.sk_sndbuf;
}

enum left { NOTHING, NEW_BYTES, CANNOT_TELL };

/*
 * A retransmission may begin with bytes that are here already: TCP queues the segment as it came
 * and recv(2) skips them, a verdict gets it whole. Says what is left in the segment. A segment's cb
 * begins with its sequence number (struct tcp_skb_cb).
 */
static __always_inline enum left cut_old_bytes(struct flow *flow, struct __sk_buff *segment)
{
	__u32 next = *(volatile __u32 *)&flow->next;

	if (flow->redirected + flow->passed == 0) {
		struct bpf_sock *socket = segment->sk;
		struct tcp_sock *tcp = socket ? bpf_skc_to_tcp_sock(socket) : 0;

		if (!tcp)
			return CANNOT_TELL;
		next = tcp->copied_seq;
		/* Else both loads become one, and the verifier wants to know of what. */
		asm volatile("" : "+r"(next));
	}

	__u32 old = next - segment->cb[0];

	flow->next = segment->cb[0] + segment->len;
	if ((__s32)old <= 0)
		return NEW_BYTES;
	if (old >= segment->len) {
		flow->next = next;
		return NOTHING;
	}

	/* Counted beforehand, so that the verifier sees all ways out of the loop as one. */
	__u32 whole = old / LONGEST_CUT;
	__u32 rest = old % LONGEST_CUT;

	if (rest && bpf_skb_adjust_room(segment, -(__s32)rest, 0, 0))
		return CANNOT_TELL;
	for (__u32 i = 0; i < MOST_CUTS; i++) {
		if (i == whole)
			return NEW_BYTES;
		if (bpf_skb_adjust_room(segment, -LONGEST_CUT, 0, 0))
			return CANNOT_TELL;
	}
	return CANNOT_TELL;
}

static __always_inline void wake_user_space(__u32 source)
{
	if (!bpf_ringbuf_output(&taken_back, &source, sizeof(source), 0))
		return;
	/*
	 * By now the reader may have emptied the ring, and looked at the counter too early: then
	 * the second try wakes it. If that fails, the ring still holds what wakes it.
	 */
	__sync_fetch_and_add(&lost_events, 1);
	bpf_ringbuf_output(&taken_back, &source, sizeof(source), 0);
}

SEC("sk_skb/stream_verdict")
int relay_segment(struct __sk_buff *segment)
{
	__u64 cookie = bpf_get_socket_cookie(segment);
	__u32 *slot = bpf_map_lookup_elem(&slot_of, &cookie);

	if (!slot)
		return SK_PASS;

	__u32 source = *slot;
	struct flow *flow = bpf_map_lookup_elem(&flow_of, &source);

	if (!flow)
		return SK_PASS;

	/*
	 * A pure FIN. The socket's state has it; redirected or passed it would make the kernel's
	 * worker see "0 bytes sent" and break the target with EPIPE.
	 */
	if (segment->len == 0 || flow->broken)
		return SK_DROP;

	enum left left = cut_old_bytes(flow, segment);

	if (left == CANNOT_TELL) {
		*(volatile __u32 *)&flow->broken = 1;
		wake_user_space(source);
	}
	if (left != NEW_BYTES)
		return SK_DROP;

	__u64 passed = flow->passed;
	int open = *(volatile __u32 *)&flow->gate && passed == *(volatile __u64 *)&flow->consumed;

	if (open) {
		__u32 target = flow->peer;
		struct bpf_sock *socket = bpf_map_lookup_elem(&socket_of, &target);
		int room = 0;

		if (socket) {
			room = has_room(flow, socket, segment->len);
			bpf_sk_release(socket);
		}
		if (room) {
			struct total *total = &totals[bpf_get_smp_processor_id() & (TOTALS - 1)];

			flow->redirected += segment->len;
			__sync_fetch_and_add(&total->redirected[flow->to_client & 1], segment->len);
			__sync_fetch_and_add(&total->segments, 1);
			return bpf_sk_redirect_map(segment, &socket_of, target, 0);
		}
		flow->no_room++;
	}

	*(volatile __u64 *)&flow->passed = passed + segment->len;
	if (open)
		wake_user_space(source);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
