#include "segment.h"

#include "csum.h"

#include <string.h>

enum { ETHER_IP4 = 0x0800, ETHER_IP6 = 0x86dd, ETHER_VLAN = 0x8100, ETHER_QINQ = 0x88a8 };
enum { TCP_CSUM = 16, UDP_CSUM = 6, TCP_SEQ = 4, TCP_FLAGS = 13 };
enum { FIN = 0x01, PSH = 0x08, CWR = 0x80 };
enum { VLAN_TAGS = 2, ETHER_LEN = 14 };

/* Parsing ------------------------------------------------------------------------------------------------------- */

static void find_ip(const struct nw_packet *packet, struct nw_meta *meta)
{
	const uint8_t *data = packet->data;
	uint32_t at = ETHER_LEN - 2;
	uint16_t type = packet->len >= ETHER_LEN ? nw_get16(data + at) : 0;

	for (int tags = 0; tags < VLAN_TAGS && (type == ETHER_VLAN || type == ETHER_QINQ); tags++) {
		at += 4;
		if (at + 2 > packet->len)
			return;
		type = nw_get16(data + at);
	}
	at += 2;
	meta->l3 = (uint16_t)at;
	if (type == ETHER_IP4 && at + 20 <= packet->len && data[at] >> 4 == 4)
		meta->version = 4;
	else if (type == ETHER_IP6 && at + 40 <= packet->len && data[at] >> 4 == 6)
		meta->version = 6;
	if (meta->version == 4)
		meta->capable = (data[at + 1] & 3) != 0;
	else if (meta->version == 6)
		meta->capable = (data[at + 1] & 0x30) != 0;
}

static uint32_t ip_header_len(const uint8_t *ip, uint8_t version)
{
	return version == 4 ? (ip[0] & 15u) * 4u : 40u;
}

/* Whether the transport header stands where a super-packet of this kind must have it. */
static bool find_transport(const struct nw_packet *packet, struct nw_meta *meta)
{
	const struct nw_vnet *vnet = &packet->vnet;
	uint32_t ip_len = ip_header_len(packet->data + meta->l3, meta->version);
	bool udp = meta->kind == NW_KIND_UDP;
	uint32_t l4 = vnet->csum_start;
	uint32_t header;

	if (ip_len < 20 || l4 < meta->l3 + ip_len || (meta->version == 4 && l4 != meta->l3 + ip_len))
		return false;
	if (vnet->csum_offset != (udp ? UDP_CSUM : TCP_CSUM) || l4 + (udp ? 8u : 20u) > packet->len)
		return false;
	header = l4 + (udp ? 8u : (packet->data[l4 + 12] >> 4) * 4u);
	if (header < l4 + (udp ? 8u : 20u) || header > packet->len || header > NW_HEADER_MAX)
		return false;
	meta->l4 = (uint16_t)l4;
	meta->header = (uint16_t)header;
	return true;
}

static bool take_apart(const struct nw_packet *packet, struct nw_meta *meta)
{
	uint8_t type = packet->vnet.gso_type & ~NW_GSO_ECN;
	uint32_t payload;

	if (!(packet->vnet.flags & NW_VNET_NEEDS_CSUM) || !packet->vnet.gso_size || !meta->version)
		return false;
	if (type != NW_GSO_UDP && type != (meta->version == 4 ? NW_GSO_TCP4 : NW_GSO_TCP6))
		return false;
	meta->kind = type == NW_GSO_UDP ? NW_KIND_UDP : NW_KIND_TCP;
	if (!find_transport(packet, meta))
		return false;
	payload = packet->len - meta->header;
	meta->gso = packet->vnet.gso_size;
	meta->segments = (payload + meta->gso - 1) / meta->gso;
	return meta->segments >= 1 && meta->segments <= UINT16_MAX;
}

void nw_segment_parse(struct nw_packet *packet)
{
	struct nw_meta *meta = &packet->meta;

	*meta = (struct nw_meta){.segments = 1};
	find_ip(packet, meta);
	if (packet->vnet.gso_type == NW_GSO_NONE)
		return;
	meta->opaque = !take_apart(packet, meta);
	if (meta->opaque || meta->segments == 1) {
		meta->kind = NW_KIND_PLAIN;
		meta->segments = 1;
	}
}

/* Lengths ------------------------------------------------------------------------------------------------------- */

static uint32_t payload_of(const struct nw_packet *packet, uint32_t first, uint32_t count)
{
	uint32_t all = packet->len - packet->meta.header;
	uint32_t from = first * packet->meta.gso;
	uint32_t bytes = count * packet->meta.gso;

	return bytes < all - from ? bytes : all - from;
}

uint32_t nw_segment_len(const struct nw_packet *packet, uint32_t segment)
{
	if (packet->meta.kind == NW_KIND_PLAIN)
		return packet->len;
	return packet->meta.header + payload_of(packet, segment, 1);
}

uint64_t nw_run_len(const struct nw_packet *packet, uint32_t first, uint32_t count)
{
	if (packet->meta.kind == NW_KIND_PLAIN)
		return packet->len;
	return (uint64_t)packet->meta.header * count + payload_of(packet, first, count);
}

/* Making frames ------------------------------------------------------------------------------------------------- */

static void replace16(uint8_t *word, uint16_t value, uint8_t *csum)
{
	nw_csum_replace(csum, nw_get16(word), value);
	nw_put16(word, value);
}

