/* The bottleneck: when the link may begin a packet and when it has sent it. */
#ifndef NW_LINK_H
#define NW_LINK_H

#include "trace.h"

struct nw_link {
	uint64_t free_ns;   /* when the last packet is through */
	uint64_t remainder; /* of the division by the rate, so that no rounding adds up */
	uint64_t begun;      /* opportunities up to here are used up, but for bytes_left of the last */
	uint64_t bytes_left;
};

struct nw_link_rule { /* what governs it now */
	const struct nw_params *params;
	const struct nw_trace *trace; /* NULL: none */
	uint64_t trace_zero;
};

#define NW_NEVER UINT64_MAX

/* A link that does not limit: packets neither wait nor take time. */
bool nw_link_limits(const struct nw_link_rule *rule);
uint64_t nw_link_start(const struct nw_link *link, const struct nw_link_rule *rule, uint64_t t);
/* Sends bytes from start (an answer of nw_link_start); when it is done, or NW_NEVER. */
uint64_t nw_link_send(struct nw_link *link, const struct nw_link_rule *rule, uint64_t start, uint64_t bytes);
uint64_t nw_link_bytes(const struct nw_params *params, uint64_t len); /* with overhead and cells */

#endif
