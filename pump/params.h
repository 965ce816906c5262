/* The file a pump shares with Python: parameters in, statistics out.
 *
 * src/netweather/lines/params.py writes the same layout; tests/unit/lines compare the two by offsetof.
 * Times are nanoseconds. Probabilities are fixed point, NW_ONE = 1.0. Correlations are netem's: 0 .. 2^32-1.
 * Every value may be anything: nw_params_clamp makes it harmless. Little-endian machines only.
 */
#ifndef NW_PARAMS_H
#define NW_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#define NW_PARAMS_MAGIC 0x4d50574eu /* "NWPM" */
#define NW_PARAMS_VERSION 1u
#define NW_LINES 240u
#define NW_TABLE 4096u
#define NW_LIST 1024u
#define NW_ONE (1ull << 32)
#define NW_DELAY_MAX 86400000000000ll /* a day */
#define NW_RATE_MAX 10000000000000ull /* 10 Tbit/s */

enum nw_flag {
	NW_SEEDED = 1u << 0,      /* use seed; without it the streams start at random */
	NW_KEEP_ORDER = 1u << 1,  /* jitter may not reorder */
	NW_DELAY_TABLE = 1u << 2, /* jitter from delay_table; without it uniform */
	NW_SLOT_TABLE = 1u << 3,  /* slots from slot_table: slot_delay_ns, slot_jitter_ns */
	NW_LOSS_ECN = 1u << 4,    /* a loss marks packets that can be marked, as netem's ecn */
};

enum nw_loss_model {
	NW_LOSS_NONE,
	NW_LOSS_RANDOM, /* loss_p, loss_rho */
	NW_LOSS_GILBERT_ELLIOTT, /* loss_a: p, r, loss in bad, loss in good */
	NW_LOSS_STATE, /* loss_a: p13, p31, p32, p23, p14 */
	NW_LOSS_BURST, /* loss_p starts a burst of burst_min .. burst_max packets */
	NW_LOSS_NTH,   /* packets nth_offset, nth_offset + nth_period, … (counted from 1) */
	NW_LOSS_LIST,  /* packets whose number (from 1) is in list, again after list_period if not 0 */
	NW_LOSS_MODELS
};

enum nw_policy {
	NW_DROPTAIL,
	NW_CODEL,     /* drops */
	NW_CODEL_ECN, /* marks what can be marked */
	NW_POLICIES
};

struct nw_params {
	uint64_t generation; /* seqlock: odd while Python writes */
	uint32_t crc;        /* zlib.crc32 of everything from here to the end of this struct */
	uint32_t flags;
	uint64_t seed;
	int64_t delay_ns;
	int64_t jitter_ns;
	uint32_t delay_rho;
	uint32_t loss_model;
	uint64_t loss_p;
	uint64_t loss_a[5];
	uint32_t loss_rho;
	uint32_t burst_min;
	uint32_t burst_max;
	uint32_t nth_period;
	uint32_t nth_offset;
	uint32_t list_count;
	uint64_t list_period;
	uint64_t duplicate_p;
	uint64_t corrupt_p;
	uint64_t reorder_p;
	uint32_t duplicate_rho;
	uint32_t corrupt_rho;
	uint32_t reorder_rho;
	uint32_t gap;
	uint64_t rate_bps; /* bits a second; 0 = no limit */
	int32_t overhead;  /* bytes a packet */
	uint32_t cell_size;
	int32_t cell_overhead;
	uint32_t policy;
	uint64_t limit_packets; /* wire packets in the line; 0 = only the memory bounds it */
	uint64_t limit_bytes;
	uint64_t codel_target_ns;
	uint64_t codel_interval_ns;
	int64_t slot_min_ns; /* slots are on when any of the four is not 0 */
	int64_t slot_max_ns;
	int64_t slot_delay_ns;
	int64_t slot_jitter_ns;
	uint64_t slot_packets; /* 0 = any number */
	uint64_t slot_bytes;
	uint32_t trace_bytes; /* of the line's trace, at NW_TRACE_AREA + line × NW_TRACE_ROOM in the file; 0 = none */
	uint32_t trace_crc;   /* zlib.crc32 of it */
	uint64_t trace_start_ns; /* CLOCK_MONOTONIC of the trace's time 0; 0 = when the parameters arrive */
	uint32_t mtu;            /* larger IP packets vanish; 0 = no limit */
	uint32_t delay_table_crc; /* zlib.crc32 of the table, checked when a flag or count says that it is used */
	uint32_t slot_table_crc;
	uint32_t list_crc; /* of the first list_count entries */
	uint8_t reserved[2048 - 304];
};

enum nw_state { NW_ABSENT, NW_ACTIVE, NW_DRAINING, NW_DRAINED, NW_FAILED };

enum nw_config_error {
	NW_CONFIG_OK,
	NW_CONFIG_CLAMPED,  /* a value was out of range and was replaced */
	NW_CONFIG_TORN,     /* generation even, but crc wrong: the old parameters stay */
	NW_CONFIG_NO_TRACE, /* what is in the file is no trace: it is ignored */
};

