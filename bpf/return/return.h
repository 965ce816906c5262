/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef NW_RETURN_H
#define NW_RETURN_H

/* Where a line's packets were going. */
struct nw_destination {
	__u32 ifindex; /* 0: the line is gone, and so are its packets, as those of a device that has left are */
	__u32 ingress; /* 1: they were coming in there, 0: going out */
};

#endif
