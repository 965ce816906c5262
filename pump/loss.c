#include "loss.h"

/* Gilbert-Elliott's states; 0 so that a restart begins in the good one. */
enum { GOOD, BAD };
/* The four states, under their numbers in the paper less one. */
enum { GAP, BURST_RECEIVED, BURST_LOST, GAP_LOST };

void nw_loss_restart(struct nw_loss *loss)
{
	loss->number = 0;
	loss->state = 0;
	loss->burst_left = 0;
	loss->next = 0;
}

static bool chance(struct nw_loss *loss, uint64_t p)
{
	return nw_rng_u32(&loss->rng) < p;
}

bool nw_loss_decide_at(struct nw_loss *loss, uint64_t p)
{
	return chance(loss, p);
}

/* As netem: the state moves first, and the loss is that of the state before. Always two draws. */
static bool gilbert_elliott(struct nw_loss *loss, const uint64_t *a)
{
	bool bad = loss->state == BAD;
	bool moves = chance(loss, bad ? a[1] : a[0]);
	bool lost = chance(loss, bad ? a[2] : a[3]);

	if (moves)
		loss->state = bad ? GOOD : BAD;
	return lost;
}

/* a: p13, p31, p32, p23, p14. */
static bool four_states(struct nw_loss *loss, const uint64_t *a)
{
	uint64_t rnd = nw_rng_u32(&loss->rng);

	switch (loss->state) {
	case GAP:
		if (rnd < a[4])
			loss->state = GAP_LOST;
		else if (rnd < a[4] + a[0])
			loss->state = BURST_LOST;
		return loss->state != GAP;
	case BURST_RECEIVED:
		if (rnd < a[3])
			loss->state = BURST_LOST;
		return loss->state == BURST_LOST;
	case BURST_LOST:
		if (rnd < a[2])
			loss->state = BURST_RECEIVED;
		else if (rnd < a[2] + a[1])
			loss->state = GAP;
		return loss->state == BURST_LOST;
	default:
		loss->state = GAP;
		return false;
	}
}

static bool burst(struct nw_loss *loss, const struct nw_params *params)
{
	bool starts = chance(loss, params->loss_p);
	uint32_t spread = nw_rng_below(&loss->rng, params->burst_max - params->burst_min + 1);

	if (!loss->burst_left && starts)
		loss->burst_left = params->burst_min + spread;
	if (!loss->burst_left)
		return false;
	loss->burst_left--;
	return true;
}

static bool nth(const struct nw_loss *loss, const struct nw_params *params)
{
	return loss->number >= params->nth_offset && (loss->number - params->nth_offset) % params->nth_period == 0;
}

static bool listed(struct nw_loss *loss, const struct nw_params *params, const uint32_t *list)
{
	uint64_t number = loss->number;

	if (params->list_period) {
		number = (number - 1) % params->list_period + 1;
		if (number == 1)
			loss->next = 0;
	}
	while (loss->next < params->list_count && list[loss->next] < number)
		loss->next++;
	return loss->next < params->list_count && list[loss->next] == number;
}

bool nw_loss_decide(struct nw_loss *loss, const struct nw_params *params, const uint32_t *list)
{
	loss->number++;
	switch (params->loss_model) {
	case NW_LOSS_RANDOM:
		return nw_rng_correlated(&loss->rng, params->loss_rho) < params->loss_p;
	case NW_LOSS_GILBERT_ELLIOTT:
		return gilbert_elliott(loss, params->loss_a);
	case NW_LOSS_STATE:
		return four_states(loss, params->loss_a);
	case NW_LOSS_BURST:
		return burst(loss, params);
	case NW_LOSS_NTH:
		return nth(loss, params);
	case NW_LOSS_LIST:
		return listed(loss, params, list);
	default:
		return false;
	}
}
