/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The few kernel structs whose fields the program reads, cut down to those fields. CO-RE finds
 * their real offsets in the running kernel's BTF when the program is loaded.
 */
#ifndef AMBBPF_KERNEL_TYPES_H
#define AMBBPF_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net;

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	unsigned char skc_ipv6only : 1;
	possible_net_t skc_net; /* the network namespace */
};

struct bpf_prog;

struct bpf_prog_array_item {
	struct bpf_prog *prog;
};

struct bpf_prog_array {
	struct bpf_prog_array_item items[0]; /* the last one is none */
};

struct cgroup_bpf {
	struct bpf_prog_array *effective[2]; /* by kind; the packet filters are the first two */
};

struct cgroup {
	struct cgroup_bpf bpf;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock_cgroup_data___before_5_15 {
	__u64 val; /* the cgroup, and flags in the lowest two bits */
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
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
