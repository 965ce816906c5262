/* The bench's traffic: as fast or as evenly as may be, for a bounded time. Prints what it saw as one line of JSON.
 *
 *   traffic sink tcp PORT WARM_MS MS           bytes of one connection, in MS after WARM_MS
 *   traffic sink udp PORT WARM_MS MS           datagrams, in MS after WARM_MS
 *   traffic send tcp ADDRESS PORT MS           one connection, until MS are over or the sink has enough
 *   traffic send udp ADDRESS PORT MS           datagrams, 64 a system call, as fast as may be
 *   traffic send gso ADDRESS PORT MS           the same cut by the kernel from messages of 64 (UDP_SEGMENT), as QUIC does
 *   traffic late PORT COUNT                    how late each of COUNT stamped datagrams comes
 *   traffic pace ADDRESS PORT COUNT RATE       COUNT stamped datagrams, RATE a second
 *
 * A receiver says "ready" first. Lateness is from the sender's clock, read before it sends, to the kernel's stamp at arrival.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ll
#define MS 1000000ll
#define BATCH 64
#define PAYLOAD 64             /* bytes of a datagram: 106 on the wire */
#define CHUNK (128 << 10)
#define BUFFER (64 << 20)
#define NAP_NS 100000ll
#define IDLE_MS 700            /* when nothing came for so long, nothing more will */
#define PATIENCE 120           /* seconds that any run lasts at most */
#define SETTLE_NS (30 * MS)    /* the kernel begins to stamp a moment after the first socket asks for it */

struct stamp { uint32_t number, reserved; int64_t sent; };
struct batch {
	struct mmsghdr headers[BATCH];
	struct iovec parts[BATCH];
	char data[BATCH][PAYLOAD], control[BATCH][64];
};

static struct batch batch;
static char chunk[CHUNK];

