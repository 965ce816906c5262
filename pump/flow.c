/* The way of a packet through a line: admitted, sent over the link, delayed, let out. */
#include "line.h"

#define FAR (1ull << 53) /* 104 days: what the link could not send before is as good as never */

/* Counting ------------------------------------------------------------------------------------------------------ */

static void take_in(struct nw_line *line, uint64_t packets, uint64_t bytes)
{
	struct nw_stats *stats = &line->stats;

	stats->queued_packets += packets;
	stats->queued_bytes += bytes;
	if (stats->queued_packets > stats->peak_packets)
		stats->peak_packets = stats->queued_packets;
	if (stats->queued_bytes > stats->peak_bytes)
		stats->peak_bytes = stats->queued_bytes;
}

static void let_go(struct nw_line *line, const struct nw_entry *entry)
{
	line->stats.queued_packets -= entry->count;
	line->stats.queued_bytes -= nw_run_len(entry->packet, entry->first, entry->count);
}

/* How many of the packet's segments, from the first, the limits have room for. */
static uint32_t room_for(const struct nw_line *line, const struct nw_packet *packet, uint32_t first, uint32_t count)
{
	const struct nw_params *params = &line->config.params;
	const struct nw_stats *stats = &line->stats;
	uint64_t packets = params->limit_packets > stats->queued_packets ? params->limit_packets - stats->queued_packets : 0;
	uint64_t bytes = params->limit_bytes > stats->queued_bytes ? params->limit_bytes - stats->queued_bytes : 0;

	if (packets < count)
		count = (uint32_t)packets;
	if (count && nw_run_len(packet, first, count) > bytes)
		count = (uint32_t)(bytes / nw_segment_len(packet, first));
	return count;
}

/* Departures ---------------------------------------------------------------------------------------------------- */

static void flush_run(struct nw_line *line)
{
	if (!line->run.count)
		return;
	if (!nw_queue_push(&line->queue, &line->run)) {
		let_go(line, &line->run);
		line->stats.unwanted_memory += line->run.count;
		nw_packet_unref(line->run.packet);
	}
	line->run.count = 0;
}

static bool continues(const struct nw_entry *run, const struct nw_entry *entry)
{
	if (run->packet != entry->packet || run->first + run->count != entry->first)
		return false;
	return !run->flip && !entry->flip && !run->flags && !entry->flags;
}

/* Two that leave together, whatever the parameters become. */
static bool same_times(const struct nw_entry *run, const struct nw_entry *entry)
{
	return run->due == entry->due && run->done == entry->done && run->drawn == entry->drawn && run->draw == entry->draw;
}

/* Takes over the entry's reference. */
static void depart(struct nw_line *line, struct nw_entry *entry, uint64_t earliest)
{
	struct nw_entry *run = &line->run;
	uint64_t due = entry->done + nw_delay(line, entry);

	if (due < earliest)
		due = earliest;
	if (due < line->floor)
		due = line->floor;
	if ((line->config.params.flags & NW_KEEP_ORDER) && !(entry->flags & NW_ENTRY_SKIP) && due < line->last_due)
		due = line->last_due;
	if (due > line->last_due)
		line->last_due = due;
	if (entry->ordered)
		line->floor = due;
	entry->due = due;
	if (run->count && same_times(run, entry) && continues(run, entry) && !line->slot.limited) {
		run->count = (uint16_t)(run->count + entry->count);
		nw_packet_unref(entry->packet);
		return;
	}
	flush_run(line);
	*run = *entry;
}

static void forget(struct nw_line *line, const struct nw_entry *entry, uint64_t *counter)
{
	*counter += entry->count;
	let_go(line, entry);
	nw_packet_unref(entry->packet);
}

