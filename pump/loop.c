#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BEAT_SIZE 4096
#define SECOND 1000000000ull
#define BEAT_EVERY 20000000ull   /* while there is work */
#define SLEEP_MAX 100000000ull   /* and when there is none: a beat is due every 150 ms */
#define PUBLISH_EVERY 1000000ull /* while there is work; before every sleep anyway */
#define SPIN 8000ull             /* sleeping for less costs more than it saves */
#define DRAIN_MAX (60 * SECOND)
#define BATCH 16                 /* frames read from a line before what is due goes out */
#define BURST 64                 /* frames written to a line before others have their turn */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

uint64_t nw_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* The host's clock, as BPF programs read it, whatever time namespace the pump is in. */
static uint64_t boot_now(const struct nw_loop *loop)
{
	return clock_ns(CLOCK_BOOTTIME) - nw_share_get(&loop->file->header.boot_offset_ns);
}

static bool has_name(int file)
{
	struct stat found;

	return !fstat(file, &found) && found.st_nlink;
}

/* Making and unmaking ------------------------------------------------------------------------------------------- */

int nw_loop_watch(struct nw_loop *loop, int fd, enum nw_source source, uint32_t index, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = (uint64_t)source << 32 | index};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool open_sources(struct nw_loop *loop)
{
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	loop->signals = open_signals();
	if (loop->epoll < 0 || loop->timer < 0 || loop->signals < 0)
		return false;
	return !nw_loop_watch(loop, loop->timer, NW_SOURCE_TIMER, 0, EPOLLIN | EPOLLET) &&
	       !nw_loop_watch(loop, loop->signals, NW_SOURCE_SIGNAL, 0, EPOLLIN) &&
	       !nw_loop_watch(loop, loop->listener, NW_SOURCE_LISTENER, 0, EPOLLIN);
}

static bool map_files(struct nw_loop *loop, int params, int beat)
{
	loop->params = params;
	loop->named = has_name(params);
	loop->file = nw_share_map(params);
	if (!loop->file)
		return false;
	loop->beat = mmap(NULL, BEAT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, beat, 0);
	return loop->beat != MAP_FAILED;
}

bool nw_loop_init(struct nw_loop *loop, int control, int params, int beat)
{
	memset(loop, 0, sizeof(*loop));
	loop->listener = control;
	for (uint32_t i = 0; i < NW_CLIENTS; i++)
		loop->clients[i] = -1;
	for (uint32_t i = 0; i < NW_LINES; i++)
		loop->ports[i].fd = -1;
	if (!map_files(loop, params, beat))
		return false;
	nw_pool_init(&loop->pool, nw_share_get(&loop->file->header.memory_limit));
	loop->scratch = nw_packet_new(&loop->pool, NW_FRAME_MAX);
	if (!loop->scratch) {
		errno = ENOMEM;
		return false;
	}
	return open_sources(loop);
}

void nw_loop_close(struct nw_loop *loop)
{
	for (uint32_t i = 0; i < loop->lines; i++) {
		struct nw_port *port = &loop->ports[i];

		if (!port->line)
			continue;
		if (port->fd >= 0)
			close(port->fd);
		if (port->is_stuck)
			nw_packet_unref(port->stuck.packet);
		nw_line_close(port->line);
		nw_unmap(&loop->pool, port->line, sizeof(*port->line));
	}
	for (uint32_t i = 0; i < NW_CLIENTS; i++) {
		if (loop->clients[i] >= 0)
			close(loop->clients[i]);
	}
	nw_packet_unref(loop->scratch);
	nw_pool_close(&loop->pool);
	close(loop->epoll);
	close(loop->timer);
	close(loop->signals);
}

/* The beat, the deadline, statistics ---------------------------------------------------------------------------- */

static void publish(struct nw_loop *loop, uint64_t now, bool must)
{
	struct nw_header *header = &loop->file->header;

	if (!must && now < loop->publish_at)
		return;
	loop->publish_at = now + PUBLISH_EVERY;
	nw_share_put(&header->memory_used, loop->pool.used);
	nw_share_put(&header->memory_peak, loop->pool.peak);
	for (uint32_t i = 0; i < loop->lines; i++) {
		struct nw_port *port = &loop->ports[i];

		if (port->line && port->dirty) {
			port->line->stats.decided = port->line->loss.number;
			nw_share_publish(&loop->file->blocks[i], &port->line->stats);
		}
		port->dirty = false;
	}
}

void nw_loop_publish(struct nw_loop *loop)
{
	publish(loop, nw_now(), true);
}

static void drain(struct nw_loop *loop, uint64_t now)
{
	uint64_t bound = nw_share_get(&loop->file->header.drain_ns);

	if (loop->drain_until)
		return;
	loop->drain_until = now + (!bound ? SECOND : bound > DRAIN_MAX ? DRAIN_MAX : bound);
	nw_share_put(&loop->file->header.pump_state, 2);
	for (uint32_t i = 0; i < loop->lines; i++)
		nw_port_remove(loop, i, false);
}

