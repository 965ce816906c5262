#include "packet.h"

struct nw_packet *nw_packet_new(struct nw_pool *pool, uint32_t capacity)
{
	size_t bytes = sizeof(struct nw_packet) + capacity;
	uint32_t c = nw_class_for(bytes);
	struct nw_packet *packet = c < NW_CLASSES ? nw_take(pool, c, bytes) : NULL;

	if (!packet)
		return NULL;
	packet->pool = pool;
	packet->refs = 1;
	packet->size_class = c;
	packet->len = 0;
	return packet;
}

void nw_packet_unref(struct nw_packet *packet)
{
	if (--packet->refs == 0)
		nw_give(packet->pool, packet->size_class, packet);
}