/* left, total: how much of it the link still has to send. */
static void send_rest(struct nw_line *line, struct nw_entry *entry, uint64_t start, uint64_t now, uint64_t left, uint64_t total)
{
	struct nw_link_rule rule = nw_line_rule(line);
	uint64_t bytes = nw_link_bytes(rule.params, nw_run_len(entry->packet, entry->first, entry->count));

	if (start > now && start - now > FAR) {
		forget(line, entry, &line->stats.dropped_limit);
		return;
	}
	entry->done = start;
	if (nw_link_limits(&rule)) {
		bytes = (uint64_t)(((unsigned __int128)bytes * left + total - 1) / total);
		entry->done = nw_link_send(&line->link, &rule, start, bytes);
	}
	if (entry->done == NW_NEVER)
		forget(line, entry, &line->stats.lost_trace);
	else
		depart(line, entry, now);
}

static void cross_link(struct nw_line *line, struct nw_entry *entry, uint64_t start, uint64_t now)
{
	send_rest(line, entry, start, now, 1, 1);
}

static bool waits_for_link(const struct nw_line *line)
{
	struct nw_link_rule rule = nw_line_rule(line);

	return nw_link_limits(&rule) && rule.params->policy != NW_DROPTAIL;
}

static struct nw_entry take_waiting(struct nw_line *line)
{
	struct nw_entry entry = *nw_ring_peek(&line->wait);

	nw_ring_drop(&line->wait, line->pool);
	line->wait_bytes -= nw_run_len(entry.packet, entry.first, entry.count);
	return entry;
}

static void wait_for_link(struct nw_line *line, const struct nw_entry *entry)
{
	if (nw_ring_push(&line->wait, line->pool, entry))
		line->wait_bytes += nw_run_len(entry->packet, entry->first, entry->count);
	else
		forget(line, entry, &line->stats.unwanted_memory);
}

static void leave_wait(struct nw_line *line, uint64_t start)
{
	const struct nw_params *params = &line->config.params;
	struct nw_entry entry = take_waiting(line);
	uint64_t sojourn = start - entry.packet->arrived_ns;

	if (nw_codel_decide(&line->codel, start, sojourn, line->wait_bytes, params->codel_target_ns,
			    params->codel_interval_ns)) {
		if (params->policy != NW_CODEL_ECN || !entry.packet->meta.capable) {
			forget(line, &entry, &line->stats.dropped_codel);
			return;
		}
		entry.flags |= NW_ENTRY_MARK;
		line->stats.marked++;
	}
	cross_link(line, &entry, start, start);
}

void nw_line_advance(struct nw_line *line, uint64_t now)
{
	struct nw_link_rule rule = nw_line_rule(line);
	struct nw_entry *entry;

	while ((entry = nw_ring_peek(&line->wait))) {
		uint64_t start = nw_link_start(&line->link, &rule, entry->packet->arrived_ns);

		if (start > now)
			break;
		leave_wait(line, start);
	}
	flush_run(line);
}

/* Changes ------------------------------------------------------------------------------------------------------- */

static bool readmit(struct nw_line *line, const struct nw_entry *entry)
{
	if (room_for(line, entry->packet, entry->first, entry->count) < entry->count) {
		line->stats.dropped_limit += entry->count;
		nw_packet_unref(entry->packet);
		return false;
	}
	take_in(line, entry->count, nw_run_len(entry->packet, entry->first, entry->count));
	return true;
}

/* begun: when the link could begin with it. */
static void resume(struct nw_line *line, struct nw_entry *entry, bool relink, uint64_t begun, uint64_t now)
{
	struct nw_link_rule rule = nw_line_rule(line);

	if (entry->done <= now) {
		take_in(line, entry->count, nw_run_len(entry->packet, entry->first, entry->count));
		depart(line, entry, now);
	} else if (!readmit(line, entry)) {
		return;
	} else if (!relink) {
		depart(line, entry, now);
	} else if (begun < now) {
		send_rest(line, entry, nw_link_start(&line->link, &rule, now), now, entry->done - now, entry->done - begun);
	} else {
		cross_link(line, entry, nw_link_start(&line->link, &rule, now), now);
	}
}

static void retime_waiting(struct nw_line *line, uint64_t now)
{
	struct nw_link_rule rule = nw_line_rule(line);

	for (uint32_t left = line->wait.used; left; left--) {
		struct nw_entry entry = take_waiting(line);

		if (!readmit(line, &entry))
			continue;
		if (waits_for_link(line))
			wait_for_link(line, &entry);
		else
			cross_link(line, &entry, nw_link_start(&line->link, &rule, now), now);
	}
}

