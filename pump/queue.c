#include "queue.h"

#include <string.h>

#define SMALLEST 512u /* entries; 20 KiB */

static bool earlier(const struct nw_entry *a, const struct nw_entry *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* A new array; the caller moves the entries over. */
static struct nw_entry *grown(struct nw_pool *pool, uint32_t capacity)
{
	return capacity > NW_QUEUE_MAX ? NULL : nw_map(pool, capacity * sizeof(struct nw_entry));
}

static void discard(struct nw_pool *pool, struct nw_entry *entries, uint32_t capacity)
{
	nw_unmap(pool, entries, capacity * sizeof(struct nw_entry));
}

static bool ring_grow(struct nw_ring *ring, struct nw_pool *pool)
{
	uint32_t capacity = ring->capacity ? ring->capacity * 2 : SMALLEST;
	struct nw_entry *entries = grown(pool, capacity);
	uint32_t upper = ring->capacity - ring->head;

	if (!entries)
		return false;
	if (ring->used < upper)
		upper = ring->used;
	if (ring->used) {
		memcpy(entries, ring->entries + ring->head, upper * sizeof(*entries));
		memcpy(entries + upper, ring->entries, (ring->used - upper) * sizeof(*entries));
	}
	discard(pool, ring->entries, ring->capacity);
	*ring = (struct nw_ring){.entries = entries, .capacity = capacity, .used = ring->used};
	return true;
}

bool nw_ring_push(struct nw_ring *ring, struct nw_pool *pool, const struct nw_entry *entry)
{
	if (ring->used == ring->capacity && !ring_grow(ring, pool))
		return false;
	ring->entries[(ring->head + ring->used++) & (ring->capacity - 1)] = *entry;
	return true;
}

struct nw_entry *nw_ring_peek(struct nw_ring *ring)
{
	return ring->used ? &ring->entries[ring->head] : NULL;
}

struct nw_entry *nw_ring_last(struct nw_ring *ring)
{
	return ring->used ? &ring->entries[(ring->head + ring->used - 1) & (ring->capacity - 1)] : NULL;
}

void nw_ring_drop(struct nw_ring *ring, struct nw_pool *pool)
{
	ring->head = (ring->head + 1) & (ring->capacity - 1);
	if (--ring->used == 0 && ring->capacity > 16 * SMALLEST)
		nw_ring_close(ring, pool);
}

void nw_ring_close(struct nw_ring *ring, struct nw_pool *pool)
{
	while (ring->used) {
		nw_packet_unref(ring->entries[ring->head].packet);
		ring->head = (ring->head + 1) & (ring->capacity - 1);
		ring->used--;
	}
	discard(pool, ring->entries, ring->capacity);
	*ring = (struct nw_ring){0};
}

static bool heap_grow(struct nw_heap *heap, struct nw_pool *pool)
{
	uint32_t capacity = heap->capacity ? heap->capacity * 2 : SMALLEST;
	struct nw_entry *entries = grown(pool, capacity);

	if (!entries)
		return false;
	if (heap->used)
		memcpy(entries, heap->entries, heap->used * sizeof(*entries));
	discard(pool, heap->entries, heap->capacity);
	heap->entries = entries;
	heap->capacity = capacity;
	return true;
}

static bool heap_push(struct nw_heap *heap, struct nw_pool *pool, const struct nw_entry *entry)
{
	uint32_t i = heap->used;

	if (heap->used == heap->capacity && !heap_grow(heap, pool))
		return false;
	heap->used++;
	while (i) {
		uint32_t parent = (i - 1) / 2;

		if (!earlier(entry, &heap->entries[parent]))
			break;
		heap->entries[i] = heap->entries[parent];
		i = parent;
	}
	heap->entries[i] = *entry;
	return true;
}

/* Puts an entry in place i, or below it. */
static void heap_sink(struct nw_heap *heap, uint32_t i, const struct nw_entry *entry)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= heap->used)
			break;
		if (child + 1 < heap->used && earlier(&heap->entries[child + 1], &heap->entries[child]))
			child++;
		if (!earlier(&heap->entries[child], entry))
			break;
		heap->entries[i] = heap->entries[child];
		i = child;
	}
	heap->entries[i] = *entry;
}

static void heap_drop(struct nw_heap *heap, struct nw_pool *pool)
{
	heap->used--;
	heap_sink(heap, 0, &heap->entries[heap->used]);
	if (heap->used == 0 && heap->capacity > 16 * SMALLEST) {
		discard(pool, heap->entries, heap->capacity);
		*heap = (struct nw_heap){0};
	}
}

void nw_queue_init(struct nw_queue *queue, struct nw_pool *pool)
{
	*queue = (struct nw_queue){.pool = pool};
}

void nw_queue_close(struct nw_queue *queue)
{
	nw_ring_close(&queue->ring, queue->pool);
	for (uint32_t i = 0; i < queue->heap.used; i++)
		nw_packet_unref(queue->heap.entries[i].packet);
	discard(queue->pool, queue->heap.entries, queue->heap.capacity);
	queue->heap = (struct nw_heap){0};
}

bool nw_queue_push(struct nw_queue *queue, struct nw_entry *entry)
{
	const struct nw_entry *last = nw_ring_last(&queue->ring);

	entry->order = queue->orders++;
	if (!last || last->due <= entry->due)
		return nw_ring_push(&queue->ring, queue->pool, entry);
	return heap_push(&queue->heap, queue->pool, entry);
}

static bool heap_is_first(struct nw_queue *queue)
{
	const struct nw_entry *head = nw_ring_peek(&queue->ring);

	if (!queue->heap.used)
		return false;
	return !head || earlier(&queue->heap.entries[0], head);
}

void nw_queue_as_accepted(struct nw_queue *queue)
{
	struct nw_ring *ring = &queue->ring;
	struct nw_heap *heap = &queue->heap;

	for (uint32_t i = 0; i < ring->used; i++)
		ring->entries[(ring->head + i) & (ring->capacity - 1)].due = 0;
	for (uint32_t i = 0; i < heap->used; i++)
		heap->entries[i].due = 0;
	for (uint32_t i = heap->used / 2; i > 0; i--) {
		struct nw_entry entry = heap->entries[i - 1];

		heap_sink(heap, i - 1, &entry);
	}
}

const struct nw_entry *nw_queue_peek(struct nw_queue *queue)
{
	return heap_is_first(queue) ? &queue->heap.entries[0] : nw_ring_peek(&queue->ring);
}

struct nw_entry nw_queue_pop(struct nw_queue *queue)
{
	struct nw_entry entry;

	if (heap_is_first(queue)) {
		entry = queue->heap.entries[0];
		heap_drop(&queue->heap, queue->pool);
	} else {
		entry = *nw_ring_peek(&queue->ring);
		nw_ring_drop(&queue->ring, queue->pool);
	}
	return entry;
}
