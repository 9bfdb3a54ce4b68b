/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Wake-ups picked out in the kernel: three small programs on tracepoints of the
 * scheduler know the threads of the observed program and its children, and hand
 * over the wake-ups of those alone, with the stack of who made them, through
 * perf's own rings. A thread that is woken more often than every 200 us is
 * handed over one time in 64. Nobody else's tracing is touched: the programs
 * always say that all others shall see the event too.
 *
 *   sched_process_fork    the parent is known: so is the child
 *   sched_process_exit    forget it
 *   sched_waking          it is known: {0, tid, how many this one stands for}
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/perf/perf.h"

enum {
    TIDS_MAX = 16384,
    OFTEN_NS = 200000,
    ONE_IN = 64,
    /* On the program's stack. */
    KEY = -4,
    VALUE = -16,
    MESSAGE = -40,
    MESSAGE_TID = 8,
    MESSAGE_COUNT = 12,
    MESSAGE_BYTES = 20, /* with its size it fills words */
    PROGRAM_MAX = 48
};

/* ---- a program, instruction by instruction ---- */

struct program {
    struct bpf_insn code[PROGRAM_MAX];
    int n;
};

static void put(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t offset,
                int32_t value)
{
    assert(p->n < PROGRAM_MAX);
    p->code[p->n++] = (struct bpf_insn){
        .code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = offset, .imm = value};
}

