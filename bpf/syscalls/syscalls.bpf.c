/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * On the tracepoints of system calls (syscalls:sys_enter_NAME, sys_exit_NAME): how often the processes of a network namespace
 * call them for an internet socket, with how many bytes, what errors and how long. One pair of programs serves every call: the
 * kernel's number of it says which it is.
 */
#include "syscalls.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define MESSAGES 1024	/* UIO_MAXIOV: the kernel takes no more in one call */

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, NW_SPACES);
	__type(key, __u32); __type(value, __u32); } spaces SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, NW_CALLS);
	__type(key, __u32); __type(value, struct nw_calls); } calls SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_HASH); __uint(max_entries, 4096);
	__type(key, struct nw_errno_key); __type(value, __u64); } errors SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_HASH); __uint(max_entries, 1);
	__type(key, struct nw_process_key); __type(value, struct nw_process); } processes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int); __type(value, struct nw_started); } started SEC(".maps");

/*
 * The same, found by the thread's number: a seventh less than task storage takes in all. A thread whose slot another is in keeps its
 * call in task storage; until one ever had to, nobody looks there.
 */
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
	__type(key, __u32); __type(value, struct nw_started); } slots SEC(".maps");
int crowded;

/*
 * only: the one namespace that counts, or 0: those in the map. slots: a power of two, or 0 where the kernel can't swap atomically: then
 * the verifier takes out what would. kinds: which call each of the kernel's numbers is.
 */
const volatile struct { __u32 by_process, only, slots; __u8 kinds[NW_NUMBERS]; } room SEC(".rodata.room");

struct enter { __u64 common; __u32 number, unset; __u64 arguments[6]; };
struct leave { __u64 common; __u32 number, unset; __s64 result; };

/* The mmsghdr of 64-bit programs; tracepoints leave out the calls of 32-bit ones. */
struct message { __u8 header[56]; __u32 length; __u32 unused; };

/* Whether a descriptor is an internet socket of this process. */
static __always_inline int is_internet(struct task_struct *task, __u32 fd, int casts)
{
	struct fdtable *table = task->files->fdt;
	struct inode *inode = 0;
	struct file *file = 0;
	struct sock *sk = 0;
	void *socket = 0;
	__u16 mode = 0, family = 0;

	if (fd >= table->max_fds)
		return 0;
	if (casts) {
		file = nw_file(table->fd + fd);
		if (!file || (file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
			return 0;
		family = nw_cast(struct socket, file->private_data)->sk->__sk_common.skc_family;
	} else {
		if (bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd) || nw_read(&inode, file, f_inode) || nw_read(&mode, inode, i_mode) || (mode & S_IFMT) != S_IFSOCK)
			return 0;
		nw_read(&socket, file, private_data);
		nw_read(&sk, (struct socket *)socket, sk);
		nw_read(&family, sk, __sk_common.skc_family);
	}
	return family == AF_INET || family == AF_INET6;
}

/* Where a thread that begins a call keeps it. A slot is its own until the call ends, however many want it. */
static __always_inline struct nw_started *take(struct task_struct *task)
{
	__u32 at = task->pid & (room.slots - 1);
	struct nw_started *slot = room.slots ? bpf_map_lookup_elem(&slots, &at) : 0;
	__u64 owner;

	if (slot) {
		owner = __sync_val_compare_and_swap(&slot->owner, 0, (__u64)task);
		if (likely(!owner) || owner == (__u64)task)	/* its own: the end of its last call was missed */
			return slot;
	}
	if (!crowded)
		crowded = 1;
	return bpf_task_storage_get(&started, task, 0, BPF_STORAGE_CREATE);
}

/* Where it kept it; none for a thread that is in no call that counts. */
static __always_inline struct nw_started *kept(struct task_struct *task)
{
	__u32 at = task->pid & (room.slots - 1);
	struct nw_started *slot = room.slots ? bpf_map_lookup_elem(&slots, &at) : 0;

	if (slot && slot->owner == (__u64)task)
		return slot;
	return unlikely(crowded) ? bpf_task_storage_get(&started, task, 0, 0) : 0;
}

static __always_inline void begin(struct enter *context, int casts, int many)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 inum = task->nsproxy->net_ns->ns.inum, *found, space = 0;
	__u32 number = context->number;
	struct nw_started *call;

	if (room.only) {
		if (likely(inum != room.only))
			return;
	} else {
		found = bpf_map_lookup_elem(&spaces, &inum);
		if (likely(!found))
			return;
		space = *found;
	}
	if (number >= NW_NUMBERS || !is_internet(task, context->arguments[0], casts))
		return;
	call = take(task);
	if (!call)
		return;
	call->space = space;
	call->call = room.kinds[number];
	if (many)	/* the kernel refuses a program that reads an argument which the call of its tracepoint lacks */
		call->vector = context->arguments[1];
	call->since = bpf_ktime_get_ns();
}

