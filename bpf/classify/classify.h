/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The structures that the classifier shares with user space (src/netweather/kernel/datapath/classifier_layout.py; a test compares them). */
#ifndef NW_CLASSIFY_H
#define NW_CLASSIFY_H

#define NW_RULES 1024
#define NW_WORDS (NW_RULES / 64)
#define NW_INTERFACES 64
#define NW_LEASES 256
#define NW_REFUSALS 112 /* candidates that a packet may pass by (skipped, share, lease over) before it is let through */

enum nw_action { NW_ACTION_PASS, NW_ACTION_SKIP, NW_ACTION_LINE, NW_ACTION_DROP, NW_ACTION_REJECT };
enum nw_rule_flag { NW_RULE_HEARTBEAT = 1, NW_RULE_SHARE = 2, NW_RULE_TCP_FLAGS = 4, NW_RULE_VLAN = 8 };
/* UPPER: what leaves it passes another interface of the target. LAYER3: its packets have no link header. */
enum nw_interface_flag { NW_INTERFACE_UPPER = 1, NW_INTERFACE_LAYER3 = 2 };
enum nw_set_flag { NW_SET_PORTS = 1, NW_SET_CONNECTIONS = 2, NW_SET_PEERS = 4, NW_SET_PROTOCOLS = 8, NW_SET_SHARE = 16 };

/* One generation of rules: which words of the bit vectors are in use, and which dimensions have to be looked at. */
struct nw_set {
	__u32 rules;
	__u32 flags;
	__u16 without_ports; /* bit vector of the rules that name no port: for packets that have none */
	__u16 others; /* bit vector of the rules that mean every frame: for frames in which no IP packet is found */
	__u16 reserved[2];
	__u64 digest; /* tells user space which rules these are */
};

struct nw_control {
	__u32 generation; /* 0 or 1: which half of every table is in force */
	__u32 port_ifindex; /* nw0, in the target's namespace */
	__u64 stale_ns; /* a heartbeat older than this is a dead pump */
	__u32 namespace; /* the inode of the target's network namespace; 0: any */
	__u32 reserved;
	struct nw_set sets[2];
	__u64 leases[NW_LEASES]; /* CLOCK_BOOTTIME ns at which each lease ends; all ones: never */
};

struct nw_rule {
	__u8 action;
	__u8 flags;
	__u16 lease; /* index into leases */
	__u32 counter; /* index into counters; stays the same when rules are renumbered */
	__u32 skip_to; /* NW_ACTION_SKIP: the next rule to consider */
	__u32 share; /* of 2^32: a flow whose hash is below this matches */
	__u32 share_seed;
	__u8 tcp_mask, tcp_value;
	__u16 vlan; /* VLAN id, 0: untagged */
	__u8 line[NW_INTERFACES][2]; /* by interface and direction (0 egress, 1 ingress) */
};

struct nw_bits { __u64 w[NW_WORDS]; };
struct nw_ids { __u16 id[4]; };
struct nw_peer4 { __u32 prefixlen; __u32 generation; __u8 address[4]; };
struct nw_peer6 { __u32 prefixlen; __u32 generation; __u8 address[16]; };
struct nw_connection {
	__u32 generation;
	__u8 protocol, pad[3];
	__u16 local_port, remote_port; /* network order */
	__u8 local[16], remote[16]; /* IPv4 as ::ffff:a.b.c.d */
};
struct nw_interface {
	__u32 slot;
	__u16 bits[2][2]; /* [generation][direction]: rules for that interface and direction */
	__u32 flags;
};
struct nw_counter { __u64 packets, bytes, dropped; };

#endif
