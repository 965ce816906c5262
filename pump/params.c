#include "params.h"

#define PACKETS_MAX 4000000u /* fits a queue's largest ring */
#define BURST_MAX (1u << 30)
#define BYTES_MAX 65535

static bool clamp_signed(int64_t *value, int64_t low, int64_t high)
{
	int64_t before = *value;

	*value = before < low ? low : before > high ? high : before;
	return *value == before;
}

static bool clamp(uint64_t *value, uint64_t high)
{
	uint64_t before = *value;

	*value = before > high ? high : before;
	return *value == before;
}

static bool clamp32(uint32_t *value, uint32_t low, uint32_t high)
{
	uint32_t before = *value;

	*value = before < low ? low : before > high ? high : before;
	return *value == before;
}

static bool clamp_bytes(int32_t *value)
{
	int32_t before = *value;

	*value = before < -BYTES_MAX ? -BYTES_MAX : before > BYTES_MAX ? BYTES_MAX : before;
	return *value == before;
}

static bool clamp_times(struct nw_params *p)
{
	bool ok = clamp_signed(&p->delay_ns, 0, NW_DELAY_MAX);

	ok &= clamp_signed(&p->jitter_ns, 0, NW_DELAY_MAX);
	ok &= clamp_signed(&p->slot_min_ns, 0, NW_DELAY_MAX);
	ok &= clamp_signed(&p->slot_max_ns, 0, NW_DELAY_MAX);
	ok &= clamp_signed(&p->slot_delay_ns, 0, NW_DELAY_MAX);
	ok &= clamp_signed(&p->slot_jitter_ns, 0, NW_DELAY_MAX);
	ok &= clamp(&p->codel_target_ns, NW_DELAY_MAX);
	ok &= clamp(&p->codel_interval_ns, NW_DELAY_MAX);
	if (p->slot_max_ns < p->slot_min_ns)
		p->slot_max_ns = p->slot_min_ns;
	return ok;
}

static bool clamp_loss(struct nw_params *p)
{
	bool ok = clamp(&p->loss_p, NW_ONE);

	for (int i = 0; i < 5; i++)
		ok &= clamp(&p->loss_a[i], NW_ONE);
	if (p->loss_model >= NW_LOSS_MODELS) {
		p->loss_model = NW_LOSS_NONE;
		ok = false;
	}
	if (p->loss_model == NW_LOSS_BURST) {
		ok &= clamp32(&p->burst_min, 1, BURST_MAX);
		ok &= clamp32(&p->burst_max, p->burst_min, BURST_MAX);
	}
	if (p->loss_model == NW_LOSS_NTH)
		ok &= clamp32(&p->nth_period, 1, UINT32_MAX);
	ok &= clamp32(&p->list_count, 0, NW_LIST);
	return ok;
}

bool nw_params_clamp(struct nw_params *p)
{
	bool ok = clamp_times(p);

	ok &= clamp_loss(p);
	ok &= clamp(&p->duplicate_p, NW_ONE);
	ok &= clamp(&p->corrupt_p, NW_ONE);
	ok &= clamp(&p->reorder_p, NW_ONE);
	ok &= clamp(&p->rate_bps, NW_RATE_MAX);
	ok &= clamp_bytes(&p->overhead);
	ok &= clamp_bytes(&p->cell_overhead);
	ok &= clamp32(&p->cell_size, 0, BYTES_MAX);
	if (p->policy >= NW_POLICIES) {
		p->policy = NW_DROPTAIL;
		ok = false;
	}
	/* 0 is no limit, and so is what a queue can't hold: neither is worth a warning. */
	if (!p->limit_packets || p->limit_packets > PACKETS_MAX)
		p->limit_packets = PACKETS_MAX;
	if (!p->limit_bytes)
		p->limit_bytes = UINT64_MAX;
	if (p->reorder_p && !p->gap)
		p->gap = 1;
	return ok;
}
