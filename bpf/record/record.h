/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What is learnt of a line from the TCP connections over it: netweather/kernel/recordlayout.py has the same. */
#ifndef NW_RECORD_H
#define NW_RECORD_H

#include "../tracing.h"

struct nw_learnt {
	__u64 sent, again, needless;	/* segments with data; of them sent again; and what the peer said it had already */
	__u64 runs;			/* losses one behind the other are one run */
	__u64 connections;
	__u64 first[NW_HISTOGRAM];	/* round trips, in ns, of handshakes: packets alone, answered at once */
	__u64 calm[NW_HISTOGRAM];	/* while the application had no more to send */
	__u64 busy[NW_HISTOGRAM];	/* while the connection itself may have filled a queue */
	__u64 rates[NW_HISTOGRAM];	/* bit/s on the wire, while it did fill one */
};

/* What was known of a connection when it was last looked at. */
struct nw_seen {
	__u32 delivered, sent, needless, lost_end;
	__u32 rate_delivered, rate_interval;
	__u64 stamp, known;
};

#endif
