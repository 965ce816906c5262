/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The classifier: on every interface of the target, at egress and ingress. One run per packet decides which rule a packet
 * meets, whatever their number, and sends it into its line, drops it, answers it, or lets it be.
 */
#include "../bpf.h"
#include "classify.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_P_MPLS_UC 0x8847
#define ETH_P_MPLS_MC 0x8848
#define ETH_P_PPP_SES 0x8864
#define PPP_IP 0x21
#define PPP_IPV6 0x57
#define THE_LINKS 0x0806 /* ARP: stands for all that belongs to the link */
#define LABELS 8
#define IGMP 2
#define EGRESS 0
#define INGRESS 1

struct packet {
	__u8 source[16], destination[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u32 l3; /* offset of the network header from the link header */
	__u32 l4; /* offset of the transport header from the network header */
	__u32 vlan; /* id of the outermost tag; 0: untagged */
	__be16 source_port, destination_port;
	__u8 protocol, v6, has_ports, tcp_flags;
	__u8 first_fragment, later_fragment;
	__u8 other; /* a frame in which no IP packet is found */
	__u8 layer3; /* it has no link header */
	__u32 fragment_id;
	__u64 flow; /* hash of the 5-tuple, the same for both directions; when a rule asks for a share */
};

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, struct nw_control); } control SEC(".maps");
/* Its own map, since the unprivileged pump writes it: CLOCK_BOOTTIME ns of its last beat. */
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, __u64); } beat SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, NW_INTERFACES);
	__type(key, __u32); __type(value, struct nw_interface); } interfaces SEC(".maps");
/* The device in each slot. */
struct NW_DEVICES(NW_INTERFACES);
/* The target's ifbs. */
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, NW_INTERFACES);
	__type(key, __u32); __type(value, __u32); } shapers SEC(".maps");
/* The tables below hold two generations, one behind the other. Those with a size that is set at load start at two. */
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, struct nw_rule); } rules SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, struct nw_bits); } bits SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2 * 256 / 4); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, struct nw_ids); } protocols SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); __type(value, struct nw_ids); } ports SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 1 << 20); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nw_peer4); __type(value, __u32); } peers4 SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 1 << 20); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nw_peer6); __type(value, __u32); } peers6 SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1 << 16); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nw_connection); __type(value, __u32); } connections SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 2);
	__type(key, __u32); __type(value, struct nw_counter); } counters SEC(".maps");

/* What a datagram's first fragment told, for the later ones. protocol: of IPv4 alone, as the RFCs have it. */
struct fragment_key { __u8 source[16], destination[16]; __u32 id; __u32 protocol; };
struct fragment { __u32 ports; __u32 protocol; };
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 1024);
	__type(key, struct fragment_key); __type(value, struct fragment); } fragments SEC(".maps");

/* Which rules can match: a bit vector for each dimension, and how far the search has come. */
struct search {
	__u32 here, peer, protocol, source, destination; /* indexes into bits */
	__u32 connection; /* a rule that matches by its connection alone, or NW_RULES */
	__u32 from; /* rules before this one are out */
	__u32 word, words, first; /* the next word, how many there are, the index of this generation's first rule */
	__u64 found; /* what is left of the word before that: a bit for each candidate */
};

/* The packet at hand: too large for the stack, and all that a global function can be given. */
struct scratch { struct packet packet; struct search search; __u64 now; };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1);
	__type(key, __u32); __type(value, struct scratch); } scratch SEC(".maps");

/*
 * How many of each a generation has room for, and where this kernel's structures hold what `elsewhere` reads; set at load.
 * device_net 0: that is not known, or the kernel forbids to read it.
 */
volatile const struct { __u32 rules, bits, ports, device_ifindex, device_net, net_inode; } room SEC(".rodata.room") = { 1, 1, 1 };

#include "reject.h"

struct ipv6_extension { __u8 next, length; __be16 offset; __be32 id; };
struct vlan_tag { __be16 tci, next; };

/* From the network header on: as we found it, since the kernel's own mark stands before an inner VLAN tag or behind it. */
static __always_inline int load(struct __sk_buff *skb, const struct packet *p, __u32 offset, void *to, __u32 size)
{
	/* From the link header; without one, what stands before the network header may be anything. */
	return bpf_skb_load_bytes_relative(skb, p->l3 + offset, to, size, p->layer3);
}

