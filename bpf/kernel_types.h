/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The few kernel structs whose fields the program reads, cut down to those fields. CO-RE finds
 * their real offsets in the running kernel's BTF when the program is loaded.
 */
#ifndef AMBBPF_KERNEL_TYPES_H
#define AMBBPF_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock {
	int sk_wmem_queued; /* bytes of memory that the send queue holds */
	int sk_sndbuf;	    /* and may hold */
	int sk_err;	    /* what the next call of its owner fails with; 0: nothing */
};

struct inet_sock {
	struct sock sk;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 write_seq;  /* sequence number after the last byte entered into the send queue */
	__u32 copied_seq; /* … after the last byte read by user space */
	_Bool is_mptcp;	  /* it is a subflow; not there without CONFIG_MPTCP */
};

#pragma clang attribute pop

#endif
