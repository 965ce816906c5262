/* A recorded link: when bytes may pass, or delay, loss and rate over time. Repeats for ever. */
#ifndef NW_TRACE_H
#define NW_TRACE_H

#include "memory.h"
#include "params.h"

#include <stdbool.h>
#include <stddef.h>

struct nw_trace {
	uint64_t id; /* nw_trace_id of the parameters it belongs to */
	uint64_t count;
	uint64_t period_ns;
	uint32_t kind;
	bool passes; /* a packet gets through at some time */
	struct nw_pool *pool;
	size_t len; /* of bytes */
	union { /* into bytes, behind their header */
		const uint64_t *opportunities;
		struct nw_trace_row *rows;
	};
	_Alignas(8) uint8_t bytes[];
};

/* Tells traces apart; 0: none. */
uint64_t nw_trace_id(const struct nw_params *params);

/* Memory for a trace of so many bytes, to be read into `bytes`; NULL when there is none. */
struct nw_trace *nw_trace_new(struct nw_pool *pool, size_t len, uint64_t id);
bool nw_trace_check(struct nw_trace *trace); /* false: it is none, and can only be freed */
void nw_trace_free(struct nw_trace *trace);

/* Opportunities, numbered through all repetitions: the first at or after t, and when a number comes (since the start). */
uint64_t nw_trace_opportunity_from(const struct nw_trace *trace, uint64_t t);
uint64_t nw_trace_opportunity_at(const struct nw_trace *trace, uint64_t number);

/* Tables: the row in force at t, and when (over t) the next begins. */
const struct nw_trace_row *nw_trace_row_at(const struct nw_trace *trace, uint64_t t, uint64_t *until);

#endif
