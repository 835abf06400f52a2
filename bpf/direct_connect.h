/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the programs of direct_connect.bpf.c and user space share; seen by both compilers. */
#ifndef AMBBPF_DIRECT_CONNECT_H
#define AMBBPF_DIRECT_CONNECT_H

#include <linux/types.h>

/* Addresses are IPv6 ones, in network order; an IPv4 address is mapped, ::ffff:10.0.0.1. */

/* Where the ambassador listens, in its own network namespace. */
struct direct_listener {
	__u32 address[4]; /* unspecified, of either family: every address of this host */
	__u32 port;	  /* network order, in the lower two bytes of memory */
};

/*
 * A service: what may be given out, in turn. One word names its turns, so that nobody reads half of
 * a change; user space leaves the turns and backends that it has named before as they are for
 * longer than a program runs.
 */
struct direct_service {
	__u64 turns;  /* user: the place of the first, times 2^32, plus how many; 0: none */
	__u64 turn;   /* bpf: how many have been given out, or passed over */
	__u64 direct; /* bpf: connects that were sent to a backend */
	__u64 left;   /* bpf: connects that were left to the listener */
	__u32 wanted; /* bpf: 1 backends that are in doubt were passed over; user: 0 */
	__u32 unused[7];
};

/* One cache line that few write, and two that each connection does. */
struct direct_backend {
	__u32 address[4];  /* user */
	__u32 port;	   /* user: as in direct_listener */
	__u32 out;	   /* bpf: 1 a connect failed; user: 0, when it has answered since */
	__u64 asked_at;	   /* bpf: since when a connect waits for the first answer; 0: none does */
	__u64 answered_at; /* bpf, user: when a connect was last answered */
	__u32 kind;	   /* user: DIRECT_IPV4 | DIRECT_LOOPBACK | DIRECT_LOCAL */
	__u32 unused[5];

	__u64 opened; /* bpf: what follows */
	__u64 established;
	__u64 failed;	 /* refused, or not answered */
	__u64 cancelled; /* by the consumer, before there was an answer */
	__u64 closed;	 /* of those established */
	__u64 received;	 /* bytes, of closed connections */
	__u64 sent;
	__u64 connect_ns; /* of the connections established, summed up */
	__u32 rtt_us;	  /* the smoothed round trip of the last one established */
	__u32 unused_too[15];
};

/* What an address is; a local one is one of this host, loopback ones among them. */
#define DIRECT_IPV4 1
#define DIRECT_LOOPBACK 2
#define DIRECT_LOCAL 4

/* All times are those of bpf_ktime_get_ns(), CLOCK_MONOTONIC. */

enum direct_event_kind {
	DIRECT_FAILED, /* a connect to a backend was refused or not answered in time */
	DIRECT_WANTED, /* a service has backends in doubt, and somebody connects */
};

struct direct_event {
	__u32 kind;
	__u32 index; /* of the backend or of the service */
};

#ifdef __cplusplus
#define _Static_assert static_assert
#endif
_Static_assert(sizeof(struct direct_service) == 64, "kernel and user must agree");
_Static_assert(sizeof(struct direct_backend) == 192, "kernel and user must agree");

#endif
