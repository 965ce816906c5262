/* A line's file descriptor: frames read in batches, written when due. */
#include "csum.h"
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME_MIN 14
#define TORN_PAUSE 1000000ull    /* ns */
#define RETRY_PAUSE 200000ull
#define STUCK_MAX 50000000ull    /* then a frame the fd has no room for is dropped, and counted as our fault */
#define REMAINDER 20000          /* frames that a REMOVE still takes from the fd */
#define BURST 64                 /* frames that a REMOVE writes, if they are due */
#define KEEP_FROM 32768u         /* frames over this stay in the buffer they were read into */

static uint64_t entropy(void)
{
	uint64_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		value = nw_now();
	return value;
}

static void close_fd(struct nw_loop *loop, struct nw_port *port)
{
	if (port->fd < 0)
		return;
	/* Whoever sent the fd may hold a copy: closing ours would leave it in the epoll set. */
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, port->fd, NULL);
	close(port->fd);
	port->fd = -1;
	port->readable = false;
}

static void set_state(struct nw_port *port, enum nw_state state)
{
	port->line->stats.state = state;
	port->dirty = true;
}

/* Closes the line; what it holds is dropped, and counted there. */
static void discard(struct nw_loop *loop, struct nw_port *port, uint64_t *counter)
{
	struct nw_entry entry;

	close_fd(loop, port);
	nw_line_hurry(port->line);
	while (nw_line_pop(port->line, NW_NEVER - 1, &entry)) {
		*counter += entry.count;
		nw_packet_unref(entry.packet);
	}
	if (port->is_stuck) {
		*counter += port->stuck.count;
		nw_packet_unref(port->stuck.packet);
		port->is_stuck = false;
	}
}

static void fail(struct nw_loop *loop, struct nw_port *port, int error)
{
	discard(loop, port, &port->line->stats.unwanted_closed);
	port->line->stats.errno_last = (uint64_t)error;
	set_state(port, NW_FAILED);
}

/* Making and unmaking ------------------------------------------------------------------------------------------- */

static int check_fd(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (fstat(fd, &st) || flags < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) && !S_ISSOCK(st.st_mode))
		return -EINVAL;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

static bool make_line(struct nw_loop *loop, struct nw_port *port)
{
	if (port->line)
		return true;
	port->line = nw_map(&loop->pool, sizeof(*port->line));
	if (!port->line)
		return false;
	nw_line_init(port->line, &loop->pool);
	return true;
}

int nw_port_add(struct nw_loop *loop, uint32_t line, int fd, bool vnet)
{
	struct nw_port *port = &loop->ports[line];
	int error = check_fd(fd);

	if (!error && !make_line(loop, port))
		error = -ENOMEM;
	if (!error)
		error = nw_loop_watch(loop, fd, NW_SOURCE_PORT, line, EPOLLIN);
	if (error) {
		close(fd);
		return error;
	}
	close_fd(loop, port);
	if (loop->lines <= line)
		loop->lines = line + 1;
	port->fd = fd;
	port->vnet = vnet;
	port->readable = true;
	port->hung_up = false;
	port->line->hurry = false;
	if (port->line->stats.state == NW_DRAINED)
		nw_line_renew(port->line);
	nw_port_refresh(loop, line);
	if (!port->line->configured) {
		memset(&loop->config.params, 0, sizeof(loop->config.params));
		nw_line_configure(port->line, &loop->config, nw_now(), entropy());
	}
	nw_line_restart(port->line, entropy());
	set_state(port, NW_ACTIVE);
	return 0;
}

int nw_port_remove(struct nw_loop *loop, uint32_t line, bool at_once)
{
	struct nw_port *port = &loop->ports[line];

	if (!port->line || port->fd < 0)
		return -ENOENT;
	if (port->line->stats.state == NW_ACTIVE) {
		port->readable = true;
		nw_port_read(loop, line, REMAINDER);
		if (port->fd < 0)
			return 0; /* it had failed */
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, port->fd, NULL);
		port->readable = false;
		set_state(port, NW_DRAINING);
	}
	if (at_once)
		nw_line_hurry(port->line);
	nw_port_write(loop, line, BURST); /* an empty line is closed when this returns */
	return 0;
}