void nw_line_retime(struct nw_line *line, bool relink, uint64_t now)
{
	struct nw_queue held = line->queue;
	uint64_t limit = line->pool->limit;
	uint64_t begun = 0;

	nw_queue_init(&line->queue, line->pool);
	nw_queue_as_accepted(&held);
	line->pool->limit = UINT64_MAX; /* for a moment there are two queues */
	line->floor = line->last_due = 0;
	line->stats.queued_packets = line->stats.queued_bytes = 0;
	if (relink)
		line->link = (struct nw_link){0};
	while (nw_queue_peek(&held)) {
		struct nw_entry entry = nw_queue_pop(&held);
		uint64_t done = entry.done;

		resume(line, &entry, relink, begun > entry.packet->arrived_ns ? begun : entry.packet->arrived_ns, now);
		begun = done;
	}
	nw_queue_close(&held);
	retime_waiting(line, now);
	flush_run(line);
	line->pool->limit = limit;
}

/* Arrivals ------------------------------------------------------------------------------------------------------ */

static void enter(struct nw_line *line, struct nw_entry entry, uint64_t now)
{
	struct nw_link_rule rule = nw_line_rule(line);

	if (!room_for(line, entry.packet, entry.first, entry.count)) {
		line->stats.dropped_limit += entry.count;
		return;
	}
	take_in(line, entry.count, nw_run_len(entry.packet, entry.first, entry.count));
	entry.packet->refs++;
	entry.ordered = line->in_order;
	if (waits_for_link(line))
		wait_for_link(line, &entry);
	else
		cross_link(line, &entry, nw_link_limits(&rule) ? nw_link_start(&line->link, &rule, now) : now, now);
}

static void arrive_segment(struct nw_line *line, struct nw_packet *packet, uint32_t segment, uint64_t now)
{
	struct nw_entry entry = {.packet = packet, .first = (uint16_t)segment, .count = 1};
	struct nw_verdict verdict;

	nw_decide(line, &verdict, packet, segment, now);
	if (verdict.lost)
		return;
	entry.drawn = verdict.drawn;
	entry.draw = verdict.draw;
	entry.flip = verdict.flip;
	entry.flags = (uint8_t)((verdict.mark ? NW_ENTRY_MARK : 0) | (verdict.skip ? NW_ENTRY_SKIP : 0));
	line->stats.marked += verdict.mark;
	line->stats.reordered += verdict.skip;
	line->stats.corrupted += verdict.flip != 0;
	enter(line, entry, now);
	if (!verdict.duplicate)
		return;
	entry.draw = verdict.copy_draw;
	entry.flip = verdict.copy_flip;
	entry.flags &= (uint8_t)~NW_ENTRY_SKIP;
	line->stats.duplicated++;
	line->stats.corrupted += verdict.copy_flip != 0;
	enter(line, entry, now);
}

static void arrive_whole(struct nw_line *line, struct nw_packet *packet, uint64_t now)
{
	struct nw_entry entry = {.packet = packet};
	uint32_t count = room_for(line, packet, 0, packet->meta.segments);

	line->stats.dropped_limit += packet->meta.segments - count;
	entry.count = (uint16_t)count;
	if (count)
		enter(line, entry, now);
}

void nw_line_arrive(struct nw_line *line, struct nw_packet *packet, uint64_t now)
{
	uint32_t segments = packet->meta.segments;

	packet->arrived_ns = now;
	line->stats.rx_packets += segments;
	line->stats.rx_bytes += nw_run_len(packet, 0, segments);
	line->stats.gso_in += segments > 1;
	line->stats.gso_opaque += packet->meta.opaque;
	if (!line->per_packet) {
		arrive_whole(line, packet, now);
	} else {
		for (uint32_t i = 0; i < segments; i++)
			arrive_segment(line, packet, i, now);
	}
	flush_run(line);
	nw_packet_unref(packet);
}

