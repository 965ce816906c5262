#include "memory.h"

#ifdef NW_SANITIZE
#include <stdlib.h>
#endif
#include <sys/mman.h>

#define CHUNK (512u << 10) /* and aligned to it, so that an object finds its chunk */
#define PAGE 4096u

struct nw_object {
	struct nw_object *next;
};

struct nw_chunk {
	struct nw_chunk *next, *previous; /* in the list of those with room */
	struct nw_object *free_list;
	uint32_t fresh; /* offset of what was never handed out */
	uint32_t live;
};

/* With the packet's own head in front, a full Ethernet frame fits the fifth, a largest super-packet the last. */
static const uint32_t sizes[NW_CLASSES] = {192, 320, 576, 1088, 1664, 4096 + 128, 9216 + 128, 32768 + 128, 65536 + 1024};

void nw_pool_init(struct nw_pool *pool, uint64_t limit)
{
	*pool = (struct nw_pool){.limit = limit ? limit : NW_POOL_DEFAULT};
}

static bool charge(struct nw_pool *pool, uint64_t bytes)
{
	if (pool->used > pool->limit || bytes > pool->limit - pool->used)
		return false;
	pool->used += bytes;
	if (pool->used > pool->peak)
		pool->peak = pool->used;
	return true;
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
}

uint32_t nw_class_for(size_t bytes)
{
	uint32_t c = 0;

	while (c < NW_CLASSES && sizes[c] < bytes)
		c++;
	return c;
}

size_t nw_class_size(uint32_t size_class)
{
	return sizes[size_class];
}

#ifdef NW_SANITIZE

void nw_pool_close(struct nw_pool *pool)
{
	(void)pool;
}

void *nw_map(struct nw_pool *pool, size_t bytes)
{
	void *memory = charge(pool, whole_pages(bytes)) ? calloc(1, bytes) : NULL;

	return memory;
}

void nw_unmap(struct nw_pool *pool, void *memory, size_t bytes)
{
	if (memory)
		pool->used -= whole_pages(bytes);
	free(memory);
}

void *nw_take(struct nw_pool *pool, uint32_t size_class, size_t bytes)
{
	return charge(pool, sizes[size_class]) ? malloc(bytes) : NULL;
}

void nw_give(struct nw_pool *pool, uint32_t size_class, void *object)
{
	pool->used -= sizes[size_class];
	free(object);
}

#else

void *nw_map(struct nw_pool *pool, size_t bytes)
{
	void *memory;

	bytes = whole_pages(bytes);
	if (!charge(pool, bytes))
		return NULL;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		pool->used -= bytes;
		return NULL;
	}
	return memory;
}

void nw_unmap(struct nw_pool *pool, void *memory, size_t bytes)
{
	if (!memory)
		return;
	munmap(memory, whole_pages(bytes));
	pool->used -= whole_pages(bytes);
}

static void link_chunk(struct nw_pool *pool, uint32_t c, struct nw_chunk *chunk)
{
	chunk->previous = NULL;
	chunk->next = pool->partial[c];
	if (chunk->next)
		chunk->next->previous = chunk;
	pool->partial[c] = chunk;
}

static void unlink_chunk(struct nw_pool *pool, uint32_t c, struct nw_chunk *chunk)
{
	if (chunk->previous)
		chunk->previous->next = chunk->next;
	else
		pool->partial[c] = chunk->next;
	if (chunk->next)
		chunk->next->previous = chunk->previous;
}

/* Twice the size is mapped, and what sticks out on either side given back. */
static struct nw_chunk *map_chunk(struct nw_pool *pool)
{
	char *memory, *chunk;

	if (!charge(pool, CHUNK))
		return NULL;
	memory = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		pool->used -= CHUNK;
		return NULL;
	}
	chunk = (char *)(((uintptr_t)memory + CHUNK - 1) & ~(uintptr_t)(CHUNK - 1));
	if (chunk > memory)
		munmap(memory, (size_t)(chunk - memory));
	if (memory + CHUNK > chunk)
		munmap(chunk + CHUNK, (size_t)(memory + CHUNK - chunk));
	return (struct nw_chunk *)chunk;
}

static bool has_room(const struct nw_chunk *chunk, uint32_t c)
{
	return chunk->free_list || chunk->fresh + sizes[c] <= CHUNK;
}

void *nw_take(struct nw_pool *pool, uint32_t size_class, size_t bytes)
{
	struct nw_chunk *chunk = pool->partial[size_class];
	struct nw_object *object;

	(void)bytes;
	if (!chunk) {
		chunk = map_chunk(pool);
		if (!chunk)
			return NULL;
		chunk->fresh = 64; /* behind the head, on a cache line of its own */
		link_chunk(pool, size_class, chunk);
	}
	object = chunk->free_list;
	if (object) {
		chunk->free_list = object->next;
	} else {
		object = (struct nw_object *)((char *)chunk + chunk->fresh);
		chunk->fresh += sizes[size_class];
	}
	chunk->live++;
	if (!has_room(chunk, size_class))
		unlink_chunk(pool, size_class, chunk);
	return object;
}

void nw_give(struct nw_pool *pool, uint32_t size_class, void *object)
{
	struct nw_chunk *chunk = (struct nw_chunk *)((uintptr_t)object & ~(uintptr_t)(CHUNK - 1));
	struct nw_object *freed = object;

	if (!has_room(chunk, size_class))
		link_chunk(pool, size_class, chunk);
	freed->next = chunk->free_list;
	chunk->free_list = freed;
	/* The last one with room stays, so that a queue around empty does not map and unmap all the time. */
	if (--chunk->live || (pool->partial[size_class] == chunk && !chunk->next))
		return;
	unlink_chunk(pool, size_class, chunk);
	munmap(chunk, CHUNK);
	pool->used -= CHUNK;
}

void nw_pool_close(struct nw_pool *pool)
{
	for (uint32_t c = 0; c < NW_CLASSES; c++) {
		while (pool->partial[c]) {
			struct nw_chunk *chunk = pool->partial[c];

			unlink_chunk(pool, c, chunk);
			munmap(chunk, CHUNK);
			pool->used -= CHUNK;
		}
	}
}

#endif