#define NW_HISTOGRAM 24u

struct nw_stats {
	uint64_t generation; /* seqlock: odd while the pump writes */
	uint32_t state;
	uint32_t config_error;
	uint64_t applied_generation;
	uint64_t seed_used;
	uint64_t rx_frames; /* frames are reads and writes, packets are what the wire would carry */
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_frames;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t lost; /* asked for: by loss model, trace, … */
	uint64_t lost_trace;
	uint64_t dropped_limit;
	uint64_t dropped_codel;
	uint64_t dropped_mtu;
	uint64_t marked;
	uint64_t duplicated;
	uint64_t corrupted;
	uint64_t reordered;
	uint64_t unwanted_write; /* not asked for: our own faults */
	uint64_t unwanted_memory;
	uint64_t unwanted_closed; /* still queued when the fd died */
	uint64_t malformed;       /* frames too short or too long to be one */
	uint64_t queued_packets;
	uint64_t queued_bytes;
	uint64_t peak_packets;
	uint64_t peak_bytes;
	uint64_t held_ns_sum; /* over tx_packets: from read to write */
	uint64_t late_ns_sum; /* over tx_packets: from departure time to write */
	uint64_t late_ns_max;
	uint64_t gso_in;
	uint64_t gso_out;
	uint64_t gso_opaque; /* super-packets that could not be taken apart: decided as one packet */
	uint64_t changes;    /* parameter changes applied */
	uint64_t errno_last;
	uint64_t late_us_log2[NW_HISTOGRAM]; /* [0] under 1 us, [i] under 2^i us */
	uint64_t decided; /* packets since the loss model began: the number of the latest in a list */
	uint64_t dropped_ended; /* held when the line was removed, and dropped as asked */
	uint8_t reserved[2048 - 488];
};

struct nw_block {
	struct nw_params params;
	struct nw_stats stats;
	int16_t delay_table[NW_TABLE]; /* sigma × entry / 8192, as netem's */
	int16_t slot_table[NW_TABLE];
	uint32_t list[NW_LIST]; /* ascending */
};

struct nw_header {
	uint32_t magic;
	uint32_t version;
	uint32_t header_size;
	uint32_t block_size;
	uint32_t lines;
	uint32_t reserved0;
	uint64_t deadline_boot_ns; /* CLOCK_BOOTTIME; when past: drain, exit 0. 0 = never */
	uint64_t drain_ns;         /* bound on draining at deadline and SIGTERM; 0 = 1 s, at most 60 s */
	uint64_t memory_limit;     /* bytes of packets and queue entries, all lines; 0 = 512 MiB */
	uint64_t boot_offset_ns;   /* what the pump's time namespace adds to CLOCK_BOOTTIME; modulo 2^64; boot times here are the host's */
	uint8_t reserved1[2048 - 56];
	uint64_t pump_pid; /* from here on the pump writes */
	uint64_t pump_state; /* 1 running, 2 draining, 3 gone */
	uint64_t started_boot_ns;
	uint64_t memory_used;
	uint64_t memory_peak;
	uint64_t turns;
	uint8_t reserved2[2048 - 48];
};

struct nw_file {
	struct nw_header header;
	struct nw_block blocks[NW_LINES];
};

_Static_assert(sizeof(struct nw_params) == 2048, "layout");
_Static_assert(sizeof(struct nw_stats) == 2048, "layout");
_Static_assert(sizeof(struct nw_header) == 4096, "layout");
_Static_assert(sizeof(struct nw_block) == 24576, "layout");

/* A trace: this header, then count rows. It repeats every period_ns. Only pread, never mapped: the file may end before it. */
#define NW_TRACE_AREA sizeof(struct nw_file)
#define NW_TRACE_ROOM (4u << 20)
#define NW_TRACE_MAGIC 0x5254574eu /* "NWTR" */

enum nw_trace_kind {
	NW_TRACE_NONE,
	NW_TRACE_OPPORTUNITIES, /* rows: uint64_t ns, each lets 1500 bytes through (mahimahi) */
	NW_TRACE_TABLE,         /* rows: struct nw_trace_row, each holds until the next */
	NW_TRACE_KINDS
};

struct nw_trace_header {
	uint32_t magic;
	uint32_t kind;
	uint64_t count;
	uint64_t period_ns; /* at least the last row's time, and over 0 */
};

enum nw_trace_has { NW_HAS_DELAY = 1, NW_HAS_LOSS = 2, NW_HAS_RATE = 4 };

struct nw_trace_row {
	uint64_t time_ns;
	int64_t delay_ns;
	uint64_t rate_bps; /* 0 = nothing passes until the next row */
	uint64_t loss_p;
	uint32_t has; /* what this row sets; the rest is the line's own */
	uint32_t reserved;
};

/* Makes any parameters harmless; false when it had to change something. */
bool nw_params_clamp(struct nw_params *params);

#endif
