/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What every program here needs of the kernel's stable BPF interface, so that building needs no kernel headers. */
#ifndef NW_BPF_H
#define NW_BPF_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define htons(x) ((__be16)__builtin_bswap16((__u16)(x)))
#define ntohs(x) htons(x)
#define htonl(x) ((__be32)__builtin_bswap32((__u32)(x)))
#define ntohl(x) htonl(x)

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_LPM_TRIE 11
#define BPF_MAP_TYPE_DEVMAP 14
#define BPF_F_NO_PREALLOC (1U << 0)
#define BPF_F_MMAPABLE (1U << 10)
#define BPF_F_INGRESS (1ULL << 0)

/* "Not for us": the programs behind ours still run. The same number for tcx (NEXT) and clsact (UNSPEC). */
#define NW_NEXT (-1)
#define NW_SHOT 2

/* The kernel's user-visible packet (uapi, append-only), as far as we read it. */
struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	__u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
	__u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
	__u64 flow_keys;
	__u64 tstamp;
	__u32 wire_len, gso_segs;
	__u64 sk;
	__u32 gso_size;
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*bpf_skb_store_bytes)(struct __sk_buff *skb, __u32 off, const void *from, __u32 len, __u64 flags) = (void *)9;
static long (*bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)23;
static long (*bpf_skb_load_bytes)(const void *skb, __u32 off, void *to, __u32 len) = (void *)26;
static __s64 (*bpf_csum_diff)(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __u32 seed) = (void *)28;
static long (*bpf_skb_change_tail)(struct __sk_buff *skb, __u32 len, __u64 flags) = (void *)38;
static long (*bpf_skb_change_head)(struct __sk_buff *skb, __u32 len, __u64 flags) = (void *)43;
static long (*bpf_skb_load_bytes_relative)(const void *skb, __u32 off, void *to, __u32 len, __u32 start) = (void *)68;
static long (*bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static __u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_redirect_peer)(__u32 ifindex, __u64 flags) = (void *)155;

/*
 * What marks a packet of ours: tc_index = NW_MAGIC | whether it has had its rule | the line that it is in, or NW_NO_LINE. It survives
 * BPF_F_INGRESS, tunnels, tc's mirred, forwarding, and a veth crossing between namespaces, where mark, cb and priority do not; a TAP loses
 * it, so each line's exit sets it again.
 */
#define NW_MAGIC 0xac00
#define NW_MAGIC_MASK 0xfc00
#define NW_DONE 0x0100 /* it has had its rule at one interface of this target; 0x0200 is free, for a second layer of conditions */
#define NW_LINE_MASK 0x00ff
#define NW_NO_LINE 0xff
#define NW_LINES 240

/*
 * Which device an index means. The kernel itself empties an element when its device is deleted or moves to another namespace, so an
 * index that somebody else has since is never taken for it. Written inside the namespace of the devices.
 */
#define NW_DEVICES(count) { __uint(type, BPF_MAP_TYPE_DEVMAP); __uint(max_entries, count); \
	__type(key, __u32); __type(value, __u32); } devices SEC(".maps")

#endif
