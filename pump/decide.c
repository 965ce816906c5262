/* What happens to one wire packet: every stream is drawn once a packet, whatever the others said. */
#include "line.h"

#define SCALE 8192 /* of the distribution tables */

static int64_t from_table(int64_t mu, int64_t sigma, uint32_t rnd, const int16_t *table)
{
	int64_t x = sigma * table[rnd % NW_TABLE];

	x += x < 0 ? -SCALE / 2 : SCALE / 2;
	x = mu + x / SCALE;
	return x > 0 ? x : 0;
}

static int64_t uniform(int64_t mu, int64_t sigma, uint32_t rnd)
{
	int64_t x = (int64_t)(((unsigned __int128)rnd * (2 * (uint64_t)sigma + 1)) >> 32);

	x += mu - sigma;
	return x > 0 ? x : 0;
}

static int64_t delay_of(const struct nw_line *line, int64_t mu, uint32_t rnd)
{
	const struct nw_params *params = &line->config.params;

	if (!params->jitter_ns)
		return mu;
	if (params->flags & NW_DELAY_TABLE)
		return from_table(mu, params->jitter_ns, rnd, line->config.delay_table);
	return uniform(mu, params->jitter_ns, rnd);
}

uint64_t nw_slot_draw(struct nw_line *line)
{
	const struct nw_params *params = &line->config.params;
	uint32_t rnd = nw_rng_u32(&line->slot_rng);
	uint64_t spread = (uint64_t)(params->slot_max_ns - params->slot_min_ns);

	if (params->flags & NW_SLOT_TABLE)
		return (uint64_t)from_table(params->slot_delay_ns, params->slot_jitter_ns, rnd, line->config.slot_table);
	return (uint64_t)params->slot_min_ns + (uint64_t)(((unsigned __int128)rnd * spread) >> 32);
}

static bool chance(struct nw_rng *rng, uint32_t rho, uint64_t p)
{
	return p && nw_rng_correlated(rng, rho) < p;
}

/* Behind the link layer's header: a damaged address of that would only look like a loss. */
static uint32_t bit_to_flip(struct nw_rng *rng, const struct nw_packet *packet, uint32_t len)
{
	uint32_t from = packet->meta.l3 < len ? packet->meta.l3 : 0;

	return 1 + 8 * from + nw_rng_below(rng, 8 * (len - from));
}

static bool overtakes(struct nw_line *line)
{
	const struct nw_params *params = &line->config.params;
	bool chosen = chance(&line->reorder, params->reorder_rho, params->reorder_p);

	if (!params->reorder_p)
		return false;
	if (line->gap_counter < params->gap - 1 || !chosen) {
		if (line->gap_counter < UINT32_MAX)
			line->gap_counter++;
		return false;
	}
	line->gap_counter = 0;
	return true;
}

static const struct nw_trace_row *row_of(const struct nw_line *line, uint64_t now)
{
	uint64_t until;

	if (!line->trace || line->trace->kind != NW_TRACE_TABLE)
		return NULL;
	return nw_trace_row_at(line->trace, now > line->trace_zero ? now - line->trace_zero : 0, &until);
}

static void decide_loss(struct nw_line *line, struct nw_verdict *verdict, const struct nw_packet *packet,
			const struct nw_trace_row *row)
{
	const struct nw_params *params = &line->config.params;
	bool by_trace = row && (row->has & NW_HAS_LOSS);
	bool lost = by_trace ? nw_loss_decide_at(&line->loss, row->loss_p)
			     : nw_loss_decide(&line->loss, params, line->config.list);

	if (!lost)
		return;
	if ((params->flags & NW_LOSS_ECN) && packet->meta.capable) {
		verdict->mark = true;
		return;
	}
	verdict->lost = true;
	line->stats.lost += !by_trace;
	line->stats.lost_trace += by_trace;
}

uint64_t nw_delay(const struct nw_line *line, const struct nw_entry *entry)
{
	const struct nw_trace_row *row = row_of(line, entry->packet->arrived_ns);
	int64_t mu = row && (row->has & NW_HAS_DELAY) ? row->delay_ns : line->config.params.delay_ns;

	if (entry->flags & NW_ENTRY_SKIP)
		return 0;
	return (uint64_t)(entry->drawn ? delay_of(line, mu, entry->draw) : mu);
}

void nw_decide(struct nw_line *line, struct nw_verdict *verdict, const struct nw_packet *packet, uint32_t segment,
	       uint64_t now)
{
	const struct nw_params *params = &line->config.params;
	const struct nw_trace_row *row = row_of(line, now);
	uint32_t len = nw_segment_len(packet, segment);

	*verdict = (struct nw_verdict){0};
	decide_loss(line, verdict, packet, row);
	verdict->duplicate = chance(&line->duplicate, params->duplicate_rho, params->duplicate_p);
	if (chance(&line->corrupt, params->corrupt_rho, params->corrupt_p) && len)
		verdict->flip = bit_to_flip(&line->position, packet, len);
	verdict->drawn = params->jitter_ns;
	verdict->draw = verdict->drawn ? nw_rng_correlated(&line->delay, params->delay_rho) : 0;
	if (verdict->duplicate) { /* the copy draws from a stream of its own */
		verdict->copy_draw = nw_rng_u32(&line->copy);
		if (nw_rng_u32(&line->copy) < params->corrupt_p && len)
			verdict->copy_flip = bit_to_flip(&line->copy, packet, len);
	}
	verdict->skip = overtakes(line);
	if (!verdict->lost && params->mtu && packet->meta.version && len > packet->meta.l3 + params->mtu) {
		verdict->lost = true;
		line->stats.dropped_mtu++;
	}
}