/* Time left until the deadline, NW_NEVER when there is none. */
static uint64_t deadline_in(const struct nw_loop *loop, uint64_t boot)
{
	uint64_t deadline = nw_share_get(&loop->file->header.deadline_boot_ns);

	if (!deadline || loop->drain_until)
		return NW_NEVER;
	return deadline > boot ? deadline - boot : 0;
}

/* Only here is the beat given, once a turn at most: a loop that hangs gives none. */
static uint64_t beat(struct nw_loop *loop, uint64_t now)
{
	uint64_t boot, left;

	if (now < loop->beat_at)
		return loop->beat_at;
	boot = boot_now(loop);
	nw_share_put(loop->beat, boot);
	loop->beat_at = now + BEAT_EVERY;
	left = deadline_in(loop, boot);
	/* Without a name for its file nobody finds this pump any more: whoever started it died too early, or its folder is gone. */
	if (!left || (loop->named && !has_name(loop->params)))
		drain(loop, now);
	return left < SLEEP_MAX ? now + left : now + SLEEP_MAX;
}

/* Turns --------------------------------------------------------------------------------------------------------- */

static void handle(struct nw_loop *loop, const struct epoll_event *event)
{
	uint32_t index = (uint32_t)event->data.u64;
	struct signalfd_siginfo info;

	switch ((enum nw_source)(event->data.u64 >> 32)) {
	case NW_SOURCE_PORT:
		loop->ports[index].readable = true;
		loop->ports[index].hung_up = event->events & (EPOLLHUP | EPOLLERR);
		break;
	case NW_SOURCE_CLIENT:
		nw_control_serve(loop, index);
		break;
	case NW_SOURCE_LISTENER:
		nw_control_accept(loop);
		break;
	case NW_SOURCE_SIGNAL:
		if (read(loop->signals, &info, sizeof(info)) == sizeof(info))
			drain(loop, nw_now());
		break;
	case NW_SOURCE_TIMER:
		break;
	}
}

static uint64_t serve_ports(struct nw_loop *loop, bool *busy)
{
	uint64_t next = NW_NEVER;

	*busy = false;
	for (uint32_t i = 0; i < loop->lines; i++) {
		struct nw_port *port = &loop->ports[i];
		uint64_t due;

		if (!port->line)
			continue;
		nw_port_refresh(loop, i);
		*busy |= nw_port_read(loop, i, BATCH);
		nw_port_write(loop, i, BURST);
		due = nw_port_next(port);
		if (due < next)
			next = due;
	}
	return next;
}

static void arm(const struct nw_loop *loop, uint64_t at)
{
	struct itimerspec spec = {.it_value = {(time_t)(at / SECOND), (long)(at % SECOND)}};

	timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void wait_until(struct nw_loop *loop, uint64_t now, uint64_t at, bool busy)
{
	struct epoll_event events[32];
	int timeout = -1;
	int got;

	if (busy || at <= now + SPIN) {
		timeout = 0;
	} else {
		publish(loop, now, true);
		arm(loop, at);
	}
	got = epoll_wait(loop->epoll, events, 32, timeout);
	for (int i = 0; i < got; i++)
		handle(loop, &events[i]);
}

static bool drained(const struct nw_loop *loop)
{
	for (uint32_t i = 0; i < loop->lines; i++) {
		if (nw_port_open(&loop->ports[i]))
			return false;
	}
	return true;
}

/* The bound of draining is reached: early is better than never. */
static void flush(struct nw_loop *loop)
{
	for (uint32_t i = 0; i < loop->lines; i++) {
		nw_port_remove(loop, i, true);
		if (loop->ports[i].line)
			nw_port_write(loop, i, INT32_MAX);
	}
}

void nw_loop_run(struct nw_loop *loop)
{
	nw_share_put(&loop->file->header.pump_pid, (uint64_t)getpid());
	nw_share_put(&loop->file->header.started_boot_ns, boot_now(loop));
	nw_share_put(&loop->file->header.pump_state, 1);
	for (;;) {
		bool busy;
		uint64_t next = serve_ports(loop, &busy);
		uint64_t now = nw_now();
		uint64_t wake = beat(loop, now);

		if (loop->drain_until && (drained(loop) || now >= loop->drain_until))
			break;
		if (loop->drain_until && loop->drain_until < wake)
			wake = loop->drain_until;
		publish(loop, now, false);
		wait_until(loop, now, next < wake ? next : wake, busy);
	}
	flush(loop);
	publish(loop, nw_now(), true);
	nw_share_put(&loop->file->header.pump_state, 3);
}
