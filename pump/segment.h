/* Super-packets: what the wire would make of one, and runs of its segments put together again. */
#ifndef NW_SEGMENT_H
#define NW_SEGMENT_H

#include "queue.h"

#include <sys/uio.h>

#define NW_HEADER_MAX 512u

enum { NW_VNET_NEEDS_CSUM = 1, NW_VNET_DATA_VALID = 2 };
enum { NW_GSO_NONE = 0, NW_GSO_TCP4 = 1, NW_GSO_TCP6 = 4, NW_GSO_UDP = 5, NW_GSO_ECN = 0x80 };

/* Fills packet->meta. vnet says nothing that is believed without a look at the frame. */
void nw_segment_parse(struct nw_packet *packet);

uint32_t nw_segment_len(const struct nw_packet *packet, uint32_t segment); /* bytes on the wire */
uint64_t nw_run_len(const struct nw_packet *packet, uint32_t first, uint32_t count);

struct nw_frame { /* one write */
	struct nw_vnet vnet;
	struct iovec iov[3]; /* vnet header, headers, payload: iov[0] only where the fd wants it */
	int parts;
	bool super; /* more than one segment */
	uint8_t header[NW_HEADER_MAX];
	uint8_t flat[NW_FRAME_MAX];
};

/* Makes the entry's frame; its parts point into frame and packet. */
void nw_frame_build(struct nw_frame *frame, const struct nw_entry *entry);

#endif
