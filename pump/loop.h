/* The loop: file descriptors, clocks and the order of things. One thread, nothing blocks but the wait. */
#ifndef NW_LOOP_H
#define NW_LOOP_H

#include "share.h"

#define NW_CLIENTS 16u

struct nw_port { /* a line and its file descriptor */
	struct nw_line *line; /* NULL: absent */
	int fd;               /* -1 when closed */
	bool vnet;
	bool readable;
	bool hung_up;
	bool dirty; /* statistics not published */
	uint64_t generation;
	uint64_t torn_until; /* a torn block is not read again before */
	bool is_stuck;       /* an entry the fd had no room for */
	struct nw_entry stuck;
	uint64_t stuck_since;
	uint64_t retry_at;
};

struct nw_loop {
	struct nw_file *file;
	int params; /* the same file: traces are read from it */
	bool named; /* it has a name, and the pump ends when it has none any more */
	uint64_t *beat;
	uint64_t beat_at; /* CLOCK_MONOTONIC, as all times here */
	uint64_t publish_at;
	uint64_t drain_until; /* 0: not draining */
	int epoll, timer, signals, listener;
	int clients[NW_CLIENTS];
	struct nw_port ports[NW_LINES];
	uint32_t lines; /* those from here on were never used */
	struct nw_pool pool;
	struct nw_packet *scratch; /* the next frame is read into it */
	struct nw_config config;   /* scratch */
	struct nw_frame frame;     /* scratch */
};

bool nw_loop_init(struct nw_loop *loop, int control, int params, int beat); /* false with errno */
void nw_loop_run(struct nw_loop *loop); /* until it has drained */
void nw_loop_close(struct nw_loop *loop);

/* port.c */
int nw_port_add(struct nw_loop *loop, uint32_t line, int fd, bool vnet); /* 0 or -errno; takes the fd over */
int nw_port_remove(struct nw_loop *loop, uint32_t line, bool at_once);
int nw_port_drop(struct nw_loop *loop, uint32_t line);
void nw_port_refresh(struct nw_loop *loop, uint32_t line); /* parameters that changed */
bool nw_port_read(struct nw_loop *loop, uint32_t line, int frames); /* whether there was any */
void nw_port_write(struct nw_loop *loop, uint32_t line, int frames);
uint64_t nw_port_next(struct nw_port *port);
bool nw_port_open(const struct nw_port *port); /* has an fd, or something to deliver */

/* control.c */
void nw_control_accept(struct nw_loop *loop);
void nw_control_serve(struct nw_loop *loop, uint32_t client);

enum nw_source { NW_SOURCE_TIMER, NW_SOURCE_SIGNAL, NW_SOURCE_LISTENER, NW_SOURCE_CLIENT, NW_SOURCE_PORT };
int nw_loop_watch(struct nw_loop *loop, int fd, enum nw_source source, uint32_t index, uint32_t events);
uint64_t nw_now(void);
void nw_loop_publish(struct nw_loop *loop); /* all statistics, now */

#endif
