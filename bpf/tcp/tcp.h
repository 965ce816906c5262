/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the programs on TCP's tracepoints count, as user space reads it: netweather/kernel/tracing/trace_layout.py has the same. */
#ifndef NW_TCP_H
#define NW_TCP_H

#include "../tracing.h"

struct nw_tcp {
	__u64 attempted, opened, accepted, closed, refused, timed_out, failed;
	__u64 resets_received, resets_sent, retransmits, drops, connect_ns;
	__u64 connect_times[NW_HISTOGRAM];
};

struct nw_drop_key {
	__u32 space, reason;
};

/* A socket that connects. */
struct nw_connecting {
	__u64 since;
};

#endif
