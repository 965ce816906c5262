/* netweather-pump --control FD --params FD --beat FD [--cpu N]
 *
 * Delays, loses and damages the frames of up to 64 lines, as a mapped file says. Exit status: 0 drained after SIGTERM or
 * the deadline, 1 could not start (the reason is on standard error), 2 usage.
 */
#define _GNU_SOURCE
#include "loop.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE (-10)

struct options {
	long control, params, beat, cpu;
};

static int usage(void)
{
	fprintf(stderr, "usage: netweather-pump --control FD --params FD --beat FD [--cpu N]\n");
	return 2;
}

static int failed(const char *what)
{
	fprintf(stderr, "netweather-pump: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool parse_number(const char *text, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	return !errno && *text && !*end && *value >= 0 && *value < 1 << 20;
}

static bool parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){-1, -1, -1, -1};
	for (int i = 1; i < argc; i += 2) {
		long *value = !strcmp(argv[i], "--control")  ? &options->control
			      : !strcmp(argv[i], "--params") ? &options->params
			      : !strcmp(argv[i], "--beat")   ? &options->beat
			      : !strcmp(argv[i], "--cpu")    ? &options->cpu
							     : NULL;

		if (!value || i + 1 >= argc || !parse_number(argv[i + 1], value))
			return false;
	}
	return options->control >= 0 && options->params >= 0 && options->beat >= 0;
}

/* CPU_SET of musl compares signed with unsigned. */
#pragma GCC diagnostic ignored "-Wsign-compare"

static bool pin(long cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return true;
	if (cpu >= CPU_SETSIZE) {
		errno = EINVAL;
		return false;
	}
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* Whatever else was inherited stays open in nobody's name. */
static void close_others(const struct options *options)
{
	for (int fd = 3; fd < 1024; fd++) {
		if (fd != options->control && fd != options->params && fd != options->beat)
			close(fd);
	}
}

/* Refused without the right: then others come first, and packets later. */
static void come_first(void)
{
	int fd;

	setpriority(PRIO_PROCESS, 0, NICE);
	if (getsid(0) != getpid())
		return;
	/* Where sessions share the processor evenly (autogroup), niceness counts only within ours: this is the session's. */
	fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (dprintf(fd, "%d", NICE) < 0)
		errno = 0;
	close(fd);
}

/* The starter may go away: neither its terminal nor its pipes matter. */
static void stand_alone(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setsid();
	prctl(PR_SET_NAME, "netweather-pump", 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	come_first();
}

int main(int argc, char **argv)
{
	static struct nw_loop loop;
	struct options options;

	if (!parse(argc, argv, &options))
		return usage();
	close_others(&options);
	stand_alone();
	if (!pin(options.cpu))
		return failed("--cpu");
	if (!nw_loop_init(&loop, (int)options.control, (int)options.params, (int)options.beat))
		return failed("--control, --params or --beat");
	if (!nw_sandbox_enter())
		return failed("giving up rights");
	nw_loop_run(&loop);
	nw_loop_close(&loop);
	return 0;
}