/* Behind an MPLS label stack, which does not say what it carries: the packet's first four bits do. */
static __always_inline __be16 behind_labels(struct __sk_buff *skb, struct packet *p)
{
	__u8 label[4], first;

	for (int i = 0; i < LABELS; i++) {
		if (bpf_skb_load_bytes(skb, p->l3, label, sizeof(label)))
			return 0;
		p->l3 += sizeof(label);
		if (!(label[2] & 1)) /* not the last one */
			continue;
		if (bpf_skb_load_bytes(skb, p->l3, &first, sizeof(first)))
			return 0;
		return first >> 4 == 4 ? htons(ETH_P_IP) : first >> 4 == 6 ? htons(ETH_P_IPV6) : 0;
	}
	return 0;
}

/* Behind PPPoE's header and PPP's. From 0x8000 on are the protocols that set up the session. */
static __always_inline __be16 behind_session(struct __sk_buff *skb, struct packet *p)
{
	struct { __u8 version, code; __be16 session, length, protocol; } header;
	__u32 protocol;

	if (bpf_skb_load_bytes(skb, p->l3, &header, sizeof(header)))
		return 0;
	p->l3 += sizeof(header);
	protocol = ntohs(header.protocol);
	return protocol == PPP_IP ? htons(ETH_P_IP) : protocol == PPP_IPV6 ? htons(ETH_P_IPV6) :
	       protocol >= 0x8000 ? htons(THE_LINKS) : 0;
}

/*
 * Finds the network header: behind the tags that are in the frame (inner ones, and the outermost unless it was taken off), and
 * behind MPLS or PPPoE. 0: nothing that is known here.
 */
static __always_inline __be16 find_network(struct __sk_buff *skb, struct packet *p)
{
	__be16 type = skb->protocol;
	struct vlan_tag tag;

	if (p->layer3)
		return type;
	p->l3 = ETHERNET;
	if (skb->vlan_present)
		p->vlan = skb->vlan_tci & 0xfff;
	if (likely(type == htons(ETH_P_IP) || type == htons(ETH_P_IPV6)))
		return type;
	for (int i = 0; i < 2 && (type == htons(ETH_P_8021Q) || type == htons(ETH_P_8021AD)); i++) {
		if (bpf_skb_load_bytes(skb, p->l3, &tag, sizeof(tag)))
			return 0;
		if (!i && !skb->vlan_present)
			p->vlan = ntohs(tag.tci) & 0xfff;
		p->l3 += sizeof(tag);
		type = tag.next;
	}
	if (type == htons(ETH_P_MPLS_UC) || type == htons(ETH_P_MPLS_MC))
		return behind_labels(skb, p);
	return type == htons(ETH_P_PPP_SES) ? behind_session(skb, p) : type;
}

/* What keeps a link alive, by its EtherType or by its group address, which bridges do not forward. Not for IP. */
static __always_inline int keeps_the_link(struct __sk_buff *skb, __be16 type)
{
	__u8 to[6];

	switch (ntohs(type)) {
	case THE_LINKS:
	case 0x8035: /* RARP */
	case 0x8809: /* LACP and other slow protocols */
	case 0x8863: /* PPPoE discovery */
	case 0x888e: /* EAPOL, MKA */
	case 0x88c7: /* 802.11 preauthentication */
	case 0x88cc: /* LLDP */
		return 1;
	}
	if (bpf_skb_load_bytes(skb, 0, to, sizeof(to)))
		return 0;
	return (to[0] == 0x01 && to[1] == 0x80 && to[2] == 0xc2 && !to[3] && !to[4]) || /* STP and all of 802.1's */
	       (to[0] == 0x01 && !to[1] && to[2] == 0x0c && to[3] == 0xcc && to[4] == 0xcc); /* PVST+, CDP */
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct packet *p)
{
	struct ipv4 ip;

	if (load(skb, p, 0, &ip, sizeof(ip)))
		return -1;
	p->l4 = (ip.version_ihl & 15) * 4;
	p->protocol = ip.protocol;
	__builtin_memset(p->source, 0, 10);
	__builtin_memset(p->source + 10, 0xff, 2);
	__builtin_memcpy(p->source + 12, &ip.source, 4);
	__builtin_memset(p->destination, 0, 10);
	__builtin_memset(p->destination + 10, 0xff, 2);
	__builtin_memcpy(p->destination + 12, &ip.destination, 4);
	p->later_fragment = (ip.fragment & htons(0x1fff)) != 0;
	p->first_fragment = !p->later_fragment && (ip.fragment & htons(0x2000));
	p->fragment_id = ip.id;
	return 0;
}

