/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Maps and programs go into the kernel by one system call.
 */
#include "source/kernel_program.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *a)
{
    long rc = syscall(SYS_bpf, command, a, sizeof *a);
    return rc < 0 ? -errno : (int)rc;
}

static int make(uint32_t type, uint32_t flags, uint32_t key_bytes, uint32_t value_bytes,
                uint32_t entries)
{
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.map_type = type;
    a.map_flags = flags;
    a.key_size = key_bytes;
    a.value_size = value_bytes;
    a.max_entries = entries;
    return bpf(BPF_MAP_CREATE, &a);
}

int kernel_map_make(uint32_t type, uint32_t key_bytes, uint32_t value_bytes, uint32_t entries)
{
    return make(type, 0, key_bytes, value_bytes, entries);
}

int kernel_map_make_growing(uint32_t key_bytes, uint32_t value_bytes, uint32_t entries)
{
    return make(BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, key_bytes, value_bytes, entries);
}

/* What the calls on one entry have in common. */
static int entry(enum bpf_cmd command, int map, const void *key, const void *value)
{
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.map_fd = (uint32_t)map;
    a.key = (uintptr_t)key;
    a.value = (uintptr_t)value; /* where the kernel has "next_key", too */
    return bpf(command, &a);
}

int kernel_map_put(int map, const void *key, const void *value)
{
    return entry(BPF_MAP_UPDATE_ELEM, map, key, value);
}

int kernel_map_get(int map, const void *key, void *out)
{
    return entry(BPF_MAP_LOOKUP_ELEM, map, key, out);
}

int kernel_map_remove(int map, const void *key)
{
    return entry(BPF_MAP_DELETE_ELEM, map, key, NULL);
}

int kernel_map_next(int map, const void *key, void *out)
{
    return entry(BPF_MAP_GET_NEXT_KEY, map, key, out);
}

int kernel_program_load(const struct kernel_program *p, uint32_t type, const char *name)
{
    union bpf_attr a;
    assert(p->n > 0);
    if (p->n > KERNEL_PROGRAM_MAX)
        return -E2BIG;
    memset(&a, 0, sizeof a);
    a.prog_type = type;
    a.insn_cnt = (uint32_t)p->n;
    a.insns = (uintptr_t)p->code;
    snprintf(a.prog_name, sizeof a.prog_name, "oriel_%s", name);
    a.license = (uintptr_t) "Dual MIT/GPL"; /* what the kernel wants to hear for its helpers */
    return bpf(BPF_PROG_LOAD, &a);
}

int kernel_program_at_point(int program, uint64_t point)
{
    struct perf_event_attr counts = {
        .size = sizeof counts, .type = PERF_TYPE_TRACEPOINT, .config = point};
    long fd = syscall(SYS_perf_event_open, &counts, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (ioctl((int)fd, PERF_EVENT_IOC_SET_BPF, program) == 0)
        return (int)fd;
    int rc = -errno;
    close((int)fd);
    return rc;
}

int kernel_program_at_raw_point(int program, const char *point)
{
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.raw_tracepoint.name = (uintptr_t)point;
    a.raw_tracepoint.prog_fd = (uint32_t)program;
    return bpf(BPF_RAW_TRACEPOINT_OPEN, &a);
}
