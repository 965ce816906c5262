#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no seccomp list for this machine"
#endif

static bool limit(int resource, rlim_t value)
{
	struct rlimit wanted = {value, value};

	return !setrlimit(resource, &wanted);
}

static bool set_limits(void)
{
	signal(SIGXFSZ, SIG_IGN); /* standard error may be a file: the write fails, the pump goes on */
	return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 512);
}

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	return !syscall(SYS_capset, &header, data);
}

static void empty_bounding_set(void)
{
	/* Without CAP_SETPCAP this can't be done, and with no_new_privs nothing depends on it. */
	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static bool become_nobody(void)
{
	if (geteuid() != 0)
		return true;
	return !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY);
}

#if defined(NW_SANITIZE) || defined(NW_NO_SECCOMP) /* sanitizers and emulators need system calls of their own */

static bool filter_system_calls(void)
{
	return true;
}

#else

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/* Allowed unless the low half of an argument has one of these bits. */
#define ALLOW_WITHOUT(name, n, bits) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD_ARGUMENT(n), \
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)

static bool filter_system_calls(void)
{
	struct sock_filter code[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		ALLOW(read), ALLOW(readv), ALLOW(write), ALLOW(writev), ALLOW(pread64),
		ALLOW(recvmsg), ALLOW(sendto), ALLOW(accept4), ALLOW(close), ALLOW(fcntl), ALLOW(fstat),
#ifdef __NR_newfstatat
		ALLOW(newfstatat), /* musl's fstat on some machines */
#endif
		ALLOW(epoll_pwait), ALLOW(epoll_ctl), ALLOW(timerfd_settime), ALLOW(clock_gettime),
#ifdef __NR_epoll_wait
		ALLOW(epoll_wait),
#endif
		ALLOW(getrandom), ALLOW(getpid), ALLOW(restart_syscall),
		ALLOW(sched_getaffinity), /* of the C library's malloc */
		ALLOW(munmap),
		ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
		ALLOW(exit), ALLOW(exit_group),
		RETURN(SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#endif

bool nw_sandbox_enter(void)
{
	if (!set_limits() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	empty_bounding_set();
	if (!become_nobody() || !drop_capabilities())
		return false;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no other process of nobody may look in */
	return filter_system_calls();
}
