/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef NW_STEER_H
#define NW_STEER_H

struct nw_steering {
	__u32 port_ifindex; /* nwh, whose peer is the target's nw0 */
	__u32 entry[NW_LINES]; /* each line's device that packets go into; 0: none */
};

#endif