/*
 * Passes one of IPv6's extension headers, which is of the kind `next`: what kind stands behind it, or -1. A global function, since
 * the verifier walks those once, and not once for each turn of the loop that calls them.
 */
__attribute__((noinline)) int nw_pass_extension(struct __sk_buff *skb, __u8 next)
{
	__u32 zero = 0;
	struct scratch *work = bpf_map_lookup_elem(&scratch, &zero);
	struct ipv6_extension ext;
	struct packet *p;

	if (!work)
		return -1;
	p = &work->packet;
	if (load(skb, p, p->l4, &ext, sizeof(ext)))
		return -1;
	if (next == 44) {
		p->later_fragment = (ext.offset & htons(0xfff8)) != 0;
		p->first_fragment = !p->later_fragment && (ext.offset & htons(1));
		p->fragment_id = ext.id;
		p->l4 += 8;
	} else {
		p->l4 += next == 51 ? (ext.length + 2) * 4 : (ext.length + 1) * 8;
	}
	return ext.next;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *p)
{
	struct ipv6 ip;
	int next;

	if (load(skb, p, 0, &ip, sizeof(ip)))
		return -1;
	copy_address(p->source, ip.source);
	copy_address(p->destination, ip.destination);
	p->v6 = 1;
	p->l4 = 40;
	next = ip.next;
	for (int i = 0; i < 8 && !p->later_fragment; i++) {
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			break;
		next = nw_pass_extension(skb, next);
		if (next < 0)
			return -1;
	}
	p->protocol = next;
	return 0;
}

static __always_inline int knows_ports(__u8 protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 33 || protocol == 136;
}

/*
 * The ports, from the packet or, for a later fragment, from its first one; with them the protocol, which in IPv6 may stand behind
 * extension headers that only the first one has.
 */
static __always_inline void parse_ports(struct __sk_buff *skb, struct packet *p)
{
	struct fragment_key key;
	struct fragment first = { 0, p->protocol };

	if (p->first_fragment || p->later_fragment) {
		__builtin_memset(&key, 0, sizeof(key));
		copy_address(key.source, p->source);
		copy_address(key.destination, p->destination);
		key.id = p->fragment_id;
		key.protocol = p->v6 ? 0 : p->protocol;
	}
	if (p->later_fragment) {
		struct fragment *known = bpf_map_lookup_elem(&fragments, &key);

		if (!known)
			return;
		first = *known;
		p->protocol = first.protocol;
	} else {
		if (knows_ports(p->protocol) && load(skb, p, p->l4, &first.ports, 4))
			return;
		if (p->first_fragment)
			bpf_map_update_elem(&fragments, &key, &first, 0);
	}
	if (!knows_ports(p->protocol))
		return;
	p->source_port = first.ports & 0xffff;
	p->destination_port = first.ports >> 16;
	p->has_ports = 1;
	if (p->protocol == 6 && !p->later_fragment)
		load(skb, p, p->l4 + 13, &p->tcp_flags, 1);
}

/* Of IP. Neighbours, routers and who listens to which group are the link's, not the network's that is degraded. */
static __always_inline int is_the_links(struct __sk_buff *skb, struct packet *p)
{
	__u8 type;

	if (!p->v6)
		return p->protocol == IGMP;
	if (p->protocol != 58 || p->later_fragment || load(skb, p, p->l4, &type, 1))
		return 0;
	return (type >= 130 && type <= 137) || type == 143;
}

static __always_inline __u32 vector(__u32 generation, __u32 id)
{
	return generation * room.bits + id;
}

static __always_inline __u32 table_id(void *table, __u32 room, __u32 generation, __u32 value)
{
	__u32 index = generation * room + (value >> 2);
	struct nw_ids *ids = bpf_map_lookup_elem(table, &index);

	return ids ? ids->id[value & 3] : 0;
}

