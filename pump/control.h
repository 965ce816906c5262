/* The messages on a pump's control socket (SOCK_SEQPACKET): one request, one reply, in order. */
#ifndef NW_CONTROL_H
#define NW_CONTROL_H

#include <stdint.h>

#define NW_CONTROL_MAGIC 0x3143574eu /* "NWC1" */

enum nw_op {
	NW_OP_ADD = 1,    /* with one fd; flags: NW_ADD_*. Replaces the line's fd and restarts its random streams */
	NW_OP_REMOVE = 2, /* takes what waits in the fd, reads no more, delivers, closes */
	NW_OP_PING = 3,   /* answered when every parameter written before it is in force */
};

enum nw_add_flag { NW_ADD_VNET_HDR = 1 };    /* frames carry a 10-byte struct virtio_net_hdr */
enum nw_remove_flag {
	NW_REMOVE_NOW = 1,  /* deliver everything at once instead of when it is due */
	NW_REMOVE_DROP = 2, /* deliver nothing: what the line holds is dropped, and counted as such */
};

struct nw_request {
	uint32_t magic;
	uint16_t op;
	uint16_t line;
	uint32_t flags;
	uint32_t id; /* comes back in the reply */
	uint64_t reserved;
};

struct nw_reply {
	uint32_t magic;
	uint16_t op;
	uint16_t line;
	int32_t status; /* 0 or -errno */
	uint32_t id;
	uint64_t value; /* PING: lines that are active or draining; else 0 */
};

#endif
