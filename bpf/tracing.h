/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What programs on tracepoints need: the few fields of the kernel's own structs that they read, found at load time by their
 * names (CO-RE), and the histogram that times are counted in. A field's place, and what else a struct holds, may differ.
 */
#ifndef NW_TRACING_H
#define NW_TRACING_H

#include "bpf.h"

#define BPF_MAP_TYPE_PERCPU_HASH 5
#define BPF_MAP_TYPE_SK_STORAGE 24
#define BPF_MAP_TYPE_TASK_STORAGE 29
#define BPF_NOEXIST 1
#define BPF_STORAGE_CREATE 1
#define AF_INET 2
#define AF_INET6 10

/* Names of namespaces' numbers (/proc/PID/ns/net) to the number that statistics are kept under. All else is none of ours. */
#define NW_SPACES 64

struct tcp_sock;
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common { __u32 inum; };
struct net { struct ns_common ns; };
struct nsproxy { struct net *net_ns; };
struct inode { __u16 i_mode; };
struct file { struct inode *f_inode; void *private_data; };
struct kiocb { struct file *ki_filp; };
struct fdtable { __u32 max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; };
struct task_struct { int pid; int tgid; struct nsproxy *nsproxy; struct files_struct *files; };
struct sock_common { __u16 skc_family; volatile __u8 skc_state; struct { struct net *net; } skc_net; };
struct sock { struct sock_common __sk_common; int sk_err; __u16 sk_protocol; };
struct socket { struct sock *sk; };
#pragma clang attribute pop

static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_probe_read_user)(void *to, __u32 size, const void *from) = (void *)112;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static void *(*bpf_sk_storage_get)(void *map, void *sk, void *value, __u64 flags) = (void *)107;
static void *(*bpf_task_storage_get)(void *map, struct task_struct *task, void *value, __u64 flags) = (void *)156;
static struct tcp_sock *(*bpf_skc_to_tcp_sock)(void *sk) = (void *)137;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;

/*
 * A mere address as a struct of the kernel's: its fields are then read without calls. From Linux 6.2 on; a program that has it
 * has a twin that reads by bpf_probe_read_kernel, and user space takes the first that loads.
 */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __attribute__((weak, section(".ksyms")));
#define nw_cast(type, address) ((type *)bpf_rdonly_cast(address, __builtin_btf_type_id(*(type *)0, 1)))

/*
 * The file in a slot of a table of files. A cast needs a struct of the kernel's: struct kiocb is one that begins with a file,
 * and nothing else of it is read.
 */
#define nw_file(slot) nw_cast(struct kiocb, (void *)(slot) - __builtin_preserve_field_info(((struct kiocb *)0)->ki_filp, 0))->ki_filp

/* A field of a struct that a mere address points to. */
#define nw_read(to, from, field) bpf_probe_read_kernel(to, sizeof(*(to)), __builtin_preserve_access_index(&(from)->field))

/*
 * Times, in ns: 16 buckets for each power of two, so that a bucket is at most 1/16 of its value wide, up to 2^40 (18 minutes).
 * A value below 16 has its own bucket.
 */
#define NW_HISTOGRAM 608

static __always_inline __u32 nw_log2(__u64 value)
{
	__u32 power = 0;

	if (value >> 32) { power += 32; value >>= 32; }
	if (value >> 16) { power += 16; value >>= 16; }
	if (value >> 8) { power += 8; value >>= 8; }
	if (value >> 4) { power += 4; value >>= 4; }
	if (value >> 2) { power += 2; value >>= 2; }
	return power + (value >> 1);
}

static __always_inline __u32 nw_bucket(__u64 value)
{
	__u32 power, bucket;

	if (value < 16)
		return value;
	power = nw_log2(value);
	bucket = (power - 3) * 16 + ((value >> (power - 4)) & 15);
	asm volatile("" : "+r"(bucket));	/* the verifier has to see the comparison with the very register that is used */
	return bucket < NW_HISTOGRAM ? bucket : NW_HISTOGRAM - 1;
}

#endif
