/* A line's parameters: made harmless, put in force without touching what is queued. */
#include "line.h"

#include <string.h>

#define HORIZON (1ull << 53) /* how far ahead a trace may begin */

enum { STREAM_LOSS = 1, STREAM_DELAY, STREAM_DUPLICATE, STREAM_CORRUPT, STREAM_POSITION, STREAM_REORDER, STREAM_COPY, STREAM_SLOT };

void nw_line_init(struct nw_line *line, struct nw_pool *pool)
{
	memset(line, 0, sizeof(*line));
	line->pool = pool;
	nw_queue_init(&line->queue, pool);
}

void nw_line_close(struct nw_line *line)
{
	if (line->run.count)
		nw_packet_unref(line->run.packet);
	line->run.count = 0;
	nw_ring_close(&line->wait, line->pool);
	nw_queue_close(&line->queue);
	nw_trace_free(line->trace);
	nw_trace_free(line->loaded);
	line->trace = line->loaded = NULL;
}

struct nw_link_rule nw_line_rule(const struct nw_line *line)
{
	return (struct nw_link_rule){&line->config.params, line->trace, line->trace_zero};
}

static void seed_streams(struct nw_line *line, uint64_t seed)
{
	line->stats.seed_used = seed;
	nw_rng_seed(&line->loss.rng, seed, STREAM_LOSS);
	nw_rng_seed(&line->delay, seed, STREAM_DELAY);
	nw_rng_seed(&line->duplicate, seed, STREAM_DUPLICATE);
	nw_rng_seed(&line->corrupt, seed, STREAM_CORRUPT);
	nw_rng_seed(&line->position, seed, STREAM_POSITION);
	nw_rng_seed(&line->reorder, seed, STREAM_REORDER);
	nw_rng_seed(&line->copy, seed, STREAM_COPY);
	nw_rng_seed(&line->slot_rng, seed, STREAM_SLOT);
	nw_loss_restart(&line->loss);
	line->gap_counter = 0;
}

void nw_line_restart(struct nw_line *line, uint64_t entropy)
{
	const struct nw_params *params = &line->config.params;

	seed_streams(line, params->flags & NW_SEEDED ? params->seed : entropy);
}

void nw_line_renew(struct nw_line *line)
{
	line->stats = (struct nw_stats){
		.state = line->stats.state,
		.config_error = line->stats.config_error,
		.applied_generation = line->stats.applied_generation,
		.seed_used = line->stats.seed_used,
		.changes = line->stats.changes,
	};
	line->hurry = false;
	line->floor = line->last_due = 0;
	line->link = (struct nw_link){0};
	line->codel = (struct nw_codel){0};
}

static bool seed_changed(const struct nw_params *before, const struct nw_params *after)
{
	return (after->flags & NW_SEEDED) && (!(before->flags & NW_SEEDED) || before->seed != after->seed);
}

/* A counting or Markov model that becomes another one begins anew; other numbers for the same random one don't. */
static bool model_changed(const struct nw_params *before, const struct nw_params *after)
{
	if (before->loss_model != after->loss_model)
		return true;
	if (after->loss_model == NW_LOSS_NTH)
		return before->nth_period != after->nth_period || before->nth_offset != after->nth_offset;
	if (after->loss_model == NW_LOSS_LIST)
		return before->list_crc != after->list_crc || before->list_count != after->list_count ||
		       before->list_period != after->list_period;
	return false;
}

static void start_trace(struct nw_line *line, uint64_t now)
{
	uint64_t start = line->config.params.trace_start_ns;

	line->trace_zero = start && start < now + HORIZON ? start : now;
}

static void choose_trace(struct nw_line *line, uint64_t start_before, uint64_t now)
{
	uint64_t id = nw_trace_id(&line->config.params);
	bool present = line->trace && line->trace->id == id;

	if (id && present) {
		if (line->config.params.trace_start_ns != start_before)
			start_trace(line, now);
		return;
	}
	nw_trace_free(line->trace);
	line->trace = NULL;
	if (!id)
		return;
	if (!line->loaded || line->loaded->id != id) {
		line->stats.config_error = NW_CONFIG_NO_TRACE;
		return;
	}
	line->trace = line->loaded;
	line->loaded = NULL;
	start_trace(line, now);
}

static bool slots_changed(const struct nw_params *before, const struct nw_params *after)
{
	return before->slot_min_ns != after->slot_min_ns || before->slot_max_ns != after->slot_max_ns ||
	       before->slot_delay_ns != after->slot_delay_ns || before->slot_jitter_ns != after->slot_jitter_ns;
}

static bool link_changed(const struct nw_params *before, const struct nw_params *after)
{
	return before->rate_bps != after->rate_bps || before->overhead != after->overhead ||
	       before->cell_size != after->cell_size || before->cell_overhead != after->cell_overhead;
}

static void derive(struct nw_line *line, const struct nw_params *before, uint64_t now)
{
	const struct nw_params *p = &line->config.params;
	struct nw_link_rule rule = nw_line_rule(line);
	bool slots = p->slot_min_ns || p->slot_max_ns || p->slot_delay_ns || p->slot_jitter_ns;
	bool varies = p->jitter_ns || p->reorder_p || (line->trace && line->trace->kind == NW_TRACE_TABLE);

	line->in_order = !p->reorder_p && (!varies || (p->flags & NW_KEEP_ORDER));
	line->slot.limited = slots && (p->slot_packets || p->slot_bytes);
	line->per_packet = varies || p->loss_model || p->duplicate_p || p->corrupt_p || p->mtu || line->slot.limited ||
			   nw_link_limits(&rule);
	if (slots && (!line->slot.on || slots_changed(before, p)))
		line->slot.next_ns = now;
	line->slot.on = slots;
	line->slot.packets_left = p->slot_packets ? p->slot_packets : UINT64_MAX;
	line->slot.bytes_left = p->slot_bytes ? p->slot_bytes : UINT64_MAX;
}

void nw_line_configure(struct nw_line *line, const struct nw_config *config, uint64_t now, uint64_t entropy)
{
	struct nw_params before = line->config.params;
	const struct nw_trace *trace = line->trace;
	uint64_t trace_zero = line->trace_zero;
	bool first = !line->configured;

	nw_line_advance(line, now);
	line->config = *config;
	line->configured = true;
	line->stats.config_error = nw_params_clamp(&line->config.params) ? NW_CONFIG_OK : NW_CONFIG_CLAMPED;
	line->stats.applied_generation = config->params.generation;
	line->stats.changes++;
	choose_trace(line, before.trace_start_ns, now);
	if (first || seed_changed(&before, &line->config.params))
		nw_line_restart(line, entropy);
	else if (model_changed(&before, &line->config.params))
		nw_loss_restart(&line->loss);
	derive(line, &before, now);
	nw_line_retime(line, link_changed(&before, &line->config.params) || line->trace != trace || line->trace_zero != trace_zero, now);
}

void nw_line_load(struct nw_line *line, struct nw_trace *trace)
{
	nw_trace_free(line->loaded);
	line->loaded = trace;
}