static __always_inline __u32 peer_id(struct packet *p, __u32 generation, int direction)
{
	const __u8 *peer = direction == EGRESS ? p->destination : p->source;
	__u32 *id;

	if (p->v6) {
		struct nw_peer6 key = { .prefixlen = 32 + 128, .generation = generation };

		copy_address(key.address, peer);
		id = bpf_map_lookup_elem(&peers6, &key);
	} else {
		struct nw_peer4 key = { .prefixlen = 32 + 32, .generation = generation };

		__builtin_memcpy(key.address, peer + 12, 4);
		id = bpf_map_lookup_elem(&peers4, &key);
	}
	return id ? *id : 0;
}

/* The rule of exactly this connection, or NW_RULES. */
__attribute__((noinline)) int nw_connection_rule(__u32 generation, int direction)
{
	__u32 zero = 0, *rule;
	struct scratch *work = bpf_map_lookup_elem(&scratch, &zero);
	struct nw_connection key;
	struct packet *p;

	if (!work)
		return NW_RULES;
	p = &work->packet;
	__builtin_memset(&key, 0, sizeof(key));
	key.generation = generation;
	key.protocol = p->protocol;
	copy_address(key.local, direction == EGRESS ? p->source : p->destination);
	copy_address(key.remote, direction == EGRESS ? p->destination : p->source);
	key.local_port = direction == EGRESS ? p->source_port : p->destination_port;
	key.remote_port = direction == EGRESS ? p->destination_port : p->source_port;
	rule = bpf_map_lookup_elem(&connections, &key);
	return rule ? *rule : NW_RULES;
}

/* A hash of the 5-tuple that is the same for both directions of a connection. */
__attribute__((noinline)) int nw_hash_flow(void)
{
	__u32 zero = 0;
	struct scratch *work = bpf_map_lookup_elem(&scratch, &zero);
	struct packet *p;
	__u64 a, b;

	if (!work)
		return 0;
	p = &work->packet;
	a = ((__u64)p->source_port << 32) ^ p->protocol;
	b = ((__u64)p->destination_port << 32) ^ p->protocol;
	for (int i = 0; i < 16; i += 4) {
		a = (a ^ *(const __u32 *)(p->source + i)) * 0x9e3779b97f4a7c15ULL;
		a ^= a >> 29;
		b = (b ^ *(const __u32 *)(p->destination + i)) * 0x9e3779b97f4a7c15ULL;
		b ^= b >> 29;
	}
	p->flow = a + b;
	return 0;
}

static __always_inline __u32 share_hash(__u64 flow, __u32 seed)
{
	__u64 h = flow ^ ((__u64)seed * 0xbf58476d1ce4e5b9ULL);

	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;
	return h >> 32;
}

/* What the bit vectors cannot say. */
static __always_inline int refuses(const struct nw_rule *rule, const struct packet *p)
{
	if (likely(!(rule->flags & (NW_RULE_SHARE | NW_RULE_TCP_FLAGS | NW_RULE_VLAN))))
		return 0;
	if ((rule->flags & NW_RULE_TCP_FLAGS) && (p->protocol != 6 || (p->tcp_flags & rule->tcp_mask) != rule->tcp_value))
		return 1;
	if ((rule->flags & NW_RULE_VLAN) && p->vlan != rule->vlan)
		return 1;
	return (rule->flags & NW_RULE_SHARE) && share_hash(p->flow, rule->share_seed) >= rule->share;
}

/*
 * The search is cut into global functions that find all they need in `scratch`: the verifier walks each of them once, not once for
 * every step of the loop that calls it. As one function it took four times as long to load.
 */
#define NW_REFUSED (-1)

/* Takes the first candidate of the word at hand: which rule of this generation accepts the packet, or NW_REFUSED. */
__attribute__((noinline)) int nw_consider(void)
{
	__u32 zero = 0, lease, at, index;
	struct scratch *here = bpf_map_lookup_elem(&scratch, &zero);
	struct nw_control *c = bpf_map_lookup_elem(&control, &zero);
	struct nw_rule *rule;
	struct search *s;

	if (!here || !c)
		return NW_REFUSED;
	s = &here->search;
	at = (s->word - 1) * 64 + __builtin_ctzll(s->found);
	s->found &= s->found - 1;
	if (at < s->from)
		return NW_REFUSED;
	index = s->first + at;
	rule = bpf_map_lookup_elem(&rules, &index);
	if (!rule || refuses(rule, &here->packet))
		return NW_REFUSED;
	if (!here->now)
		here->now = bpf_ktime_get_boot_ns();
	lease = *(volatile __u16 *)&rule->lease; /* one read, so that the verifier sees it checked */
	if (lease >= NW_LEASES || here->now >= c->leases[lease])
		return NW_REFUSED;
	if (rule->action != NW_ACTION_SKIP)
		return at;
	s->from = rule->skip_to;
	return NW_REFUSED;
}

