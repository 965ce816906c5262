/* Random numbers: xoshiro256** seeded by splitmix64, the same on every machine. */
#ifndef NW_RNG_H
#define NW_RNG_H

#include <stdint.h>

struct nw_rng {
	uint64_t s[4];
	uint32_t last; /* of the correlated draws */
};

/* Streams of one seed are independent of each other: what one draws never moves another. */
void nw_rng_seed(struct nw_rng *rng, uint64_t seed, uint64_t stream);
uint32_t nw_rng_u32(struct nw_rng *rng);
uint32_t nw_rng_below(struct nw_rng *rng, uint32_t bound);

/* netem's get_crandom: AR(1) with rho / 2^32 of the last value. */
uint32_t nw_rng_correlated(struct nw_rng *rng, uint32_t rho);

#endif
