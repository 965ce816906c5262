/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* At the ingress of nw0 in the target's namespace: what comes back from a line goes on to where it was going. */
#include "../bpf.h"
#include "return.h"

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, NW_LINES); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, struct nw_destination); } destinations SEC(".maps");

/* Each line's device. */
struct NW_DEVICES(NW_LINES);

SEC("tc") int nw_return(struct __sk_buff *skb)
{
	__u32 line = skb->tc_index & NW_LINE_MASK;
	struct nw_destination *d = bpf_map_lookup_elem(&destinations, &line);
	__u32 *there = bpf_map_lookup_elem(&devices, &line);

	if (!d || (skb->tc_index & NW_MAGIC_MASK) != NW_MAGIC || !d->ifindex || !there ||
	    *there != d->ifindex)
		return NW_SHOT;
	return bpf_redirect(d->ifindex, d->ingress ? BPF_F_INGRESS : 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