struct vectors { struct nw_bits *here, *peer, *protocol, *source, *destination; };

static __always_inline __u64 candidates(const struct search *s, const struct vectors *v, __u32 word)
{
	__u64 found = v->here->w[word] & v->peer->w[word] & v->protocol->w[word] &
		      (v->source->w[word] | v->destination->w[word]);

	if (s->connection / 64 == word)
		found |= (1ULL << (s->connection % 64)) & v->here->w[word];
	return found;
}

/* What the wire will see of a packet. One from a VM or a packet socket (SKB_GSO_DODGY) is not counted yet. */
static __always_inline __u32 segments(struct __sk_buff *skb, const struct packet *p)
{
	__u32 header = p->l3 + p->l4, size = skb->gso_size;
	__u8 offset = 2 << 4; /* UDP's header, in words, where TCP says how long its own is */

	if (unlikely(!skb->gso_segs && size)) {
		if (p->protocol == 6)
			load(skb, p, p->l4 + 12, &offset, 1);
		header += (offset >> 4) * 4;
		return skb->len > header ? (skb->len - header + size - 1) / size : 1;
	}
	return skb->gso_segs > 1 ? skb->gso_segs : 1;
}

static __always_inline void count(__u32 index, struct __sk_buff *skb, const struct packet *p, int dropped)
{
	struct nw_counter *c = bpf_map_lookup_elem(&counters, &index);
	__u32 packets = segments(skb, p);

	if (!c)
		return;
	c->packets += packets;
	c->bytes += skb->wire_len;
	if (dropped)
		c->dropped += packets;
}

/*
 * Marks a packet that goes on as one that has had its rule, so that no other interface of the target applies one to it again. Not where it
 * leaves the target: a peer that is a target too would take it for its own.
 */
static __always_inline void mark_as_done(struct __sk_buff *skb, int direction, int upper)
{
	skb->tc_index = direction == EGRESS && !upper ? 0 : NW_MAGIC | NW_DONE | NW_NO_LINE;
}

/* Of a packet with a mark: whether it is let through, since it comes back from a line or has had its rule at another interface. */
static __always_inline int has_had_its_rule(struct __sk_buff *skb, int direction)
{
	__u32 ifindex = skb->ifindex;
	struct nw_interface *here = bpf_map_lookup_elem(&interfaces, &ifindex);
	int upper = here && (here->flags & NW_INTERFACE_UPPER);

	if (direction == INGRESS && !upper && (skb->tc_index & NW_LINE_MASK) == NW_NO_LINE) {
		skb->tc_index = 0; /* it comes from outside: what another target forwarded by an interface that it doesn't cover */
		return 0;
	}
	mark_as_done(skb, direction, upper);
	return 1;
}

/* The line of a rule at an interface; none when its pump is dead: that is a black hole, and better no condition than no network. */
static __always_inline __u32 line_of(const struct nw_rule *rule, const struct nw_control *c, const struct scratch *here, __u32 slot,
				     int direction)
{
	__u32 zero = 0;

	if (rule->flags & NW_RULE_HEARTBEAT) {
		__u64 *last = bpf_map_lookup_elem(&beat, &zero);

		if (!last || (__s64)(here->now - *(volatile __u64 *)last) > (__s64)c->stale_ns)
			return NW_NO_LINE;
	}
	return slot < NW_INTERFACES ? rule->line[slot][direction] : NW_NO_LINE;
}

