/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * In our own namespace. nw_steer, at the ingress of nwh, sends each packet into its line; nw_exit, where a line's packets come
 * out, marks them with their line again and hands them back to the target's namespace.
 */
#include "../bpf.h"
#include "steer.h"

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, struct nw_steering); } steering SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, NW_LINES);
	__type(key, __u32); __type(value, __u32); } exits SEC(".maps");

SEC("tc") int nw_steer(struct __sk_buff *skb)
{
	__u32 zero = 0, line = skb->tc_index & NW_LINE_MASK;
	struct nw_steering *s = bpf_map_lookup_elem(&steering, &zero);

	if (!s || (skb->tc_index & NW_MAGIC_MASK) != NW_MAGIC || line >= NW_LINES || !s->entry[line])
		return NW_SHOT;
	return bpf_redirect(s->entry[line], 0);
}

SEC("tc") int nw_exit(struct __sk_buff *skb)
{
	__u32 zero = 0, ifindex = skb->ifindex;
	struct nw_steering *s = bpf_map_lookup_elem(&steering, &zero);
	__u32 *line = bpf_map_lookup_elem(&exits, &ifindex);

	if (!s || !line)
		return NW_SHOT;
	skb->tc_index = NW_MAGIC | NW_DONE | *line;
	return bpf_redirect_peer(s->port_ifindex, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
