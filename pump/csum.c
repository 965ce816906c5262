#include "csum.h"

#include <string.h>

uint16_t nw_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

void nw_put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

uint32_t nw_get32(const uint8_t *p)
{
	return (uint32_t)nw_get16(p) << 16 | nw_get16(p + 2);
}

void nw_put32(uint8_t *p, uint32_t value)
{
	nw_put16(p, (uint16_t)(value >> 16));
	nw_put16(p + 2, (uint16_t)value);
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t nw_csum(const uint8_t *data, size_t len)
{
	uint64_t sum = 0;
	uint32_t word;

	for (; len >= 4; len -= 4, data += 4) {
		memcpy(&word, data, 4);
		sum += word;
	}
	if (len) {
		word = 0;
		memcpy(&word, data, len);
		sum += word;
	}
	/* Summed in the machine's (little) order: the result is the sum with its bytes swapped. */
	return __builtin_bswap16(fold(sum));
}

void nw_csum_replace(uint8_t *field, uint16_t before, uint16_t after)
{
	uint64_t sum = (uint16_t)~nw_get16(field);

	sum += (uint16_t)~before;
	sum += after;
	nw_put16(field, (uint16_t)~fold(sum));
}

void nw_csum_shift(uint8_t *field, uint32_t before, uint32_t after)
{
	uint64_t sum = nw_get16(field);

	sum += (uint16_t)~fold(before);
	sum += fold(after);
	nw_put16(field, fold(sum));
}

uint32_t nw_crc32(uint32_t crc, const void *data, size_t len)
{
	static uint32_t table[256];
	const uint8_t *p = data;

	if (!table[1]) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
			table[i] = c;
		}
	}
	crc = ~crc;
	while (len--)
		crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return ~crc;
}
