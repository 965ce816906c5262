#include "link.h"

#define OPPORTUNITY_BYTES 1500u
#define ROWS_MAX 4096 /* rows one packet may last, before it counts as never sent */

#define LONGEST (1ull << 60) /* 36 years: times stay far from overflow */

typedef unsigned __int128 u128;

static bool by_opportunities(const struct nw_link_rule *rule)
{
	return rule->trace && rule->trace->kind == NW_TRACE_OPPORTUNITIES;
}

static bool by_table(const struct nw_link_rule *rule)
{
	return rule->trace && rule->trace->kind == NW_TRACE_TABLE;
}

bool nw_link_limits(const struct nw_link_rule *rule)
{
	return rule->params->rate_bps || rule->trace;
}

uint64_t nw_link_bytes(const struct nw_params *params, uint64_t len)
{
	int64_t bytes = (int64_t)len + params->overhead;
	int64_t cells;

	if (bytes < 0)
		bytes = 0;
	if (params->cell_size) {
		cells = (bytes + params->cell_size - 1) / params->cell_size;
		bytes = cells * ((int64_t)params->cell_size + params->cell_overhead);
	}
	return bytes > 0 ? (uint64_t)bytes : 0;
}

static uint64_t since(const struct nw_link_rule *rule, uint64_t t)
{
	return t > rule->trace_zero ? t - rule->trace_zero : 0;
}

static uint64_t opportunity_at(const struct nw_link_rule *rule, uint64_t number)
{
	return rule->trace_zero + nw_trace_opportunity_at(rule->trace, number);
}

static bool has_begun(const struct nw_link *link, const struct nw_link_rule *rule, uint64_t t)
{
	return link->bytes_left && opportunity_at(rule, link->begun - 1) >= t;
}

/* Several opportunities may come at the same time, so what is begun counts as well as the time. */
static uint64_t next_opportunity(const struct nw_link *link, const struct nw_link_rule *rule, uint64_t t)
{
	uint64_t number = nw_trace_opportunity_from(rule->trace, since(rule, t));

	return number > link->begun ? number : link->begun;
}

static uint64_t opportunity_start(const struct nw_link *link, const struct nw_link_rule *rule, uint64_t t)
{
	if (has_begun(link, rule, t))
		return opportunity_at(rule, link->begun - 1);
	return opportunity_at(rule, next_opportunity(link, rule, t));
}

uint64_t nw_link_start(const struct nw_link *link, const struct nw_link_rule *rule, uint64_t t)
{
	if (by_opportunities(rule))
		return opportunity_start(link, rule, t);
	return link->free_ns > t ? link->free_ns : t;
}

static uint64_t send_by_opportunities(struct nw_link *link, const struct nw_link_rule *rule, uint64_t start, uint64_t bytes)
{
	if (!has_begun(link, rule, start)) {
		link->begun = next_opportunity(link, rule, start) + 1;
		link->bytes_left = OPPORTUNITY_BYTES;
	}
	while (bytes > link->bytes_left) {
		bytes -= link->bytes_left;
		link->begun++;
		link->bytes_left = OPPORTUNITY_BYTES;
	}
	link->bytes_left -= bytes;
	return opportunity_at(rule, link->begun - 1);
}

static uint64_t send_at_rate(struct nw_link *link, uint64_t start, uint64_t bytes, uint64_t rate)
{
	u128 work = (u128)bytes * 8 * 1000000000u;

	/* The remainder is of a link that goes on sending; after a pause there is none. */
	if (start == link->free_ns && link->remainder < rate)
		work += link->remainder;
	link->remainder = (uint64_t)(work % rate);
	work /= rate;
	return start + (work < LONGEST ? (uint64_t)work : LONGEST);
}

/* Bits times 10^9 are consumed row by row, each at its rate. */
static uint64_t send_by_table(const struct nw_link_rule *rule, uint64_t start, uint64_t bytes)
{
	u128 work = (u128)bytes * 8 * 1000000000u;
	uint64_t t = since(rule, start);

	for (int i = 0; i < ROWS_MAX; i++) {
		uint64_t until;
		const struct nw_trace_row *row = nw_trace_row_at(rule->trace, t, &until);
		uint64_t rate = row->has & NW_HAS_RATE ? row->rate_bps : rule->params->rate_bps;

		if (!(row->has & NW_HAS_RATE) && !rate)
			return rule->trace_zero + t; /* unlimited here */
		if ((u128)rate * (until - t) >= work)
			return rule->trace_zero + t + (uint64_t)(work / (rate ? rate : 1));
		work -= (u128)rate * (until - t);
		t = until;
		if (t > LONGEST)
			break;
	}
	return NW_NEVER;
}

uint64_t nw_link_send(struct nw_link *link, const struct nw_link_rule *rule, uint64_t start, uint64_t bytes)
{
	uint64_t done;

	if (by_opportunities(rule))
		done = send_by_opportunities(link, rule, start, bytes);
	else if (by_table(rule))
		done = rule->trace->passes ? send_by_table(rule, start, bytes) : NW_NEVER;
	else
		done = send_at_rate(link, start, bytes, rule->params->rate_bps);
	if (done != NW_NEVER && done > link->free_ns)
		link->free_ns = done;
	return done;
}
