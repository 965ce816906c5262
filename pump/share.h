/* The mapped file: consistent copies of what Python wrote, and statistics for it to read. */
#ifndef NW_SHARE_H
#define NW_SHARE_H

#include "line.h"

enum nw_read { NW_READ_SAME, NW_READ_NEW, NW_READ_TORN };

struct nw_file *nw_share_map(int fd); /* NULL with errno: too small, wrong magic or version */

/* NEW: config is a consistent copy of a generation other than seen. The writer may be anywhere meanwhile. */
enum nw_read nw_share_read(const struct nw_block *block, struct nw_config *config, uint64_t seen);
void nw_share_publish(struct nw_block *block, const struct nw_stats *stats);

uint64_t nw_share_get(const uint64_t *word);
void nw_share_put(uint64_t *word, uint64_t value);

#endif