static void fail(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static int64_t now(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

static void sleep_until(int64_t at)
{
	struct timespec t = {at / SECOND, at % SECOND};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int open_socket(int kind, const char *address, const char *port, bool receives)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0), one = 1, size = BUFFER;

	if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1)
		fail("socket");
	if (kind == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (kind == SOCK_DGRAM && receives)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (receives ? bind(fd, (void *)&a, sizeof(a)) : connect(fd, (void *)&a, sizeof(a)))
		fail(receives ? "bind" : "connect");
	return fd;
}

static void make_batch(void)
{
	for (int i = 0; i < BATCH; i++) {
		batch.parts[i] = (struct iovec){batch.data[i], PAYLOAD};
		batch.headers[i].msg_hdr.msg_iov = &batch.parts[i];
		batch.headers[i].msg_hdr.msg_iovlen = 1;
	}
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* As fast as may be ----------------------------------------------------------------------------------------------- */

static void print_rate(uint64_t count, int64_t ns)
{
	printf("{\"count\": %llu, \"ns\": %lld}\n", (unsigned long long)count, (long long)ns);
}

static int64_t take_bytes(int fd)
{
	return read(fd, chunk, sizeof(chunk));
}

/* Looks again and again rather than being woken: a wake-up a packet would be charged to the sender. */
static int64_t take_datagrams(int fd)
{
	int64_t until = now() + IDLE_MS * MS, t;
	int got;

	while ((got = recvmmsg(fd, batch.headers, BATCH, MSG_DONTWAIT, NULL)) < 0 && (t = now()) < until)
		sleep_until(t + NAP_NS);
	return got;
}

/* Counts what is taken between the first arrival + warm and length later. */
static void count(int fd, int64_t (*take)(int), int64_t warm, int64_t length)
{
	int64_t got = take(fd), begin = now() + warm, from = 0, t = 0;
	uint64_t sum = 0;

	while (got > 0 && (got = take(fd)) > 0) {
		t = now();
		if (from)
			sum += (uint64_t)got;
		else if (t >= begin)
			from = t;
		if (from && t >= from + length)
			break;
	}
	print_rate(sum, from ? t - from : 0);
}

static void sink(bool tcp, const char *port, int64_t warm, int64_t length)
{
	int fd = open_socket(tcp ? SOCK_STREAM : SOCK_DGRAM, "0.0.0.0", port, true);

	if (tcp && listen(fd, 1))
		fail("listen");
	make_batch();
	say_ready();
	if (!tcp) {
		count(fd, take_datagrams, warm, length);
		return;
	}
	fd = accept(fd, NULL, NULL);
	if (fd < 0)
		fail("accept");
	count(fd, take_bytes, warm, length);
}

static int64_t give_bytes(int fd)
{
	return send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);
}

/* An error is none: the sink has closed its socket, or a queue is full. The time is what ends it. */
static int64_t give_datagrams(int fd)
{
	long sent = syscall(SYS_sendmmsg, fd, batch.headers, BATCH, 0); /* musl's own is a loop of sendmsg */

	return sent < 0 ? 0 : sent;
}

static int64_t give_segments(int fd)
{
	return send(fd, chunk, BATCH * PAYLOAD, 0) < 0 ? 0 : BATCH;
}

static void give(int fd, int64_t (*one)(int), int64_t length)
{
	int64_t begin = now(), t = begin, sent;
	uint64_t sum = 0;

	while (t < begin + length && (sent = one(fd)) >= 0) {
		sum += (uint64_t)sent;
		t = now();
	}
	print_rate(sum, t - begin);
}

static void send_all(const char *kind, const char *address, const char *port, int64_t length)
{
	bool tcp = !strcmp(kind, "tcp"), gso = !strcmp(kind, "gso");
	int fd = open_socket(tcp ? SOCK_STREAM : SOCK_DGRAM, address, port, false), size = PAYLOAD;

	if (gso && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		fail("UDP_SEGMENT");
	make_batch();
	give(fd, tcp ? give_bytes : gso ? give_segments : give_datagrams, length);
}

/* As evenly as may be --------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void print_delays(int64_t *delays, uint32_t got, uint32_t behind)
{
	static const struct { const char *name; double share; } points[] = {
		{"min", 0}, {"p01", .01}, {"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1},
	};

	qsort(delays, got, sizeof(*delays), compare);
	printf("{\"received\": %u, \"behind\": %u", got, behind);
	for (size_t i = 0; got && i < sizeof(points) / sizeof(*points); i++)
		printf(", \"%s\": %lld", points[i].name, (long long)delays[(uint32_t)(points[i].share * (got - 1) + .5)]);
	puts("}");
}

static int64_t arrival(struct msghdr *header)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(header);
	struct timespec t;

	if (!c)
		return 0;
	memcpy(&t, CMSG_DATA(c), sizeof(t));
	return t.tv_sec * SECOND + t.tv_nsec;
}

static void late(const char *port, uint32_t wanted)
{
	int fd = open_socket(SOCK_DGRAM, "0.0.0.0", port, true), one = 1;
	int64_t *delays = calloc(wanted, sizeof(*delays));
	uint32_t got = 0, behind = 0, highest = 0;

	if (!delays || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)))
		fail("stamps");
	make_batch();
	sleep_until(now() + SETTLE_NS);
	say_ready();
	while (got < wanted) {
		int64_t some;

		for (int i = 0; i < BATCH; i++) {
			batch.headers[i].msg_hdr.msg_control = batch.control[i];
			batch.headers[i].msg_hdr.msg_controllen = sizeof(batch.control[i]);
		}
		some = take_datagrams(fd);
		if (some < 0 && got)
			break;
		for (int64_t i = 0; i < some && got < wanted; i++) {
			struct stamp s;

			memcpy(&s, batch.data[i], sizeof(s));
			delays[got++] = arrival(&batch.headers[i].msg_hdr) - s.sent;
			behind += s.number < highest;
			highest = s.number > highest ? s.number : highest;
		}
	}
	print_delays(delays, got, behind);
}

static void pace(const char *address, const char *port, uint32_t wanted, int64_t rate)
{
	int fd = open_socket(SOCK_DGRAM, address, port, false);
	int64_t begin = now();
	char data[PAYLOAD] = {0};
	uint32_t failed = 0;

	prctl(PR_SET_TIMERSLACK, 1);
	for (uint32_t i = 0; i < wanted; i++) {
		int64_t due = begin + i * SECOND / rate;
		struct stamp s = {.number = i};

		if (due > now())
			sleep_until(due);
		s.sent = clock_of(CLOCK_REALTIME);
		memcpy(data, &s, sizeof(s));
		failed += send(fd, data, sizeof(data), 0) < 0;
	}
	printf("{\"sent\": %u, \"failed\": %u, \"ns\": %lld}\n", wanted, failed, (long long)(now() - begin));
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	alarm(PATIENCE);
	if (!strcmp(what, "sink") && argc == 6)
		sink(!strcmp(argv[2], "tcp"), argv[3], atoll(argv[4]) * MS, atoll(argv[5]) * MS);
	else if (!strcmp(what, "send") && argc == 6)
		send_all(argv[2], argv[3], argv[4], atoll(argv[5]) * MS);
	else if (!strcmp(what, "late") && argc == 4)
		late(argv[2], (uint32_t)atoll(argv[3]));
	else if (!strcmp(what, "pace") && argc == 6)
		pace(argv[2], argv[3], (uint32_t)atoll(argv[4]), atoll(argv[5]));
	else
		return fputs("traffic: see the top of traffic.c\n", stderr), 2;
	return 0;
}