static __always_inline int act(struct __sk_buff *skb, const struct nw_rule *rule, struct nw_control *c, struct scratch *here,
			       const struct nw_interface *interface, int direction)
{
	__u32 line = NW_NO_LINE;

	if (rule->action == NW_ACTION_LINE) {
		line = line_of(rule, c, here, interface->slot, direction);
		if (line >= NW_LINES || (here->packet.layer3 && add_link_header(skb)))
			return NW_NEXT;
	}
	count(rule->counter, skb, &here->packet, rule->action == NW_ACTION_DROP || rule->action == NW_ACTION_REJECT);
	switch (rule->action) {
	case NW_ACTION_DROP:
		/* A redirect to nowhere: silent on the sender's side, as SHOT is not, and tcx knows no STOLEN. */
		return bpf_redirect(0, 0);
	case NW_ACTION_REJECT:
		return reject(skb, &here->packet, direction == EGRESS);
	case NW_ACTION_LINE:
		skb->tc_index = NW_MAGIC | NW_DONE | line;
		return bpf_redirect(c->port_ifindex, 0);
	}
	mark_as_done(skb, direction, interface->flags & NW_INTERFACE_UPPER);
	return NW_NEXT;
}

/* Whether an ifb puts a packet back to where tc took it from: it has been here already, and its mark went when it left. */
static __always_inline int comes_from_shaper(struct __sk_buff *skb)
{
	__u32 from = skb->ingress_ifindex;

	return from && bpf_map_lookup_elem(&shapers, &from);
}

#define SKB_DEVICE 16 /* behind two pointers, since Linux 2.6 */

/* Whether the packet's device is in another namespace than the target's. Only the device can tell: received packets have no socket. */
static __always_inline int elsewhere(struct __sk_buff *skb, __u32 namespace)
{
	void *at = skb, *device, *net;
	__u32 ifindex, inode;

	asm volatile("%0 += %1" : "+r"(at) : "i"(SKB_DEVICE)); /* the compiler must not read the packet's fields through it */
	if (!room.device_net || !namespace || bpf_probe_read_kernel(&device, sizeof(device), at) ||
	    bpf_probe_read_kernel(&ifindex, sizeof(ifindex), device + room.device_ifindex) || ifindex != skb->ifindex ||
	    bpf_probe_read_kernel(&net, sizeof(net), device + room.device_net) ||
	    bpf_probe_read_kernel(&inode, sizeof(inode), net + room.net_inode))
		return 0; /* can't be told: `devices` stands alone */
	return inode != namespace;
}

/* Whether this is not the interface that the slot was given to: it has left the target, and is none of our business any more. */
static __always_inline int has_left(struct __sk_buff *skb, const struct nw_interface *here, __u32 namespace)
{
	__u32 slot = here->slot;
	__u32 *ifindex = bpf_map_lookup_elem(&devices, &slot);

	return !ifindex || *ifindex != skb->ifindex || elsewhere(skb, namespace);
}

#define NW_NONE (-2)
#define NW_WORDS_AT_ONCE 4

/*
 * Looks for the next 64 rules with a candidate among them. 0: they are in `search`. NW_NONE: there are none. NW_REFUSED: none in
 * the NW_WORDS_AT_ONCE words that one call looks at; the next call goes on behind them.
 */
__attribute__((noinline)) int nw_gather(void)
{
	__u32 zero = 0, word;
	struct scratch *work = bpf_map_lookup_elem(&scratch, &zero);
	struct search *s;
	struct vectors v;

	if (!work)
		return NW_NONE;
	s = &work->search;
	v.here = bpf_map_lookup_elem(&bits, &s->here);
	v.peer = bpf_map_lookup_elem(&bits, &s->peer);
	v.protocol = bpf_map_lookup_elem(&bits, &s->protocol);
	v.source = bpf_map_lookup_elem(&bits, &s->source);
	v.destination = bpf_map_lookup_elem(&bits, &s->destination);
	if (!v.here || !v.peer || !v.protocol || !v.source || !v.destination)
		return NW_NONE;
	for (int i = 0; i < NW_WORDS_AT_ONCE; i++) {
		word = s->word;
		if (word >= s->words)
			return NW_NONE;
		s->word = word + 1;
		s->found = candidates(s, &v, word & (NW_WORDS - 1));
		if (s->found)
			return 0;
	}
	return NW_REFUSED;
}

#define NW_STEPS 8

/* A few steps of the search: which rule of this generation takes the packet, NW_NONE, or NW_REFUSED when there is more to look at. */
__attribute__((noinline)) int nw_steps(void)
{
	__u32 zero = 0;
	struct scratch *work = bpf_map_lookup_elem(&scratch, &zero);
	int answer;

	if (!work)
		return NW_NONE;
	for (int step = 0; step < NW_STEPS; step++) {
		answer = work->search.found ? 0 : nw_gather();
		if (!answer)
			answer = nw_consider();
		if (answer != NW_REFUSED)
			return answer;
	}
	return NW_REFUSED;
}

