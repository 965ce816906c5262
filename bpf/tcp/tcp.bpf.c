/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * On tracepoints of TCP and of dropped packets: connections opened, accepted, refused and timed out, and how long it took;
 * retransmits, resets, drops by reason. The namespace is that of the socket or of the packet's device.
 */
#include "tcp.h"

#define IPPROTO_TCP 6
#define ECONNREFUSED 111
#define ETIMEDOUT 110
enum { ESTABLISHED = 1, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net_device { struct { struct net *net; } nd_net; };
struct sk_buff { struct net_device *dev; struct sock *sk; char cb[48]; };
struct tcp_skb_cb { struct { __u16 tcp_gso_segs; }; };
struct trace_event_raw_kfree_skb { void *rx_sk; };
#pragma clang attribute pop

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, NW_SPACES);
	__type(key, __u32); __type(value, __u32); } spaces SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1);
	__type(key, __u32); __type(value, struct nw_tcp); } tcp SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_HASH); __uint(max_entries, 4096);
	__type(key, struct nw_drop_key); __type(value, __u64); } drops SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int); __type(value, struct nw_connecting); } connecting SEC(".maps");

/* A process may be interrupted by the network's own work in the midst of adding. */
#define add(to, what) __sync_fetch_and_add(to, what)

static __always_inline struct nw_tcp *of_space(struct net *net, __u32 *space)
{
	__u32 inum = net->ns.inum, *found = bpf_map_lookup_elem(&spaces, &inum);

	if (likely(!found))
		return 0;
	*space = *found;
	return bpf_map_lookup_elem(&tcp, space);
}

static __always_inline void count_end(struct nw_tcp *counted, struct sock *sk, int from)
{
	int error = sk->sk_err;

	if (from != SYN_SENT)
		add(&counted->closed, from != LISTEN && from != CLOSE);
	else if (error == ECONNREFUSED)
		add(&counted->refused, 1);
	else if (error == ETIMEDOUT)
		add(&counted->timed_out, 1);
	else
		add(&counted->failed, 1);
}

SEC("tp_btf/inet_sock_set_state") int nw_state(__u64 *context)
{
	struct sock *sk = (void *)context[0];
	int from = context[1], to = context[2];
	struct nw_connecting *storage;
	struct nw_tcp *counted;
	__u64 took;
	__u32 space;

	if (sk->sk_protocol != IPPROTO_TCP || !(counted = of_space(sk->__sk_common.skc_net.net, &space)))
		return 0;
	if (to == SYN_SENT) {
		add(&counted->attempted, 1);
		storage = bpf_sk_storage_get(&connecting, sk, 0, BPF_STORAGE_CREATE);
		if (storage)
			storage->since = bpf_ktime_get_ns();
	} else if (to == ESTABLISHED && from == SYN_SENT) {
		add(&counted->opened, 1);
		storage = bpf_sk_storage_get(&connecting, sk, 0, 0);
		if (storage && storage->since) {
			took = bpf_ktime_get_ns() - storage->since;
			add(&counted->connect_ns, took);
			add(&counted->connect_times[nw_bucket(took)], 1);
		}
	} else if (to == ESTABLISHED && from == SYN_RECV) {
		add(&counted->accepted, 1);
	} else if (to == CLOSE) {
		count_end(counted, sk, from);
	}
	return 0;
}

/* A packet sent again may stand for several segments; the kernel's own counter RetransSegs has segments, and so has this. */
SEC("tp_btf/tcp_retransmit_skb") int nw_retransmit(__u64 *context)
{
	struct sock *sk = (void *)context[0];
	struct sk_buff *skb = (void *)context[1];
	struct tcp_skb_cb *control = (void *)__builtin_preserve_access_index(&skb->cb);
	__u16 segments = 0;
	__u32 space;
	struct nw_tcp *counted = of_space(sk->__sk_common.skc_net.net, &space);

	if (!counted)
		return 0;
	nw_read(&segments, control, tcp_gso_segs);
	add(&counted->retransmits, segments ? segments : 1);
	return 0;
}

/* The answer to a connection's first packet is a refusal, which nw_state counts. */
SEC("tp_btf/tcp_receive_reset") int nw_reset_in(__u64 *context)
{
	struct sock *sk = (void *)context[0];
	__u32 space;
	struct nw_tcp *counted = of_space(sk->__sk_common.skc_net.net, &space);

	if (counted && sk->__sk_common.skc_state != SYN_SENT)
		add(&counted->resets_received, 1);
	return 0;
}

/* Without a socket, to a port where nobody listens, the packet's device tells the namespace. */
SEC("tp_btf/tcp_send_reset") int nw_reset_out(__u64 *context)
{
	struct sock *sk = (void *)context[0];
	struct sk_buff *skb = (void *)context[1];
	struct nw_tcp *counted = 0;
	__u32 space;

	if (sk)
		counted = of_space(sk->__sk_common.skc_net.net, &space);
	else if (skb)
		counted = of_space(skb->dev->nd_net.net, &space);
	if (counted)
		add(&counted->resets_sent, 1);
	return 0;
}

static __always_inline struct nw_tcp *of_socket(struct sock *sk, __u32 *space)
{
	__u16 family = sk->__sk_common.skc_family;

	return family == AF_INET || family == AF_INET6 ? of_space(sk->__sk_common.skc_net.net, space) : 0;
}

/* Since Linux 6.11 the tracepoint names the socket that was to receive it; before, a queued packet may tell no namespace. */
SEC("tp_btf/kfree_skb") int nw_drop(__u64 *context)
{
	struct sk_buff *skb = (void *)context[0];
	struct nw_drop_key key = {.reason = context[2]};
	struct nw_tcp *counted = 0;
	struct sock *sk;
	__u64 *count, one = 1;

	if (__builtin_preserve_field_info(((struct trace_event_raw_kfree_skb *)0)->rx_sk, 2)) {
		sk = (void *)context[3];
		if (sk)
			counted = of_socket(sk, &key.space);
	}
	if (!counted && skb->dev)
		counted = of_space(skb->dev->nd_net.net, &key.space);
	if (!counted) {
		sk = skb->sk;
		asm volatile("" : "+r"(sk));	/* what was compared is what is used, and not read again */
		if (sk)
			counted = of_socket(sk, &key.space);
	}
	if (!counted)
		return 0;
	add(&counted->drops, 1);
	count = bpf_map_lookup_elem(&drops, &key);
	if (count)
		add(count, 1);
	else
		bpf_map_update_elem(&drops, &key, &one, BPF_NOEXIST);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