SEC("tracepoint/syscalls/sys_enter") int nw_enter(struct enter *context)
{
	begin(context, 1, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_many") int nw_enter_many(struct enter *context)
{
	begin(context, 1, 1);
	return 0;
}

/* The same for kernels without bpf_rdonly_cast. */
SEC("tracepoint/syscalls/sys_enter_old") int nw_enter_old(struct enter *context)
{
	begin(context, 0, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_many_old") int nw_many_old(struct enter *context)
{
	begin(context, 0, 1);
	return 0;
}

static __always_inline void count_error(struct nw_started *call, __u32 number)
{
	struct nw_errno_key key = {.space = call->space, .call = call->call, .number = number};
	__u64 *count = bpf_map_lookup_elem(&errors, &key), one = 1;

	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&errors, &key, &one, BPF_NOEXIST);
}

static __always_inline void count_process(struct nw_started *call, __u32 pid, __s64 bytes, int failed, __u64 took)
{
	struct nw_process_key key = {.space = call->space, .call = call->call, .pid = pid};
	struct nw_process *process = bpf_map_lookup_elem(&processes, &key), none = {};

	if (!process) {
		bpf_map_update_elem(&processes, &key, &none, BPF_NOEXIST);
		process = bpf_map_lookup_elem(&processes, &key);
	}
	if (!process)
		return;
	process->calls += 1;
	process->errors += failed;
	process->bytes += bytes;
	process->ns += took;
}

static __always_inline void count(struct task_struct *task, struct nw_started *call, __s64 result, __s64 bytes, __u64 took)
{
	__u32 at = call->space * NW_CALLS + call->call;
	struct nw_calls *counted = bpf_map_lookup_elem(&calls, &at);

	if (!counted)
		return;
	counted->calls += 1;
	counted->bytes += bytes;
	counted->ns += took;
	counted->times[nw_bucket(took)] += 1;
	if (result < 0) {
		counted->errors += 1;
		count_error(call, -result);
	}
	if (room.by_process)
		count_process(call, task->tgid, bytes, result < 0, took);
	call->since = 0;
	asm volatile("" ::: "memory");
	call->owner = 0;	/* at last: whoever takes the slot now writes all of it */
}

/* Whether a thread can't be in a call that counts: the end of a stranger's costs no more than its beginning. */
static __always_inline int is_stranger(struct task_struct *task)
{
	return room.only && task->nsproxy->net_ns->ns.inum != room.only;
}

/* connect, accept and close: what they return are no bytes. */
#define NW_FIRST_WITHOUT_BYTES 11

SEC("tracepoint/syscalls/sys_exit") int nw_exit(struct leave *context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct nw_started *call;
	__s64 result = context->result;

	if (likely(is_stranger(task)))
		return 0;
	call = kept(task);
	if (!call || !call->since)
		return 0;
	count(task, call, result, result > 0 && call->call < NW_FIRST_WITHOUT_BYTES ? result : 0,
	      bpf_ktime_get_ns() - call->since);
	return 0;
}

/* sendmmsg and recvmmsg return a number of messages; the bytes of each stand in the caller's own memory. */
SEC("tracepoint/syscalls/sys_exit_many") int nw_exit_many(struct leave *context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct nw_started *call;
	struct message *messages;
	__u64 took, bytes = 0;
	__u32 length;

	if (likely(is_stranger(task)))
		return 0;
	call = kept(task);
	if (!call || !call->since)
		return 0;
	took = bpf_ktime_get_ns() - call->since;
	messages = (struct message *)call->vector;
	for (int i = 0; i < MESSAGES && i < context->result; i++)
		if (!bpf_probe_read_user(&length, sizeof(length), &messages[i].length))
			bytes += length;
	count(task, call, context->result, bytes, took);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
