/* Internet checksums (RFC 1071, 1624) and zlib's crc32. */
#ifndef NW_CSUM_H
#define NW_CSUM_H

#include <stddef.h>
#include <stdint.h>

uint16_t nw_get16(const uint8_t *p); /* big-endian, any alignment */
void nw_put16(uint8_t *p, uint16_t value);
uint32_t nw_get32(const uint8_t *p);
void nw_put32(uint8_t *p, uint32_t value);

uint16_t nw_csum(const uint8_t *data, size_t len); /* one's complement sum, not inverted */

/* What a checksum field becomes when one 16-bit word under it changes. */
void nw_csum_replace(uint8_t *field, uint16_t before, uint16_t after);

/* The same for a field that holds the (not inverted) pseudo-header sum of a partial checksum. */
void nw_csum_shift(uint8_t *field, uint32_t before, uint32_t after);

uint32_t nw_crc32(uint32_t crc, const void *data, size_t len);

#endif
