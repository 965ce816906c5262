#include "rng.h"

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

void nw_rng_seed(struct nw_rng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t x = seed;

	x = splitmix(&x) + stream * 0xda942042e4dd58b5u;
	for (int i = 0; i < 4; i++)
		rng->s[i] = splitmix(&x);
	rng->last = nw_rng_u32(rng);
}

uint32_t nw_rng_u32(struct nw_rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return (uint32_t)(result >> 32);
}

uint32_t nw_rng_below(struct nw_rng *rng, uint32_t bound)
{
	return (uint32_t)(((uint64_t)nw_rng_u32(rng) * bound) >> 32);
}

uint32_t nw_rng_correlated(struct nw_rng *rng, uint32_t rho)
{
	uint64_t weight = (uint64_t)rho + 1;
	uint64_t value = nw_rng_u32(rng);

	if (rho == 0)
		return (uint32_t)value;
	/* The weights add up to 2^32, so the sum stays under 2^64. */
	rng->last = (uint32_t)((value * ((1ull << 32) - weight) + rng->last * weight) >> 32);
	return rng->last;
}
