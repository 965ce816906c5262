/* Frames in memory, reference-counted. */
#ifndef NW_PACKET_H
#define NW_PACKET_H

#include "memory.h"

#define NW_FRAME_MAX (65536u + 256u) /* the largest frame a TAP hands out, VLAN tags and all */

struct nw_vnet { /* struct virtio_net_hdr, 10 bytes */
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

enum nw_kind { NW_KIND_PLAIN, NW_KIND_TCP, NW_KIND_UDP };

struct nw_meta { /* what segment.c found in the frame */
	uint8_t kind;
	uint8_t version;   /* 4, 6, or 0 when it is not IP */
	uint8_t capable;   /* ECN: may be marked */
	uint8_t opaque;    /* a super-packet that could not be taken apart */
	uint16_t l3;       /* offsets */
	uint16_t l4;
	uint16_t header;   /* bytes in front of the payload that every segment repeats */
	uint16_t gso;      /* payload bytes of a segment */
	uint32_t segments; /* wire packets; 1 when plain */
};

struct nw_packet {
	struct nw_pool *pool;
	uint64_t arrived_ns;
	uint32_t refs;
	uint32_t size_class;
	uint32_t len; /* of data, without the vnet header */
	struct nw_vnet vnet;
	struct nw_meta meta;
	uint8_t data[];
};

/* With one reference; NULL when the bound is reached. */
struct nw_packet *nw_packet_new(struct nw_pool *pool, uint32_t capacity);
void nw_packet_unref(struct nw_packet *packet);

#endif
