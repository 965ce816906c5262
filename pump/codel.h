/* CoDel (RFC 8289), one packet at a time as it leaves the rate's queue. */
#ifndef NW_CODEL_H
#define NW_CODEL_H

#include <stdbool.h>
#include <stdint.h>

struct nw_codel {
	uint64_t first_above_ns;
	uint64_t drop_next_ns;
	uint32_t count;
	uint32_t last_count;
	bool dropping;
};

/* Whether this packet, which waited sojourn and leaves backlog bytes behind it, is dropped (or marked). */
bool nw_codel_decide(struct nw_codel *codel, uint64_t now, uint64_t sojourn, uint64_t backlog, uint64_t target,
		     uint64_t interval);

#endif
