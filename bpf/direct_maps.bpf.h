/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the programs of direct_connect.bpf.c know: maps, and variables that user space sets. */
#ifndef AMBBPF_DIRECT_MAPS_BPF_H
#define AMBBPF_DIRECT_MAPS_BPF_H

#include "direct_connect.h"
#include "kernel_types.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6

/* The sizes are set by user space before the programs are loaded. */

struct by_address {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct direct_listener);
	__type(value, __u32);
};

/* cgroups whose processes are no consumers, nor those below, by their ids */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} exempt_cgroup SEC(".maps");

/* where the ambassador listens -> index into service_of */
struct by_address listener_of SEC(".maps");

/* addresses of this host, but for 127.0.0.0/8 and ::1; the port is 0 */
struct by_address local_address SEC(".maps");

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

/* Whether what a consumer in another namespace dials means us: when one of them last got here. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct direct_dial);
	__type(value, __u64);
} means_us_since SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct direct_handshake);
	__type(value, struct direct_dial);
} handshakes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct direct_reach);
	__type(value, struct direct_reached);
} reached SEC(".maps");

/* until when */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct direct_barred);
	__type(value, __u64);
} barred SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct direct_control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct direct_dialled);
} dialled_by SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* Set by user space. */
__u64 owner;	     /* who else shares dialled_by has another one */
__u64 own_netns;     /* the ambassador's network namespace, by its cookie */
__u64 own_net;	     /* and by its address: sock_ops cannot have the cookie before Linux 5.15 */
__u32 serves_others; /* 1: other namespaces are asked whether they reach a backend */
__u32 any_handshake; /* 1: a consumer in another namespace has dialled what may mean us */
__u32 any_barred;    /* 1: there may be some */
__u32 any_exempt;    /* 1: there may be exempt cgroups */
__u32 exempt_mark;   /* sockets with this mark (SO_MARK) are left alone; 0: that is none */
__u32 own_tgid;	     /* whose connects are never: the ambassador's own */
__u64 silent_after;  /* without a heartbeat for so long, the ambassador is thought to be gone */
__u64 live_for;	     /* how long an answer speaks for a backend */
__u64 wanted_every;  /* user space is told of a backend that is not reached */
__u64 known_for;     /* how long what means us is believed */

/* A SYN that is lost is sent again after 1 s; no network that a consumer would bear is slower. */
#define ANSWER_WITHIN_LEAST 20000000 /* ns */
#define ANSWER_WITHIN_MOST 200000000

/* Where the ambassador finds out its process id and namespace as seen from here. */
__u32 learn_port;
__u32 learned;

/* One that finds no room is lost; user space looks at all now and then. */
static __always_inline void send_event(struct direct_event event)
{
	bpf_ringbuf_output(&events, &event, sizeof(event), 0);
}

#endif
