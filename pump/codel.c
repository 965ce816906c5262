#include "codel.h"

#define MTU 1514u

static uint64_t square_root(uint64_t x)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ull << 62; bit; bit >>= 2) {
		if (x >= root + bit) {
			x -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

/* t + interval / sqrt(count), in whole numbers: the root with 16 bits behind the point. */
static uint64_t control_law(uint64_t t, uint64_t interval, uint32_t count)
{
	return t + (interval << 16) / square_root((uint64_t)count << 32);
}

static bool above_for_long(struct nw_codel *codel, uint64_t now, uint64_t sojourn, uint64_t backlog, uint64_t target,
			   uint64_t interval)
{
	if (sojourn < target || backlog <= MTU) {
		codel->first_above_ns = 0;
		return false;
	}
	if (!codel->first_above_ns)
		codel->first_above_ns = now + interval;
	return now >= codel->first_above_ns;
}

bool nw_codel_decide(struct nw_codel *codel, uint64_t now, uint64_t sojourn, uint64_t backlog, uint64_t target,
		     uint64_t interval)
{
	uint32_t recent;

	if (!above_for_long(codel, now, sojourn, backlog, target, interval)) {
		codel->dropping = false;
		return false;
	}
	if (codel->dropping) {
		if (now < codel->drop_next_ns)
			return false;
		if (codel->count < UINT32_MAX)
			codel->count++;
		codel->drop_next_ns = control_law(codel->drop_next_ns, interval, codel->count);
		return true;
	}
	recent = codel->count - codel->last_count;
	codel->dropping = true;
	codel->count = recent > 1 && now < codel->drop_next_ns + 16 * interval ? recent : 1;
	codel->last_count = codel->count;
	codel->drop_next_ns = control_law(now, interval, codel->count);
	return true;
}