static void fix_ip(uint8_t *header, const struct nw_meta *meta, uint32_t first, uint32_t payload)
{
	uint8_t *ip = header + meta->l3;
	uint32_t len = meta->header - meta->l3 + payload;

	if (meta->version == 6) {
		nw_put16(ip + 4, (uint16_t)(len - 40));
		return;
	}
	replace16(ip + 2, (uint16_t)len, ip + 10);
	replace16(ip + 4, (uint16_t)(nw_get16(ip + 4) + first), ip + 10);
}

static void fix_tcp(uint8_t *tcp, const struct nw_meta *meta, uint32_t first, bool last)
{
	nw_put32(tcp + TCP_SEQ, nw_get32(tcp + TCP_SEQ) + first * meta->gso);
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t)~(FIN | PSH);
	if (first)
		tcp[TCP_FLAGS] &= (uint8_t)~CWR;
}

static void fix_transport(uint8_t *header, const struct nw_packet *packet, const struct nw_entry *entry, uint32_t payload)
{
	const struct nw_meta *meta = &packet->meta;
	uint32_t own = meta->header - meta->l4;
	uint8_t *l4 = header + meta->l4;
	uint8_t *csum = l4 + packet->vnet.csum_offset;

	nw_csum_shift(csum, packet->len - meta->l4, own + payload);
	if (meta->kind == NW_KIND_UDP)
		nw_put16(l4 + 4, (uint16_t)(own + payload));
	else
		fix_tcp(l4, meta, entry->first, entry->first + entry->count == meta->segments);
}

static void run_of_segments(struct nw_frame *frame, const struct nw_entry *entry)
{
	const struct nw_packet *packet = entry->packet;
	const struct nw_meta *meta = &packet->meta;
	uint32_t payload = payload_of(packet, entry->first, entry->count);
	uint32_t from = meta->header + (uint32_t)entry->first * meta->gso;

	memcpy(frame->header, packet->data, meta->header);
	fix_ip(frame->header, meta, entry->first, payload);
	fix_transport(frame->header, packet, entry, payload);
	frame->vnet.hdr_len = meta->header;
	if (entry->count == 1) {
		frame->vnet.gso_type = NW_GSO_NONE;
		frame->vnet.gso_size = 0;
	} else if (entry->first) {
		frame->vnet.gso_type &= (uint8_t)~NW_GSO_ECN;
	}
	frame->iov[1] = (struct iovec){frame->header, meta->header};
	frame->iov[2] = (struct iovec){(void *)(packet->data + from), payload};
	frame->parts = 3;
}

static void whole(struct nw_frame *frame, const struct nw_packet *packet)
{
	frame->iov[1] = (struct iovec){(void *)packet->data, packet->len};
	frame->parts = 2;
}

/* Its bytes in one piece that may be changed. */
static uint32_t flatten(struct nw_frame *frame)
{
	uint32_t len = 0;

	for (int i = 1; i < frame->parts; i++) {
		memcpy(frame->flat + len, frame->iov[i].iov_base, frame->iov[i].iov_len);
		len += (uint32_t)frame->iov[i].iov_len;
	}
	frame->iov[1] = (struct iovec){frame->flat, len};
	frame->parts = 2;
	return len;
}

static void mark(uint8_t *data, const struct nw_meta *meta)
{
	uint8_t *ip = data + meta->l3;

	if (meta->version == 4)
		replace16(ip, nw_get16(ip) | 3, ip + 10);
	else if (meta->version == 6)
		ip[1] |= 0x30;
}

/* Without this, a checksum left to the device would be computed over the corrupted bytes, and nobody would notice. */
static void complete_checksum(struct nw_frame *frame, uint32_t len)
{
	uint32_t start = frame->vnet.csum_start;
	uint32_t field = start + frame->vnet.csum_offset;
	uint16_t csum;

	if (!(frame->vnet.flags & NW_VNET_NEEDS_CSUM) || start > len || field + 2 > len)
		return;
	csum = (uint16_t)~nw_csum(frame->flat + start, len - start);
	if (!csum && frame->vnet.csum_offset == UDP_CSUM)
		csum = 0xffff;
	nw_put16(frame->flat + field, csum);
}

static void corrupt(struct nw_frame *frame, uint32_t len, uint32_t bit)
{
	if (frame->vnet.gso_type == NW_GSO_NONE) { /* an opaque super-packet can't go without its header */
		complete_checksum(frame, len);
		frame->vnet = (struct nw_vnet){0};
	}
	if (bit / 8 < len)
		frame->flat[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

void nw_frame_build(struct nw_frame *frame, const struct nw_entry *entry)
{
	const struct nw_packet *packet = entry->packet;

	frame->vnet = packet->vnet;
	frame->iov[0] = (struct iovec){&frame->vnet, sizeof(frame->vnet)};
	frame->super = packet->meta.opaque || entry->count > 1;
	if (entry->count == packet->meta.segments)
		whole(frame, packet);
	else
		run_of_segments(frame, entry);
	if ((entry->flags & NW_ENTRY_MARK) || entry->flip) {
		uint32_t len = flatten(frame);

		if ((entry->flags & NW_ENTRY_MARK))
			mark(frame->flat, &packet->meta);
		if (entry->flip)
			corrupt(frame, len, entry->flip - 1);
	}
}
