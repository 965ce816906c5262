/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What nw_enter and nw_exit count, as user space reads it: netweather/kernel/tracing/trace_layout.py has the same. */
#ifndef NW_SYSCALLS_H
#define NW_SYSCALLS_H

#include "../tracing.h"

#define NW_CALLS 15	/* the calls there are */
#define NW_NUMBERS 512	/* the kernel's numbers of calls are smaller */

struct nw_calls {
	__u64 calls, errors, bytes, ns;
	__u64 times[NW_HISTOGRAM];
};

struct nw_process {
	__u64 calls, errors, bytes, ns;
};

struct nw_process_key {
	__u32 space, call, pid;
};

struct nw_errno_key {
	__u32 space, call, number;
};

/* A call that a thread is in. since is 0 when it is in none that counts, owner when the slot is nobody's. */
struct nw_started {
	__u64 since;
	__u64 owner;	/* the thread, of a slot */
	__u64 vector;	/* what sendmmsg and recvmmsg were given: each message's length stands there afterwards */
	__u32 space, call;
};

#endif