static void set(struct program *p, uint8_t dst, int32_t value)
{
    put(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}
static void copy(struct program *p, uint8_t dst, uint8_t src)
{
    put(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}
static void load(struct program *p, uint8_t size, uint8_t dst, uint8_t from, int offset)
{
    put(p, (uint8_t)(BPF_LDX | BPF_MEM | size), dst, from, (int16_t)offset, 0);
}
static void store(struct program *p, uint8_t size, uint8_t to, int offset, uint8_t src)
{
    put(p, (uint8_t)(BPF_STX | BPF_MEM | size), to, src, (int16_t)offset, 0);
}
static void store_zero(struct program *p, int offset)
{
    put(p, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, (int16_t)offset, 0);
}
static void call(struct program *p, int32_t function)
{
    put(p, BPF_JMP | BPF_CALL, 0, 0, 0, function);
}
static void load_map(struct program *p, uint8_t dst, int fd)
{
    put(p, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, fd);
    put(p, 0, 0, 0, 0, 0);
}
static void stack_address(struct program *p, uint8_t dst, int offset)
{
    copy(p, dst, BPF_REG_10);
    put(p, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, offset);
}
/* A jump whose end is set by land(). */
static int jump(struct program *p, uint8_t condition, uint8_t reg, int32_t value)
{
    put(p, (uint8_t)(BPF_JMP | condition | BPF_K), reg, 0, 0, value);
    return p->n - 1;
}
static void land(struct program *p, int from)
{
    p->code[from].off = (int16_t)(p->n - from - 1);
}
static void end(struct program *p)
{
    set(p, BPF_REG_0, 1); /* 0 would hide the event from everybody */
    put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* r0 = what the map holds of the number at `field` of the tracepoint, or NULL. The
 * tracepoint is r6 from here on. */
static void find_tid(struct program *p, int map, struct perf_field field)
{
    copy(p, BPF_REG_6, BPF_REG_1);
    load(p, BPF_W, BPF_REG_2, BPF_REG_6, field.offset);
    store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    load_map(p, BPF_REG_1, map);
    stack_address(p, BPF_REG_2, KEY);
    call(p, BPF_FUNC_map_lookup_elem);
}

static void on_wake(struct program *p, const struct perf_watch *w)
{
    find_tid(p, w->tids, w->woken);
    int unknown = jump(p, BPF_JEQ, BPF_REG_0, 0);
    copy(p, BPF_REG_7, BPF_REG_0);
    call(p, BPF_FUNC_ktime_get_ns);
    load(p, BPF_DW, BPF_REG_1, BPF_REG_7, 0); /* when it was woken last */
    store(p, BPF_DW, BPF_REG_7, 0, BPF_REG_0);
    put(p, BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_0, BPF_REG_1, 0, 0);
    set(p, BPF_REG_9, 1);
    int seldom = jump(p, BPF_JGT, BPF_REG_0, OFTEN_NS);
    call(p, BPF_FUNC_get_prandom_u32);
    put(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0, ONE_IN - 1);
    set(p, BPF_REG_9, ONE_IN);
    int another = jump(p, BPF_JNE, BPF_REG_0, 0);
    land(p, seldom);
    for (int at = MESSAGE; at < MESSAGE + 24; at += 8)
        store_zero(p, at);
    load(p, BPF_W, BPF_REG_1, BPF_REG_10, KEY);
    store(p, BPF_W, BPF_REG_10, MESSAGE + MESSAGE_TID, BPF_REG_1);
    store(p, BPF_W, BPF_REG_10, MESSAGE + MESSAGE_COUNT, BPF_REG_9);
    copy(p, BPF_REG_1, BPF_REG_6);
    load_map(p, BPF_REG_2, w->events);
    put(p, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, -1); /* BPF_F_CURRENT_CPU */
    stack_address(p, BPF_REG_4, MESSAGE);
    set(p, BPF_REG_5, MESSAGE_BYTES);
    call(p, BPF_FUNC_perf_event_output);
    land(p, unknown);
    land(p, another);
    end(p);
}

static void on_child(struct program *p, const struct perf_watch *w)
{
    find_tid(p, w->tids, w->parent);
    int unknown = jump(p, BPF_JEQ, BPF_REG_0, 0);
    load(p, BPF_W, BPF_REG_2, BPF_REG_6, w->child.offset);
    store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    store_zero(p, VALUE);
    load_map(p, BPF_REG_1, w->tids);
    stack_address(p, BPF_REG_2, KEY);
    stack_address(p, BPF_REG_3, VALUE);
    set(p, BPF_REG_4, BPF_ANY);
    call(p, BPF_FUNC_map_update_elem);
    land(p, unknown);
    end(p);
}

static void on_end(struct program *p, const struct perf_watch *w)
{
    load(p, BPF_W, BPF_REG_2, BPF_REG_1, w->ended.offset);
    store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    load_map(p, BPF_REG_1, w->tids);
    stack_address(p, BPF_REG_2, KEY);
    call(p, BPF_FUNC_map_delete_elem);
    end(p);
}

/* ---- into the kernel ---- */

static int bpf(enum bpf_cmd command, union bpf_attr *a)
{
    long rc = syscall(SYS_bpf, command, a, sizeof *a);
    return rc < 0 ? -errno : (int)rc;
}

/* The file descriptor, kept for the end; negative: refused. */
static int keep(struct perf_watch *w, int fd)
{
    assert(w->fd_count < PERF_WATCH_FDS);
    if (fd >= 0)
        w->fds[w->fd_count++] = fd;
    return fd;
}

static int make_map(struct perf_watch *w, uint32_t type, uint32_t value_bytes, uint32_t entries)
{
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.map_type = type;
    a.key_size = 4;
    a.value_size = value_bytes;
    a.max_entries = entries;
    return keep(w, bpf(BPF_MAP_CREATE, &a));
}

static bool put_entry(int map, uint32_t key, const void *value)
{
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.map_fd = (uint32_t)map;
    a.key = (uintptr_t)&key;
    a.value = (uintptr_t)value;
    return bpf(BPF_MAP_UPDATE_ELEM, &a) == 0;
}

/* It runs at every event of the tracepoint, on all CPUs, until the end. */
static bool attach(struct perf_watch *w, const struct program *p, uint64_t point)
{
    union bpf_attr a;
    struct perf_event_attr counts = {
        .size = sizeof counts, .type = PERF_TYPE_TRACEPOINT, .config = point};
    memset(&a, 0, sizeof a);
    a.prog_type = BPF_PROG_TYPE_TRACEPOINT;
    a.insn_cnt = (uint32_t)p->n;
    a.insns = (uintptr_t)p->code;
    a.license = (uintptr_t) "Dual MIT/GPL"; /* what the kernel wants to hear for its helpers */
    int program = keep(w, bpf(BPF_PROG_LOAD, &a));
    if (program < 0)
        return false;
    long fd = syscall(SYS_perf_event_open, &counts, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
    return fd >= 0 && ioctl(keep(w, (int)fd), PERF_EVENT_IOC_SET_BPF, program) == 0;
}

/* Who is known from the beginning: ourselves, of whom the program will be a child,
 * or all threads that it has. */
static bool know(const struct perf_watch *w, const struct perf_options *o)
{
    const uint64_t never = 0;
    char path[40];
    bool any = put_entry(w->tids, (uint32_t)o->pid, &never);
    snprintf(path, sizeof path, "/proc/%d/task", o->pid);
    DIR *tasks = o->running ? opendir(path) : NULL;
    for (struct dirent *t; tasks && (t = readdir(tasks)) != NULL;) {
        uint32_t tid = (uint32_t)strtoul(t->d_name, NULL, 10);
        if (tid)
            any &= put_entry(w->tids, tid, &never);
    }
    if (tasks)
        closedir(tasks);
    return any;
}

static bool load_all(struct perf_watch *w)
{
    struct perf_point waking, fork, exit;
    struct program p = {.n = 0};
    if (!perf_point_read("sched/sched_waking", &waking) ||
        !perf_point_read("sched/sched_process_fork", &fork) ||
        !perf_point_read("sched/sched_process_exit", &exit))
        return false;
    w->woken = perf_point_field(&waking, "pid");
    w->parent = perf_point_field(&fork, "parent_pid");
    w->child = perf_point_field(&fork, "child_pid");
    w->ended = perf_point_field(&exit, "pid");
    if (w->woken.bytes != 4 || w->parent.bytes != 4 || w->child.bytes != 4 || w->ended.bytes != 4)
        return false;
    on_child(&p, w);
    if (!attach(w, &p, fork.id))
        return false;
    p.n = 0;
    on_end(&p, w);
    if (!attach(w, &p, exit.id))
        return false;
    p.n = 0;
    on_wake(&p, w);
    return attach(w, &p, waking.id);
}

static bool add_events(struct perf_events *e, const struct perf_event_attr *like)
{
    struct perf_event_attr a = *like;
    bool any = false;
    a.type = PERF_TYPE_SOFTWARE;
    a.config = PERF_COUNT_SW_BPF_OUTPUT;
    a.freq = 0;
    a.sample_period = 1;
    for (unsigned cpu = 0; cpu < e->ring_count; cpu++) {
        int fd = perf_events_add_cpu(e, &a, cpu, PERF_EVENT_WAKE);
        any |= fd >= 0 && put_entry(e->watch.events, cpu, &fd);
    }
    return any;
}

bool perf_watch_open(struct perf_events *e, const struct perf_event_attr *like,
                     const struct perf_options *o)
{
    struct perf_watch *w = &e->watch;
    size_t before = e->fd_count;
    w->tids = make_map(w, BPF_MAP_TYPE_HASH, sizeof(uint64_t), TIDS_MAX);
    w->events = make_map(w, BPF_MAP_TYPE_PERF_EVENT_ARRAY, sizeof(uint32_t), e->ring_count);
    if (w->tids >= 0 && w->events >= 0 && know(w, o) && add_events(e, like) && load_all(w)) {
        e->fields.wake_pid = (struct perf_field){MESSAGE_TID, 4};
        e->fields.wake_count = (struct perf_field){MESSAGE_COUNT, 4};
        return true;
    }
    while (e->fd_count > before)
        close(e->fds[--e->fd_count]);
    perf_watch_close(w);
    return false;
}

void perf_watch_close(struct perf_watch *w)
{
    while (w->fd_count > 0)
        close(w->fds[--w->fd_count]);
}
