/* The loss models: one decision a packet, drawn whether or not anything else happens to it. */
#ifndef NW_LOSS_H
#define NW_LOSS_H

#include "params.h"
#include "rng.h"

#include <stdbool.h>

struct nw_loss {
	struct nw_rng rng;
	uint64_t number;     /* of this packet, from 1, since the model began */
	uint32_t state;      /* of the Markov models */
	uint32_t burst_left; /* packets of the present burst still to lose */
	uint32_t next;       /* index into the list */
};

void nw_loss_restart(struct nw_loss *loss); /* a new model; the random stream goes on */
bool nw_loss_decide(struct nw_loss *loss, const struct nw_params *params, const uint32_t *list);
/* The same draw, with a probability from elsewhere (a trace). */
bool nw_loss_decide_at(struct nw_loss *loss, uint64_t p);

#endif
