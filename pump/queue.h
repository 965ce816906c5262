/* Entries in order of departure: a ring while they come in order, a stable heap for those that don't. */
#ifndef NW_QUEUE_H
#define NW_QUEUE_H

#include "packet.h"

enum nw_entry_flag {
	NW_ENTRY_MARK = 1, /* congestion experienced */
	NW_ENTRY_SKIP = 2, /* may overtake what has to keep its order */
};

struct nw_entry {
	uint64_t due;   /* departure */
	uint64_t order; /* of acceptance: equal departures keep it */
	uint64_t done;  /* when the link had, or will have, sent it: its delay begins */
	struct nw_packet *packet;
	uint32_t flip;  /* 0, or 1 + the bit to corrupt */
	uint32_t draw;  /* its own random number, from which its jitter comes under any parameters */
	uint16_t first; /* segments first .. first + count - 1 of the packet */
	uint16_t count;
	uint8_t flags; /* NW_ENTRY_* */
	bool drawn;    /* has a draw; else its delay has no jitter */
	bool ordered;  /* accepted where packets keep their order: nothing behind it may overtake it */
};

struct nw_ring {
	struct nw_entry *entries;
	uint32_t capacity; /* a power of two, or 0 */
	uint32_t head;
	uint32_t used;
};

struct nw_heap {
	struct nw_entry *entries;
	uint32_t capacity;
	uint32_t used;
};

struct nw_queue {
	struct nw_pool *pool;
	struct nw_ring ring;
	struct nw_heap heap;
	uint64_t orders;
};

#define NW_QUEUE_MAX (1u << 22) /* entries of one ring or heap */

bool nw_ring_push(struct nw_ring *ring, struct nw_pool *pool, const struct nw_entry *entry);
struct nw_entry *nw_ring_peek(struct nw_ring *ring); /* NULL when empty */
struct nw_entry *nw_ring_last(struct nw_ring *ring);
void nw_ring_drop(struct nw_ring *ring, struct nw_pool *pool); /* removes what peek shows */
void nw_ring_close(struct nw_ring *ring, struct nw_pool *pool);

void nw_queue_init(struct nw_queue *queue, struct nw_pool *pool);
void nw_queue_close(struct nw_queue *queue); /* lets go of every packet */
/* Takes over the caller's reference; false when there is no memory (the reference stays the caller's). */
bool nw_queue_push(struct nw_queue *queue, struct nw_entry *entry);
/* From now on entries are popped in the order of their acceptance; nothing may be pushed any more. */
void nw_queue_as_accepted(struct nw_queue *queue);
const struct nw_entry *nw_queue_peek(struct nw_queue *queue);
struct nw_entry nw_queue_pop(struct nw_queue *queue); /* only after a peek that was not NULL */

#endif
