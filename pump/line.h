/* One line: what comes in is decided, waits, and comes out. Pure: time is an argument, packets go in and entries come out.
 *
 * Not here: file descriptors, clocks, the shared file.
 */
#ifndef NW_LINE_H
#define NW_LINE_H

#include "codel.h"
#include "link.h"
#include "loss.h"
#include "segment.h"

struct nw_config { /* one consistent copy of what Python wrote */
	struct nw_params params;
	int16_t delay_table[NW_TABLE];
	int16_t slot_table[NW_TABLE];
	uint32_t list[NW_LIST];
};

struct nw_slot {
	bool on;
	bool limited;
	uint64_t next_ns;
	uint64_t packets_left;
	uint64_t bytes_left;
};

struct nw_line {
	struct nw_pool *pool;
	struct nw_config config;
	bool configured;
	bool per_packet; /* segments are decided one by one */
	bool in_order;   /* the configuration keeps the order */
	bool hurry;      /* departures no longer count, only their order */
	struct nw_trace *trace;  /* in use */
	struct nw_trace *loaded; /* waits for parameters that name it */
	uint64_t trace_zero;
	struct nw_loss loss;
	struct nw_rng delay, duplicate, corrupt, position, reorder, copy, slot_rng;
	uint32_t gap_counter;
	struct nw_link link;
	struct nw_codel codel;
	struct nw_ring wait; /* for the link, where codel decides as they leave it */
	uint64_t wait_bytes;
	struct nw_queue queue;
	uint64_t last_due;
	uint64_t floor; /* the last departure of what keeps its order: nothing may leave before it */
	struct nw_slot slot;
	struct nw_entry run; /* segments with one departure, not queued yet; count 0: none */
	struct nw_stats stats;
};

struct nw_verdict {
	bool lost, mark, duplicate, skip;
	bool drawn;
	uint32_t draw, copy_draw; /* for the delay, where it was drawn */
	uint32_t flip, copy_flip; /* 0, or 1 + the bit */
};

void nw_line_init(struct nw_line *line, struct nw_pool *pool);
void nw_line_close(struct nw_line *line); /* lets go of everything */

/* entropy: the seed where the parameters have none. The parameters are clamped here. */
void nw_line_configure(struct nw_line *line, const struct nw_config *config, uint64_t now, uint64_t entropy);
void nw_line_restart(struct nw_line *line, uint64_t entropy); /* the random streams from their beginning */
void nw_line_renew(struct nw_line *line); /* an empty line for another use: nothing of the last one is left but its parameters */
/* The trace that the next parameters name; takes it over. */
void nw_line_load(struct nw_line *line, struct nw_trace *trace);

/* Takes over one reference to a parsed packet. */
void nw_line_arrive(struct nw_line *line, struct nw_packet *packet, uint64_t now);

uint64_t nw_line_next(struct nw_line *line); /* when the next entry is due; NW_NEVER */
bool nw_line_pop(struct nw_line *line, uint64_t now, struct nw_entry *entry); /* with its reference */
/* After the entry was written. */
void nw_line_sent(struct nw_line *line, const struct nw_entry *entry, uint64_t now);
void nw_line_hurry(struct nw_line *line); /* everything queued is due at once, for good */

/* decide.c */
void nw_decide(struct nw_line *line, struct nw_verdict *verdict, const struct nw_packet *packet, uint32_t segment,
	       uint64_t now);
uint64_t nw_slot_draw(struct nw_line *line);
uint64_t nw_delay(const struct nw_line *line, const struct nw_entry *entry); /* under the parameters in force */

/* configure.c */
struct nw_link_rule nw_line_rule(const struct nw_line *line);

/* flow.c */
void nw_line_advance(struct nw_line *line, uint64_t now); /* the link takes what it could begin by now */
/* The parameters changed: what is held departs as they say. relink: what the link hasn't sent yet is sent anew, from now on. */
void nw_line_retime(struct nw_line *line, bool relink, uint64_t now);

#endif
