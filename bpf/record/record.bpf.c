/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Learns of a line from what TCP measures anyhow, at each acknowledgement (tcp:tcp_probe) and each segment sent again: nothing is
 * sent and nothing is changed.
 */
#include "record.h"

#define TCP_HEADERS 32	/* with the timestamps that Linux sends */
#define ETHERNET 14
#define PROMPT 2	/* so many segments at once are acknowledged without waiting for more */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct minmax_sample { __u32 v; };
struct minmax { struct minmax_sample s[3]; };
struct tcp_rack { __u64 mstamp; __u32 rtt_us; };
struct tcp_sock {
	__u32 delivered, app_limited, data_segs_out, dsack_dups, mss_cache, rate_delivered, rate_interval_us, srtt_us, total_retrans;
	struct minmax rtt_min;
	struct tcp_rack rack;
};
struct sk_buff { int skb_iif; char cb[48]; };
struct tcp_skb_cb { __u32 seq, end_seq; struct { __u16 tcp_gso_segs; }; };
#pragma clang attribute pop

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, NW_SPACES);
	__type(key, __u32); __type(value, __u32); } spaces SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1);
	__type(key, __u32); __type(value, struct nw_learnt); } learnt SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int); __type(value, struct nw_seen); } seen SEC(".maps");

/* interface: only what arrives there; 0: at any. */
const volatile struct { __u32 interface; } room SEC(".rodata.room");

#define add(to, what) __sync_fetch_and_add(to, what)

static __always_inline struct nw_learnt *of_space(struct sock *sk)
{
	__u32 inum = sk->__sk_common.skc_net.net->ns.inum, *space = bpf_map_lookup_elem(&spaces, &inum);

	return likely(!space) ? 0 : bpf_map_lookup_elem(&learnt, space);
}

static __always_inline void count_trip(__u64 *trips, __u32 us)
{
	add(&trips[nw_bucket(us * 1000ULL)], 1);
}

/* How fast the last segments came through, on the wire; only while they waited in a queue longer than the shortest round trip. */
static __always_inline void count_rate(struct nw_learnt *learnt, struct nw_seen *seen, struct tcp_sock *tp, __u16 family)
{
	__u32 delivered = tp->rate_delivered, interval = tp->rate_interval_us, shortest = tp->rtt_min.s[0].v;
	__u32 headers = ETHERNET + TCP_HEADERS + (family == AF_INET ? 20 : 40);

	if (!interval || (delivered == seen->rate_delivered && interval == seen->rate_interval))
		return;
	seen->rate_delivered = delivered;
	seen->rate_interval = interval;
	if (tp->rack.rtt_us > shortest + shortest / 4)
		add(&learnt->rates[nw_bucket(8000000ULL * delivered * (tp->mss_cache + headers) / interval)], 1);
}

/* Before the acknowledgement is worked on: what is seen are the figures of the one before it. */
SEC("tp_btf/tcp_probe") int nw_ack(__u64 *context)
{
	struct sock *sk = (void *)context[0];
	struct sk_buff *skb = (void *)context[1];
	struct nw_learnt *learnt = of_space(sk);
	struct nw_seen *seen_, before;
	struct tcp_sock *tp;

	if (!learnt || (room.interface && (__u32)skb->skb_iif != room.interface))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	seen_ = tp ? bpf_sk_storage_get(&seen, sk, 0, BPF_STORAGE_CREATE) : 0;
	if (!seen_)
		return 0;
	before = *seen_;
	seen_->delivered = tp->delivered;
	seen_->sent = tp->data_segs_out;
	seen_->needless = tp->dsack_dups;
	seen_->stamp = tp->rack.mstamp;
	if (!before.known) {
		seen_->known = 1;
		add(&learnt->connections, 1);
		if (tp->delivered <= 1 && !tp->total_retrans && tp->srtt_us)	/* the round trip of its handshake */
			count_trip(learnt->first, tp->srtt_us >> 3);
		return 0;
	}
	add(&learnt->sent, tp->data_segs_out - before.sent);
	add(&learnt->needless, tp->dsack_dups - before.needless);
	if (tp->rack.mstamp == before.stamp)
		return 0;
	if (tp->delivered - before.delivered >= PROMPT)
		count_trip(tp->app_limited ? learnt->calm : learnt->busy, tp->rack.rtt_us);
	if (!tp->app_limited)
		count_rate(learnt, seen_, tp, sk->__sk_common.skc_family);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb") int nw_again(__u64 *context)
{
	struct sock *sk = (void *)context[0];
	struct sk_buff *skb = (void *)context[1];
	struct tcp_skb_cb *control = (void *)__builtin_preserve_access_index(&skb->cb);
	struct nw_learnt *learnt = of_space(sk);
	struct nw_seen *before;
	__u32 begin = 0, end = 0;
	__u16 segments = 0;

	if (!learnt)
		return 0;
	before = bpf_sk_storage_get(&seen, sk, 0, 0);
	if (!before || !before->known)
		return 0;
	nw_read(&begin, control, seq);
	nw_read(&end, control, end_seq);
	nw_read(&segments, control, tcp_gso_segs);
	add(&learnt->again, segments ? segments : 1);
	add(&learnt->runs, begin != before->lost_end);
	before->lost_end = end;
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
