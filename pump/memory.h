/* Memory straight from the kernel, under one bound: no library's allocator, whose system calls the sandbox could not know.
 *
 * Objects of size classes come from chunks; chunks that are empty go back. With NW_SANITIZE every object is malloc's, so that a
 * sanitizer sees each of them.
 */
#ifndef NW_MEMORY_H
#define NW_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NW_CLASSES 9u
#define NW_POOL_DEFAULT (512ull << 20)

struct nw_chunk;

struct nw_pool {
	uint64_t limit;
	uint64_t used; /* bytes mapped: a chunk counts as long as one object in it lives */
	uint64_t peak;
	struct nw_chunk *partial[NW_CLASSES]; /* chunks with room, doubly linked */
};

void nw_pool_init(struct nw_pool *pool, uint64_t limit);
void nw_pool_close(struct nw_pool *pool); /* when every object is freed */

/* Zeroed whole pages; NULL over the bound. */
void *nw_map(struct nw_pool *pool, size_t bytes);
void nw_unmap(struct nw_pool *pool, void *memory, size_t bytes);

uint32_t nw_class_for(size_t bytes);      /* NW_CLASSES: larger than any */
size_t nw_class_size(uint32_t size_class);
void *nw_take(struct nw_pool *pool, uint32_t size_class, size_t bytes); /* of them bytes are used */
void nw_give(struct nw_pool *pool, uint32_t size_class, void *object);

#endif
