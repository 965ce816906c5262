#include "trace.h"

#include <string.h>

#define LONGEST (1ull << 53) /* 104 days: sums of times stay far from overflow */

static uint64_t time_of(const struct nw_trace *trace, uint64_t index)
{
	return trace->kind == NW_TRACE_TABLE ? trace->rows[index].time_ns : trace->opportunities[index];
}

static bool in_order(const struct nw_trace *trace)
{
	for (uint64_t i = 1; i < trace->count; i++) {
		if (time_of(trace, i) < time_of(trace, i - 1))
			return false;
	}
	return time_of(trace, trace->count - 1) <= trace->period_ns;
}

/* The last row holds until the first of the next repetition. */
static bool row_passes(const struct nw_trace *trace, uint64_t i)
{
	bool last = i + 1 == trace->count;
	uint64_t until = last ? trace->period_ns + time_of(trace, 0) : time_of(trace, i + 1);

	return until > time_of(trace, i) && (!(trace->rows[i].has & NW_HAS_RATE) || trace->rows[i].rate_bps);
}

static bool passes(const struct nw_trace *trace)
{
	for (uint64_t i = 0; i < trace->count; i++) {
		if (trace->kind == NW_TRACE_OPPORTUNITIES || row_passes(trace, i))
			return true;
	}
	return false;
}

static void clamp_rows(struct nw_trace *trace)
{
	for (uint64_t i = 0; i < trace->count; i++) {
		struct nw_trace_row *row = &trace->rows[i];

		if (row->delay_ns < 0)
			row->delay_ns = 0;
		if (row->delay_ns > NW_DELAY_MAX)
			row->delay_ns = NW_DELAY_MAX;
		if (row->rate_bps > NW_RATE_MAX)
			row->rate_bps = NW_RATE_MAX;
		if (row->loss_p > NW_ONE)
			row->loss_p = NW_ONE;
	}
}

uint64_t nw_trace_id(const struct nw_params *params)
{
	return params->trace_bytes ? (uint64_t)params->trace_crc << 32 | params->trace_bytes : 0;
}

struct nw_trace *nw_trace_new(struct nw_pool *pool, size_t len, uint64_t id)
{
	struct nw_trace *trace = nw_map(pool, sizeof(*trace) + len);

	if (!trace)
		return NULL;
	trace->pool = pool;
	trace->id = id;
	trace->len = len;
	return trace;
}

static bool check_header(struct nw_trace *trace)
{
	struct nw_trace_header header;
	size_t row;

	if (trace->len < sizeof(header))
		return false;
	memcpy(&header, trace->bytes, sizeof(header));
	row = header.kind == NW_TRACE_TABLE ? sizeof(struct nw_trace_row) : sizeof(uint64_t);
	if (header.magic != NW_TRACE_MAGIC || header.kind == NW_TRACE_NONE || header.kind >= NW_TRACE_KINDS)
		return false;
	if (!header.count || header.count > (trace->len - sizeof(header)) / row)
		return false;
	trace->count = header.count;
	trace->period_ns = header.period_ns;
	trace->kind = header.kind;
	trace->rows = (struct nw_trace_row *)(trace->bytes + sizeof(header));
	return header.period_ns && header.period_ns <= LONGEST;
}

bool nw_trace_check(struct nw_trace *trace)
{
	if (!check_header(trace) || !in_order(trace))
		return false;
	if (trace->kind == NW_TRACE_TABLE)
		clamp_rows(trace);
	trace->passes = passes(trace);
	return true;
}

void nw_trace_free(struct nw_trace *trace)
{
	if (trace)
		nw_unmap(trace->pool, trace, sizeof(*trace) + trace->len);
}

/* The first row at or (strict) after t within one period; count when there is none. */
static uint64_t first_from(const struct nw_trace *trace, uint64_t t, bool strict)
{
	uint64_t low = 0, high = trace->count;

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		uint64_t time = time_of(trace, middle);

		if (time < t || (strict && time == t))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t nw_trace_opportunity_from(const struct nw_trace *trace, uint64_t t)
{
	uint64_t cycle = t / trace->period_ns;

	/* mahimahi's last line is the period itself: at t = n × period the last of the cycle before is as good. */
	if (cycle && t % trace->period_ns == 0 && time_of(trace, trace->count - 1) == trace->period_ns)
		return (cycle - 1) * trace->count + first_from(trace, trace->period_ns, false);
	return cycle * trace->count + first_from(trace, t % trace->period_ns, false);
}

uint64_t nw_trace_opportunity_at(const struct nw_trace *trace, uint64_t number)
{
	return number / trace->count * trace->period_ns + time_of(trace, number % trace->count);
}

const struct nw_trace_row *nw_trace_row_at(const struct nw_trace *trace, uint64_t t, uint64_t *until)
{
	uint64_t start = t / trace->period_ns * trace->period_ns;
	uint64_t next = first_from(trace, t - start, true);

	*until = start + (next < trace->count ? time_of(trace, next) : trace->period_ns);
	/* Before the first row holds the last one, of the repetition before. */
	return &trace->rows[next ? next - 1 : trace->count - 1];
}
