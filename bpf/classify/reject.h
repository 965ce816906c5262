/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Reject: the packet is turned into its own answer, a TCP RST or an ICMP port unreachable, and goes back where it came from.
 *
 * Checksums. The kernel may complete a packet's checksum after us (CHECKSUM_PARTIAL: the sum from the transport header on is
 * written to the field it remembers), or not, and a program can't see which. So the answers are built such that completing
 * changes nothing: the field that would be written already holds the value that would be written, and a part of the header
 * that receivers ignore (RST: the window; ICMP: the unused half-word, where UDP's checksum field falls) makes that true.
 */
#ifndef NW_REJECT_H
#define NW_REJECT_H

#define ETHERNET 14
#define ICMP_QUOTE 8 /* bytes of the transport header that are quoted, as RFC 792 asks */

struct ethernet { __u8 destination[6], source[6]; __be16 protocol; };
struct ipv4 { __u8 version_ihl, tos; __be16 length, id, fragment; __u8 ttl, protocol; __u16 checksum; __be32 source, destination; };
struct ipv6 { __be32 flow; __be16 length; __u8 next, hops; __u8 source[16], destination[16]; };
struct tcp { __be16 source, destination; __be32 seq, ack; __u8 offset, flags; __be16 window; __u16 checksum; __be16 urgent; };
struct icmp { __u8 type, code; __u16 checksum; __u16 unused, next; };

/* An address, by words: byte by byte it is four times as many instructions to load, to verify and to run. */
static __always_inline void copy_address(__u8 *to, const __u8 *from)
{
	for (int i = 0; i < 16; i += 4)
		*(__u32 *)(to + i) = *(const __u32 *)(from + i);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

#define SUM(object) ((__u32)bpf_csum_diff(0, 0, (__be32 *)&(object), sizeof(object), 0))

/* Sum of the pseudo header; the addresses' order does not matter to it. */
static __always_inline __u16 pseudo4(const struct ipv4 *ip, __u16 length)
{
	return fold((__u64)ip->source + ip->destination + htons(ip->protocol) + htons(length));
}

static __always_inline __u16 pseudo6(struct ipv6 *ip, __u8 protocol, __u16 length)
{
	return fold((__u64)(__u32)bpf_csum_diff(0, 0, (__be32 *)ip->source, 32, 0) + htons(protocol) + htons(length));
}

static __always_inline void make_rst(struct tcp *t, __u32 payload, __u16 pseudo)
{
	struct tcp in = *t;
	__u32 sum;

	__builtin_memset(t, 0, sizeof(*t));
	t->source = in.destination;
	t->destination = in.source;
	t->offset = 5 << 4;
	t->flags = 0x04; /* RST */
	if (in.flags & 0x10) {
		t->seq = in.ack;
	} else {
		t->flags |= 0x10;
		t->ack = htonl(ntohl(in.seq) + payload + !!(in.flags & 2) + (in.flags & 1));
	}
	t->checksum = pseudo;
	sum = SUM(*t);
	t->window = ~fold((__u64)sum + pseudo);
}

/* Turns the link and network headers around in place. Returns 0, or -1 when the frame is not of the plain kind answered here. */
__attribute__((noinline)) int nw_turn_ethernet(struct __sk_buff *skb)
{
	struct ethernet in, out;

	if (bpf_skb_load_bytes(skb, 0, &in, sizeof(in)) || in.protocol != skb->protocol || (in.destination[0] & 1))
		return -1;
	__builtin_memcpy(out.destination, in.source, 6);
	__builtin_memcpy(out.source, in.destination, 6);
	out.protocol = in.protocol;
	return bpf_skb_store_bytes(skb, 0, &out, sizeof(out), 0);
}

static __always_inline int answer4(struct __sk_buff *skb, struct packet *p)
{
	struct ipv4 in, ip = { .version_ihl = 0x45, .ttl = 64, .fragment = htons(0x4000) };

	if (p->l4 != 20 || bpf_skb_load_bytes(skb, ETHERNET, &in, sizeof(in)))
		return -1;
	ip.source = in.destination;
	ip.destination = in.source;
	if (p->protocol == 6) {
		struct tcp t;

		if (bpf_skb_load_bytes(skb, ETHERNET + 20, &t, sizeof(t)) || (t.flags & 4))
			return -1;
		ip.protocol = 6;
		ip.length = htons(40);
		make_rst(&t, skb->len - ETHERNET - 20 - (t.offset >> 4) * 4, pseudo4(&ip, sizeof(t)));
		ip.checksum = ~fold(SUM(ip));
		if (nw_turn_ethernet(skb) || bpf_skb_change_tail(skb, ETHERNET + 40, 0))
			return -1;
		return bpf_skb_store_bytes(skb, ETHERNET, &ip, sizeof(ip), 0) ||
		       bpf_skb_store_bytes(skb, ETHERNET + 20, &t, sizeof(t), 0);
	} else {
		struct { struct icmp icmp; struct ipv4 ip; __u8 quote[ICMP_QUOTE]; } m = { .icmp = { 3, 3, 0, 0, 0xffff } };

		if (bpf_skb_load_bytes(skb, ETHERNET + 20, m.quote, sizeof(m.quote)))
			return -1;
		if (p->protocol == 1 && m.quote[0] != 8)
			return -1; /* no errors about errors */
		m.ip = in;
		ip.protocol = 1;
		ip.length = htons(20 + sizeof(m));
		ip.checksum = ~fold(SUM(ip));
		m.icmp.checksum = ~fold(SUM(m));
		if (nw_turn_ethernet(skb) || bpf_skb_change_tail(skb, ETHERNET + 20 + sizeof(m), 0))
			return -1;
		return bpf_skb_store_bytes(skb, ETHERNET, &ip, sizeof(ip), 0) ||
		       bpf_skb_store_bytes(skb, ETHERNET + 20, &m, sizeof(m), 0);
	}
}

static __always_inline int answer6(struct __sk_buff *skb, struct packet *p)
{
	struct ipv6 in, ip = { .flow = htonl(6U << 28), .hops = 64 };

	/* A fragment's header may stand between: its checksum is complete, so that nothing is written behind us. */
	if ((p->l4 != 40 && !(p->first_fragment && p->l4 == 48)) || bpf_skb_load_bytes(skb, ETHERNET, &in, sizeof(in)))
		return -1;
	__builtin_memcpy(ip.source, in.destination, 16);
	__builtin_memcpy(ip.destination, in.source, 16);
	if (p->protocol == 6) {
		struct tcp t;

		if (bpf_skb_load_bytes(skb, ETHERNET + p->l4, &t, sizeof(t)) || (t.flags & 4))
			return -1;
		ip.next = 6;
		ip.length = htons(sizeof(t));
		make_rst(&t, skb->len - ETHERNET - p->l4 - (t.offset >> 4) * 4, pseudo6(&ip, 6, sizeof(t)));
		if (nw_turn_ethernet(skb) || bpf_skb_change_tail(skb, ETHERNET + 40 + sizeof(t), 0))
			return -1;
		return bpf_skb_store_bytes(skb, ETHERNET, &ip, sizeof(ip), 0) ||
		       bpf_skb_store_bytes(skb, ETHERNET + 40, &t, sizeof(t), 0);
	} else {
		struct { struct icmp icmp; struct ipv6 ip; __u8 quote[ICMP_QUOTE]; } m = { .icmp = { 1, 4 } };
		__u16 pseudo;

		if (bpf_skb_load_bytes(skb, ETHERNET + p->l4, m.quote, sizeof(m.quote)))
			return -1;
		if (p->protocol == 58 && m.quote[0] != 128)
			return -1;
		m.ip = in;
		m.ip.next = p->protocol; /* the quote leaves that header out */
		ip.next = 58;
		ip.length = htons(sizeof(m));
		pseudo = pseudo6(&ip, 58, sizeof(m));
		m.icmp.next = pseudo;
		m.icmp.checksum = ~fold((__u64)SUM(m) + pseudo);
		if (nw_turn_ethernet(skb) || bpf_skb_change_tail(skb, ETHERNET + 40 + sizeof(m), 0))
			return -1;
		return bpf_skb_store_bytes(skb, ETHERNET, &ip, sizeof(ip), 0) ||
		       bpf_skb_store_bytes(skb, ETHERNET + 40, &m, sizeof(m), 0);
	}
}

/* Lines and answers are of Ethernet's kind. The kernel takes the header off again where the packet returns to an interface without one. */
static __always_inline int add_link_header(struct __sk_buff *skb)
{
	__be16 type = skb->protocol;

	return bpf_skb_change_head(skb, ETHERNET, 0) || bpf_skb_store_bytes(skb, 12, &type, sizeof(type), 0);
}

/* Answers the packet; one that must not be answered (RFC 1122 3.2.2) or is of a rare form is dropped silently instead. */
static __always_inline int reject(struct __sk_buff *skb, struct packet *p, int egress)
{
	__u32 ifindex = skb->ifindex;

	if (p->later_fragment || (p->layer3 ? add_link_header(skb) : p->l3 != ETHERNET) || (p->v6 ? answer6(skb, p) : answer4(skb, p)))
		return bpf_redirect(0, 0);
	skb->tc_index = NW_MAGIC | NW_DONE; /* so that the classifier lets the answer through */
	return bpf_redirect(ifindex, egress ? BPF_F_INGRESS : 0);
}

#endif