int nw_port_drop(struct nw_loop *loop, uint32_t line)
{
	struct nw_port *port = &loop->ports[line];

	if (!port->line || port->fd < 0)
		return -ENOENT;
	discard(loop, port, &port->line->stats.dropped_ended);
	set_state(port, NW_DRAINED);
	return 0;
}

/* NULL when the file holds no trace there, or not the one the parameters mean. */
static struct nw_trace *read_trace(struct nw_loop *loop, uint32_t line, const struct nw_params *params)
{
	size_t len = params->trace_bytes;
	off_t at = (off_t)(NW_TRACE_AREA + (uint64_t)line * NW_TRACE_ROOM);
	struct nw_trace *trace = len <= NW_TRACE_ROOM ? nw_trace_new(&loop->pool, len, nw_trace_id(params)) : NULL;

	if (trace && pread(loop->params, trace->bytes, len, at) == (ssize_t)len &&
	    nw_crc32(0, trace->bytes, len) == params->trace_crc && nw_trace_check(trace))
		return trace;
	nw_trace_free(trace);
	return NULL;
}

static void load_trace(struct nw_loop *loop, uint32_t number, struct nw_line *line, const struct nw_params *params)
{
	uint64_t id = nw_trace_id(params);

	if (id && !(line->trace && line->trace->id == id))
		nw_line_load(line, read_trace(loop, number, params));
}

void nw_port_refresh(struct nw_loop *loop, uint32_t line)
{
	struct nw_port *port = &loop->ports[line];
	const struct nw_block *block = &loop->file->blocks[line];
	uint64_t now;

	if (nw_share_get(&block->params.generation) == port->generation)
		return;
	now = nw_now();
	if (now < port->torn_until)
		return;
	switch (nw_share_read(block, &loop->config, port->generation)) {
	case NW_READ_NEW:
		port->generation = loop->config.params.generation;
		load_trace(loop, line, port->line, &loop->config.params);
		nw_line_configure(port->line, &loop->config, now, entropy());
		port->dirty = true;
		break;
	case NW_READ_TORN:
		port->torn_until = now + TORN_PAUSE;
		port->line->stats.config_error = NW_CONFIG_TORN;
		port->dirty = true;
		break;
	default:
		break;
	}
}

/* Reading ------------------------------------------------------------------------------------------------------- */

static ssize_t read_frame(struct nw_loop *loop, const struct nw_port *port)
{
	struct nw_packet *packet = loop->scratch;
	struct iovec parts[2] = {{&packet->vnet, sizeof(packet->vnet)}, {packet->data, NW_FRAME_MAX}};
	ssize_t got;

	packet->vnet = (struct nw_vnet){0};
	if (!port->vnet)
		return read(port->fd, packet->data, NW_FRAME_MAX);
	got = readv(port->fd, parts, 2);
	if (got > 0) {
		got -= (ssize_t)sizeof(packet->vnet);
		return got > 0 ? got : 1; /* no frame behind the header: too short whatever it is */
	}
	return got;
}

/* The frame in a buffer of its own: a small one for a small frame, else the one it was read into. */
static struct nw_packet *own(struct nw_loop *loop, uint32_t len)
{
	struct nw_packet *packet = nw_packet_new(&loop->pool, len > KEEP_FROM ? NW_FRAME_MAX : len);

	if (!packet)
		return NULL;
	if (len > KEEP_FROM) {
		struct nw_packet *fresh = packet;

		packet = loop->scratch;
		loop->scratch = fresh;
	} else {
		packet->vnet = loop->scratch->vnet;
		memcpy(packet->data, loop->scratch->data, len);
	}
	packet->len = len;
	return packet;
}

