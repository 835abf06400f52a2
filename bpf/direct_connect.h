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
	__u32 use;	   /* user: another one for each backend that has this index in turn */
	__u32 unused[4];

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

/*
 * What others need to know of an ambassador that may be gone. Other versions read it too, so fields
 * are only ever added, and at the end.
 */
struct direct_control {
	__u64 heartbeat;       /* when the ambassador was last alive */
	__u64 longest_silence; /* of the heartbeat, before the programs do nothing any more, in ns
				*/
	__u64 netns;	       /* the ambassador's network namespace, by its cookie */
};

/* What a consumer has dialled; 0 is the ambassador's own network namespace. */
struct direct_dial {
	__u64 netns;
	__u32 address[4];
	__u32 port; /* as in direct_listener */
	__u32 unused;
};

/* The same of a socket, and what became of it. A change is one of kPinnedDialled (pins.h). */
struct direct_dialled {
	struct direct_dial dial;
	__u64 owner; /* the ambassador, as its variable of that name */
	__u64 cgroup;
	__u64 connected_at;
	__u32 backend;
	__u32 use; /* as in direct_backend */
	__u32 state;
	__u32 unused;
};

enum direct_state {
	DIRECT_LEFT, /* to the listener, maybe: it is to be seen whether it gets here */
	DIRECT_SENT, /* to the backend, and not yet on its way */
	DIRECT_OPEN, /* counted as opened, and not yet as anything else */
	DIRECT_OVER,
};

/* A handshake as both of its ends know it: nobody else can tell these numbers. */
struct direct_handshake {
	__u32 client[4];
	__u32 client_port; /* host order */
	__u32 client_next; /* sequence numbers */
	__u32 server_next;
	__u32 unused;
};

/* Consumers that have failed to connect to a backend that answers the ambassador. */
struct direct_barred {
	__u64 netns;
	__u64 cgroup;
	__u32 backend;
	__u32 use; /* as in direct_backend */
};

/* A backend as a network namespace can reach it, or not. */
struct direct_reach {
	__u64 netns;
	__u32 backend;
	__u32 use; /* as in direct_backend */
};

struct direct_reached {
	__u64 answered_at; /* bpf, user */
	__u64 wanted_at;   /* bpf: when user space was last told; user: it is not to be before */
};

/* All times are those of bpf_ktime_get_ns(), CLOCK_MONOTONIC. */

enum direct_event_kind {
	DIRECT_FAILED,	  /* a connect to a backend was refused or not answered in time */
	DIRECT_WANTED,	  /* a service has backends in doubt, and somebody connects */
	DIRECT_UNREACHED, /* a backend is not known to be reached from another network namespace */
};

struct direct_event {
	__u32 kind;
	__u32 index;   /* of the service for DIRECT_WANTED, else of the backend */
	__u32 use;     /* as in direct_backend */
	__u32 process; /* of the consumer, for DIRECT_UNREACHED */
	__u32 thread;
	__u32 unused;
	__u64 netns;  /* of the consumer, if that is another one; else 0 */
	__u64 cgroup; /* of the consumer, for DIRECT_FAILED */
};

#ifdef __cplusplus
#define _Static_assert static_assert
#endif
_Static_assert(sizeof(struct direct_service) == 64, "kernel and user must agree");
_Static_assert(sizeof(struct direct_backend) == 192, "kernel and user must agree");

#endif
