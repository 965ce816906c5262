#include "share.h"

#include "csum.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct nw_file *nw_share_map(int fd)
{
	struct nw_file *file;
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	if (st.st_size < (off_t)sizeof(*file)) {
		errno = EINVAL;
		return NULL;
	}
	file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		return NULL;
	if (file->header.magic != NW_PARAMS_MAGIC || file->header.version != NW_PARAMS_VERSION ||
	    file->header.header_size != sizeof(struct nw_header) || file->header.block_size != sizeof(struct nw_block) ||
	    file->header.lines != NW_LINES) {
		munmap(file, sizeof(*file));
		errno = EPROTO;
		return NULL;
	}
	return file;
}

uint64_t nw_share_get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void nw_share_put(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Word by word: the other process may write at the same time, and the seqlock tells afterwards. */
static void copy_words(void *to, const void *from, size_t bytes)
{
	uint64_t *target = to;
	const uint64_t *source = from;

	for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
		target[i] = __atomic_load_n(&source[i], __ATOMIC_RELAXED);
}

static bool intact(const struct nw_config *config)
{
	const struct nw_params *params = &config->params;
	const uint8_t *covered = (const uint8_t *)&params->flags;

	if (nw_crc32(0, covered, sizeof(*params) - offsetof(struct nw_params, flags)) != params->crc)
		return false;
	if ((params->flags & NW_DELAY_TABLE) &&
	    nw_crc32(0, config->delay_table, sizeof(config->delay_table)) != params->delay_table_crc)
		return false;
	if ((params->flags & NW_SLOT_TABLE) &&
	    nw_crc32(0, config->slot_table, sizeof(config->slot_table)) != params->slot_table_crc)
		return false;
	return params->loss_model != NW_LOSS_LIST || params->list_count > NW_LIST ||
	       nw_crc32(0, config->list, params->list_count * sizeof(uint32_t)) == params->list_crc;
}

enum nw_read nw_share_read(const struct nw_block *block, struct nw_config *config, uint64_t seen)
{
	uint64_t generation = nw_share_get(&block->params.generation);

	if (generation == seen || generation & 1)
		return NW_READ_SAME;
	copy_words(&config->params, &block->params, sizeof(block->params));
	if (config->params.flags & NW_DELAY_TABLE)
		copy_words(config->delay_table, block->delay_table, sizeof(block->delay_table));
	if (config->params.flags & NW_SLOT_TABLE)
		copy_words(config->slot_table, block->slot_table, sizeof(block->slot_table));
	if (config->params.loss_model == NW_LOSS_LIST)
		copy_words(config->list, block->list, sizeof(block->list));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (nw_share_get(&block->params.generation) != generation)
		return NW_READ_SAME;
	/* The writer has no memory barriers on every machine: the checksum stands in for them. */
	config->params.generation = generation;
	return intact(config) ? NW_READ_NEW : NW_READ_TORN;
}

void nw_share_publish(struct nw_block *block, const struct nw_stats *stats)
{
	uint64_t *target = (uint64_t *)&block->stats;
	const uint64_t *source = (const uint64_t *)stats;
	uint64_t generation = target[0];
	size_t words = offsetof(struct nw_stats, reserved) / sizeof(uint64_t);

	nw_share_put(&target[0], generation | 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 1; i < words; i++)
		__atomic_store_n(&target[i], source[i], __ATOMIC_RELAXED);
	nw_share_put(&target[0], (generation | 1) + 1);
}
