/* The pump's core in virtual time, for tests: a shared library that ctypes loads. */
#include "csum.h"
#include "line.h"

#include <stdlib.h>
#include <string.h>

struct bench {
	struct nw_pool pool;
	struct nw_line line;
	struct nw_config config;
	struct nw_frame frame;
};

struct bench *nwt_open(uint64_t memory)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	nw_pool_init(&bench->pool, memory);
	nw_line_init(&bench->line, &bench->pool);
	return bench;
}

/* What is still mapped afterwards: 0, or something leaked. */
uint64_t nwt_close(struct bench *bench)
{
	uint64_t left;

	nw_line_close(&bench->line);
	nw_pool_close(&bench->pool);
	left = bench->pool.used;
	free(bench);
	return left;
}

void nwt_configure(struct bench *bench, const void *params, const void *delay, const void *slot, const void *list,
		   uint32_t list_bytes, const void *trace, uint32_t trace_bytes, uint64_t now)
{
	memcpy(&bench->config.params, params, sizeof(bench->config.params));
	if (delay)
		memcpy(bench->config.delay_table, delay, sizeof(bench->config.delay_table));
	if (slot)
		memcpy(bench->config.slot_table, slot, sizeof(bench->config.slot_table));
	if (list)
		memcpy(bench->config.list, list, list_bytes);
	if (trace && (!bench->line.trace || bench->line.trace->id != nw_trace_id(&bench->config.params))) {
		struct nw_trace *read = nw_trace_new(&bench->pool, trace_bytes, nw_trace_id(&bench->config.params));

		memcpy(read->bytes, trace, trace_bytes);
		if (!nw_trace_check(read)) {
			nw_trace_free(read);
			read = NULL;
		}
		nw_line_load(&bench->line, read);
	}
	nw_line_configure(&bench->line, &bench->config, now, 42);
}

void nwt_restart(struct bench *bench)
{
	nw_line_restart(&bench->line, 42);
}

uint64_t nwt_next(struct bench *bench)
{
	return nw_line_next(&bench->line);
}

const struct nw_stats *nwt_stats(const struct bench *bench)
{
	return &bench->line.stats;
}

uint64_t nwt_memory(const struct bench *bench)
{
	return bench->pool.used;
}

/* 0, or 1 when there was no memory for it. */
int nwt_feed(struct bench *bench, const void *data, uint32_t len, const void *vnet, uint64_t now)
{
	struct nw_packet *packet = nw_packet_new(&bench->pool, len);

	if (!packet)
		return 1;
	packet->len = len;
	memset(&packet->vnet, 0, sizeof(packet->vnet));
	if (vnet)
		memcpy(&packet->vnet, vnet, sizeof(packet->vnet));
	memcpy(packet->data, data, len);
	nw_segment_parse(packet);
	nw_line_arrive(&bench->line, packet, now);
	return 0;
}

/* The next frame that is due, its length, 0 when there is none; out has room for NW_FRAME_MAX. */
uint32_t nwt_take(struct bench *bench, uint64_t now, void *out, void *vnet, uint64_t *due)
{
	struct nw_entry entry;
	uint32_t len = 0;

	if (!nw_line_pop(&bench->line, now, &entry))
		return 0;
	nw_frame_build(&bench->frame, &entry);
	for (int i = 1; i < bench->frame.parts; i++) {
		memcpy((char *)out + len, bench->frame.iov[i].iov_base, bench->frame.iov[i].iov_len);
		len += (uint32_t)bench->frame.iov[i].iov_len;
	}
	memcpy(vnet, &bench->frame.vnet, sizeof(bench->frame.vnet));
	*due = entry.due;
	nw_line_sent(&bench->line, &entry, now);
	nw_packet_unref(entry.packet);
	return len;
}

struct record {
	uint64_t number;
	uint64_t time;
	uint32_t flip; /* 1 + bit */
	uint32_t mark;
};

static uint64_t deliver(struct bench *bench, uint64_t until, struct record *records, uint64_t room, uint64_t got)
{
	struct nw_entry entry;
	uint64_t t;

	while ((t = nw_line_next(&bench->line)) <= until && t != NW_NEVER) {
		if (!nw_line_pop(&bench->line, t, &entry))
			continue;
		if (got < room) {
			memcpy(&records[got].number, entry.packet->data + 34, 8);
			records[got].time = t;
			records[got].flip = entry.flip;
			records[got].mark = entry.flags & NW_ENTRY_MARK;
		}
		got++;
		nw_line_sent(&bench->line, &entry, t);
		nw_packet_unref(entry.packet);
	}
	return got;
}

/* Packets of sizes[i] at arrivals[i], numbered from first; returns how many came out, until the end of time if drain. */
uint64_t nwt_run(struct bench *bench, uint64_t first, uint64_t count, const uint64_t *arrivals, const uint32_t *sizes,
		 uint8_t tos, struct record *records, uint64_t room, int drain)
{
	uint64_t got = 0;

	for (uint64_t i = 0; i < count; i++) {
		uint8_t data[9000] = {0};
		uint64_t number = first + i;

		if (arrivals[i])
			got = deliver(bench, arrivals[i] - 1, records, room, got);
		nw_put16(data + 12, 0x0800);
		memcpy(data + 34, &number, 8);
		if (tos) { /* IPv4, as far as anybody looks */
			data[14] = 0x45;
			data[15] = tos;
		}
		nwt_feed(bench, data, sizes[i], NULL, arrivals[i]);
		got = deliver(bench, arrivals[i], records, room, got);
	}
	return drain ? deliver(bench, NW_NEVER - 1, records, room, got) : got;
}

/* One draw of a stream, for comparison with a model in Python. */
void nwt_draws(uint64_t seed, uint64_t stream, uint32_t rho, uint32_t *out, uint32_t count)
{
	struct nw_rng rng;

	nw_rng_seed(&rng, seed, stream);
	for (uint32_t i = 0; i < count; i++)
		out[i] = nw_rng_correlated(&rng, rho);
}

/* Pushes entries due at times[i], pops all; order of their numbers. */
int nwt_sort(const uint64_t *times, uint32_t count, uint32_t *order)
{
	struct nw_pool pool;
	struct nw_queue queue;
	int ok = 1;

	nw_pool_init(&pool, 0);
	nw_queue_init(&queue, &pool);
	for (uint32_t i = 0; i < count; i++) {
		struct nw_entry entry = {.due = times[i], .flip = i, .packet = nw_packet_new(&pool, 1)};

		ok &= nw_queue_push(&queue, &entry);
	}
	for (uint32_t i = 0; nw_queue_peek(&queue); i++) {
		struct nw_entry entry = nw_queue_pop(&queue);

		order[i] = entry.flip;
		nw_packet_unref(entry.packet);
	}
	nw_queue_close(&queue);
	nw_pool_close(&pool);
	return ok && !pool.used;
}

uint16_t nwt_csum(const uint8_t *data, uint32_t len)
{
	return nw_csum(data, len);
}

uint32_t nwt_crc32(const uint8_t *data, uint32_t len)
{
	return nw_crc32(0, data, len);
}