/* The network header and what stands behind it; -1: the link's own, which no rule can mean. */
__attribute__((noinline)) int nw_parse(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct scratch *work = bpf_map_lookup_elem(&scratch, &zero);
	struct packet *p;
	__be16 type;

	if (!work)
		return -1;
	p = &work->packet;
	type = find_network(skb, p);
	if (type == htons(ETH_P_IP) ? parse_ipv4(skb, p) : type == htons(ETH_P_IPV6) ? parse_ipv6(skb, p) : -1) {
		p->other = 1;
		return !p->layer3 && keeps_the_link(skb, type) ? -1 : 0;
	}
	if (is_the_links(skb, p))
		return -1;
	parse_ports(skb, p);
	return 0;
}

static __always_inline int classify(struct __sk_buff *skb, int direction)
{
	struct search *s;
	struct nw_interface *here;
	struct nw_control *c;
	struct nw_set *set;
	struct nw_rule *rule;
	struct scratch *work;
	struct packet *p;
	__u32 zero = 0, generation, index, ifindex = skb->ifindex;
	int found = NW_REFUSED;

	if (unlikely((skb->tc_index & NW_MAGIC_MASK) == NW_MAGIC) && has_had_its_rule(skb, direction))
		return NW_NEXT;
	if (direction == EGRESS && comes_from_shaper(skb))
		return NW_NEXT;
	c = bpf_map_lookup_elem(&control, &zero);
	here = bpf_map_lookup_elem(&interfaces, &ifindex);
	work = bpf_map_lookup_elem(&scratch, &zero);
	if (!c || !here || !work)
		return NW_NEXT;
	generation = *(volatile __u32 *)&c->generation & 1;
	set = &c->sets[generation];
	if (!set->rules)
		return NW_NEXT;
	__builtin_memset(work, 0, sizeof(*work));
	p = &work->packet;
	p->layer3 = !!(here->flags & NW_INTERFACE_LAYER3);
	if (nw_parse(skb))
		return NW_NEXT;

	s = &work->search;
	s->first = generation * room.rules;
	s->words = (set->rules + 63) / 64;
	s->connection = NW_RULES;
	s->here = vector(generation, here->bits[generation][direction]);
	s->peer = s->protocol = s->source = s->destination = s->here;
	if (unlikely(p->other)) {
		s->peer = vector(generation, set->others);
		goto search;
	}
	if (set->flags & NW_SET_PEERS)
		s->peer = vector(generation, peer_id(p, generation, direction));
	if (set->flags & NW_SET_PROTOCOLS)
		s->protocol = vector(generation, table_id(&protocols, 64, generation, p->protocol));
	if (set->flags & NW_SET_PORTS) {
		s->source = s->destination = vector(generation, set->without_ports);
		if (p->has_ports) {
			s->source = vector(generation, table_id(&ports, room.ports, generation, ntohs(p->source_port)));
			s->destination = vector(generation, table_id(&ports, room.ports, generation, ntohs(p->destination_port)));
		}
	}
	if (set->flags & NW_SET_CONNECTIONS)
		s->connection = nw_connection_rule(generation, direction);
	if (set->flags & NW_SET_SHARE)
		nw_hash_flow();
search:
	if (nw_gather() == NW_NONE) /* as with most packets: the shortest way */
		return NW_NEXT;
	for (int i = 0; i < (NW_WORDS + NW_REFUSALS) / NW_STEPS && found == NW_REFUSED; i++)
		found = nw_steps();
	if (found < 0 || has_left(skb, here, c->namespace))
		return NW_NEXT;
	index = found + s->first;
	rule = bpf_map_lookup_elem(&rules, &index);
	return rule ? act(skb, rule, c, work, here, direction) : NW_NEXT;
}

SEC("tc") int nw_egress(struct __sk_buff *skb) { return classify(skb, EGRESS); }
SEC("tc") int nw_ingress(struct __sk_buff *skb) { return classify(skb, INGRESS); }

char _license[] SEC("license") = "Dual MIT/GPL";