static void take_frame(struct nw_loop *loop, struct nw_port *port, uint32_t len, uint64_t now)
{
	struct nw_stats *stats = &port->line->stats;
	struct nw_packet *packet;

	stats->rx_frames++;
	if (len < FRAME_MIN || len >= NW_FRAME_MAX) {
		stats->malformed++;
		return;
	}
	packet = own(loop, len);
	if (!packet) {
		stats->unwanted_memory++;
		return;
	}
	nw_segment_parse(packet);
	nw_line_arrive(port->line, packet, now);
}

static void read_failed(struct nw_loop *loop, struct nw_port *port, ssize_t got)
{
	if (got < 0 && errno == EINTR)
		return;
	if (got < 0 && errno == EAGAIN)
		port->readable = false;
	else if (got < 0)
		fail(loop, port, errno);
	else if (port->hung_up)
		fail(loop, port, EPIPE);
	else
		port->line->stats.malformed++;
}

bool nw_port_read(struct nw_loop *loop, uint32_t line, int frames)
{
	struct nw_port *port = &loop->ports[line];
	int i;

	for (i = 0; i < frames && port->readable; i++) {
		ssize_t got = read_frame(loop, port);

		if (got <= 0) {
			read_failed(loop, port, got);
			break;
		}
		/* The clock after the read, for each: with an older one, a packet that came meanwhile would leave early. */
		take_frame(loop, port, (uint32_t)got, nw_now());
		port->dirty = true;
	}
	return i > 0;
}

/* Writing ------------------------------------------------------------------------------------------------------- */

/* 0, or the errno. */
static int write_frame(struct nw_loop *loop, const struct nw_port *port, const struct nw_entry *entry)
{
	struct nw_frame *frame = &loop->frame;
	int skip = port->vnet ? 0 : 1;

	nw_frame_build(frame, entry);
	if (writev(port->fd, frame->iov + skip, frame->parts - skip) >= 0)
		return 0;
	return errno;
}

static bool no_room(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ENOMEM || error == EINTR;
}

static void hold(struct nw_port *port, const struct nw_entry *entry, uint64_t now)
{
	port->stuck = *entry;
	port->stuck_since = now;
	port->retry_at = now + RETRY_PAUSE;
	port->is_stuck = true;
}

static void finish(struct nw_port *port, const struct nw_entry *entry, int error, uint64_t now)
{
	if (error) {
		port->line->stats.unwanted_write += entry->count;
		port->line->stats.errno_last = (uint64_t)error;
	} else {
		nw_line_sent(port->line, entry, now);
	}
	nw_packet_unref(entry->packet);
	port->dirty = true;
}

/* Whether the line may go on. */
static bool retry(struct nw_loop *loop, struct nw_port *port, uint64_t now)
{
	int error;

	if (!port->is_stuck)
		return true;
	if (now < port->retry_at)
		return false;
	error = write_frame(loop, port, &port->stuck);
	if (no_room(error) && now - port->stuck_since < STUCK_MAX) {
		port->retry_at = now + RETRY_PAUSE;
		return false;
	}
	port->is_stuck = false;
	finish(port, &port->stuck, error, now);
	return true;
}

static bool empty(const struct nw_port *port)
{
	return !port->is_stuck && !port->line->stats.queued_packets;
}

void nw_port_write(struct nw_loop *loop, uint32_t line, int frames)
{
	struct nw_port *port = &loop->ports[line];
	uint64_t now = nw_now();
	struct nw_entry entry;
	int error;

	if (port->fd < 0 || !retry(loop, port, now))
		return;
	for (int i = 0; i < frames && nw_line_pop(port->line, now, &entry); i++) {
		error = write_frame(loop, port, &entry);
		if (no_room(error)) {
			hold(port, &entry, now);
			break;
		}
		now = nw_now();
		finish(port, &entry, error, now);
	}
	if (port->line->stats.state == NW_DRAINING && empty(port)) {
		close_fd(loop, port);
		set_state(port, NW_DRAINED);
	}
}

uint64_t nw_port_next(struct nw_port *port)
{
	if (port->fd < 0)
		return NW_NEVER;
	return port->is_stuck ? port->retry_at : nw_line_next(port->line);
}

bool nw_port_open(const struct nw_port *port)
{
	return port->fd >= 0;
}