/* Departures, seen from outside --------------------------------------------------------------------------------- */

static void open_slot(struct nw_line *line, uint64_t from)
{
	const struct nw_params *params = &line->config.params;

	line->slot.next_ns = from + nw_slot_draw(line);
	line->slot.packets_left = params->slot_packets ? params->slot_packets : UINT64_MAX;
	line->slot.bytes_left = params->slot_bytes ? params->slot_bytes : UINT64_MAX;
}

static uint64_t head_due(struct nw_line *line)
{
	const struct nw_entry *head = nw_queue_peek(&line->queue);

	if (!head)
		return NW_NEVER;
	if (line->hurry)
		return 0;
	if (!line->slot.on)
		return head->due;
	if (line->slot.next_ns < head->due)
		open_slot(line, head->due);
	return line->slot.next_ns;
}

uint64_t nw_line_next(struct nw_line *line)
{
	struct nw_link_rule rule = nw_line_rule(line);
	const struct nw_entry *waiting = nw_ring_peek(&line->wait);
	uint64_t due = head_due(line);
	uint64_t start = waiting ? nw_link_start(&line->link, &rule, waiting->packet->arrived_ns) : NW_NEVER;

	return start < due ? start : due;
}

static void use_slot(struct nw_line *line, const struct nw_entry *entry)
{
	struct nw_slot *slot = &line->slot;
	uint64_t bytes = nw_run_len(entry->packet, entry->first, entry->count);

	slot->packets_left -= entry->count < slot->packets_left ? entry->count : slot->packets_left;
	slot->bytes_left -= bytes < slot->bytes_left ? bytes : slot->bytes_left;
	if (!slot->packets_left || !slot->bytes_left)
		open_slot(line, slot->next_ns);
}

bool nw_line_pop(struct nw_line *line, uint64_t now, struct nw_entry *entry)
{
	const struct nw_entry *next;

	nw_line_advance(line, now);
	if (head_due(line) > now)
		return false;
	*entry = nw_queue_pop(&line->queue);
	/* What is late by now goes out in one piece, as far as it came in one. */
	while (!line->slot.limited && (next = nw_queue_peek(&line->queue)) && next->due <= now && continues(entry, next)) {
		struct nw_entry more = nw_queue_pop(&line->queue);

		entry->count = (uint16_t)(entry->count + more.count);
		nw_packet_unref(more.packet);
	}
	if (line->slot.limited)
		use_slot(line, entry);
	let_go(line, entry);
	return true;
}

static uint32_t log2_us(uint64_t ns)
{
	uint32_t i = 0;

	for (uint64_t us = ns / 1000; us && i < NW_HISTOGRAM - 1; us >>= 1)
		i++;
	return i;
}

void nw_line_sent(struct nw_line *line, const struct nw_entry *entry, uint64_t now)
{
	struct nw_stats *stats = &line->stats;
	uint64_t late = now > entry->due ? now - entry->due : 0;

	stats->tx_frames++;
	stats->tx_packets += entry->count;
	stats->tx_bytes += nw_run_len(entry->packet, entry->first, entry->count);
	stats->gso_out += entry->count > 1;
	stats->held_ns_sum += entry->count * (now - entry->packet->arrived_ns);
	stats->late_ns_sum += entry->count * late;
	if (late > stats->late_ns_max)
		stats->late_ns_max = late;
	stats->late_us_log2[log2_us(late)] += entry->count;
}

void nw_line_hurry(struct nw_line *line)
{
	struct nw_link_rule rule = nw_line_rule(line);

	while (nw_ring_peek(&line->wait)) {
		struct nw_entry entry = take_waiting(line);
		uint64_t arrived = entry.packet->arrived_ns;

		cross_link(line, &entry, nw_link_start(&line->link, &rule, arrived), arrived);
	}
	flush_run(line);
	line->hurry = true;
	/* Departures that were skipped must not hold up what comes later. */
	line->floor = line->last_due = 0;
	line->link = (struct nw_link){0};
	line->slot.on = false;
	line->slot.limited = false;
}
