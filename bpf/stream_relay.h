/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the kernel program and user space share; seen by both compilers. */
#ifndef AMBBPF_STREAM_RELAY_H
#define AMBBPF_STREAM_RELAY_H

#include <linux/types.h>

/*
 * One direction of a connection: the bytes of the socket in this slot, on their way to the socket
 * in slot `peer`. Each field has one writer. One cache line, so that two CPUs' flows never share.
 */
struct flow {
	__u64 redirected; /* bpf: bytes sent on by the program */
	__u64 passed;	  /* bpf: bytes handed to user space */
	__u64 consumed;	  /* user: value of `passed` up to which all bytes are in the target */
	__u32 gate;	  /* user: 0 everything passes, 1 the program may redirect */
	__u32 peer;	  /* user: the target's slot */
	__u32 opened;	  /* user: how often the gate was opened */
	__u32 based_on;	  /* bpf: the opening that `base` was taken in */
	__u32 base;	  /* bpf: target's write_seq minus `redirected` with an empty backlog */
	__u32 next;	  /* bpf: sequence number after the last byte redirected or passed */
	__u64 no_room;	  /* bpf: segments passed for want of room in the target */
	__u32 to_client;  /* user: which of the totals it adds to */
	__u32 broken;	  /* bpf: a segment could not be cut, so its bytes are lost; none follow */
};

/* What was redirected, of all flows together. One cache line. */
struct total {
	__u64 redirected[2]; /* bytes: to the backends, to the clients */
	__u64 segments;
	__u64 unused[5];
};

/* A power of two. A CPU adds to one of them, so that few share a line. */
#define TOTALS 64

#ifdef __cplusplus
#define _Static_assert static_assert
#endif
_Static_assert(sizeof(struct flow) == 64, "kernel and user must agree");

#endif
