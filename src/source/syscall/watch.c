/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Five programs in the kernel. Those of the scheduler's tracepoints know who
 * belongs to the program; the two at every system call of the machine look the
 * thread up and pass by if it is none of them.
 *
 *   sched_process_fork    the parent is known: so is the child
 *   sched_process_exec    the thread that does it takes its leader's number
 *   sched_process_exit    forget it
 *   sys_enter             note which call, and when
 *   sys_exit              add its time to the thread's sums of that call
 *
 * Sums are of one thread, which is the only one that writes them: nothing in
 * here is atomic but the few counts of what found no room.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/kernel_aside.h"
#include "source/kernel_point.h"
#include "source/kernel_program.h"
#include "source/syscall/syscall.h"

enum {
    /* On the program's stack. */
    TID = -8,
    ENTERED = -16,
    STATE = -40,
    KEY = -64,
    ONE = -72,
    LONGEST_SHIFT = 36, /* the last power of two of the times */
    ERRNO_MAX = 4095
};
_Static_assert(sizeof(struct syscall_state) == STATE * -1 + ENTERED, "fits its place");
_Static_assert(sizeof(struct syscall_key) == 16 && sizeof(struct syscall_failed) == 8,
               "as the programs write them");

#define STATE_OF(member) (STATE + (int)offsetof(struct syscall_state, member))
#define KEY_OF(member) (KEY + (int)offsetof(struct syscall_key, member))

/* r0 = the state of the thread that runs, or NULL; r9 = its process. */
static void find_current(struct kernel_program *p, const struct syscall_watch *w)
{
    op_call(p, BPF_FUNC_get_current_pid_tgid);
    op_store(p, BPF_W, BPF_REG_10, TID, BPF_REG_0);
    op_copy(p, BPF_REG_9, BPF_REG_0);
    op_by(p, BPF_RSH, BPF_REG_9, 32);
    op_map(p, BPF_REG_1, w->threads);
    op_place(p, BPF_REG_2, TID);
    op_call(p, BPF_FUNC_map_lookup_elem);
}

/* Arguments: registers, number of the call. */
static void on_enter(struct kernel_program *p, const struct syscall_watch *w)
{
    op_copy(p, BPF_REG_6, BPF_REG_1);
    find_current(p, w);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, offsetof(struct syscall_state, flags));
    op_by(p, BPF_AND, BPF_REG_1, SYSCALL_ROOT);
    int root = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_6, 8);
    op_store(p, BPF_W, BPF_REG_7, offsetof(struct syscall_state, call), BPF_REG_1);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_store(p, BPF_DW, BPF_REG_7, offsetof(struct syscall_state, entered_ns), BPF_REG_0);
    op_land(p, unknown);
    op_land(p, root);
    op_end(p);
}

/* Nothing before the exec counts, and the exec itself does. `out`: jumps to the end. */
static void before_exec(struct kernel_program *p, int out[2])
{
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, offsetof(struct syscall_state, flags));
    int watched = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, offsetof(struct syscall_state, call));
    int exec = op_jump(p, BPF_JEQ, BPF_REG_1, SYS_execve);
    out[0] = op_jump(p, BPF_JNE, BPF_REG_1, SYS_execveat);
    op_land(p, exec);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_6, 8);
    out[1] = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    op_store_number(p, BPF_W, BPF_REG_7, offsetof(struct syscall_state, flags), 0);
    op_land(p, watched);
}

/* counts[field] += 1, atomically. r0 to r5 are lost. */
static void count(struct kernel_program *p, const struct syscall_watch *w, size_t field)
{
    op_store_number(p, BPF_DW, BPF_REG_10, ONE, 0);
    op_map(p, BPF_REG_1, w->counts);
    op_place(p, BPF_REG_2, ONE);
    op_call(p, BPF_FUNC_map_lookup_elem);
    int none = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_set(p, BPF_REG_1, 1);
    /* What later headers call BPF_ATOMIC | BPF_ADD. */
    op(p, BPF_STX | BPF_XADD | BPF_DW, BPF_REG_0, BPF_REG_1, (int16_t)field, 0);
    op_land(p, none);
}

static void find_sums(struct kernel_program *p, const struct syscall_watch *w)
{
    op_map(p, BPF_REG_1, w->sums);
    op_place(p, BPF_REG_2, KEY);
    op_call(p, BPF_FUNC_map_lookup_elem);
}

/* r7 = the sums of KEY, made if there are none; the jump to the end if there is no room. */
static int sums_of_key(struct kernel_program *p, const struct syscall_watch *w)
{
    find_sums(p, w);
    int known = op_jump(p, BPF_JNE, BPF_REG_0, 0);
    op_store_number(p, BPF_DW, BPF_REG_10, ONE, 0);
    op_map(p, BPF_REG_1, w->blank); /* larger than the stack */
    op_place(p, BPF_REG_2, ONE);
    op_call(p, BPF_FUNC_map_lookup_elem);
    int none = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_3, BPF_REG_0);
    op_map(p, BPF_REG_1, w->sums);
    op_place(p, BPF_REG_2, KEY);
    op_set(p, BPF_REG_4, BPF_NOEXIST);
    op_call(p, BPF_FUNC_map_update_elem);
    find_sums(p, w);
    int made = op_jump(p, BPF_JNE, BPF_REG_0, 0);
    op_land(p, none);
    count(p, w, offsetof(struct syscall_counts, lost));
    int full = op_jump(p, BPF_JA, 0, 0);
    op_land(p, made);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_store(p, BPF_W, BPF_REG_7, offsetof(struct syscall_sums, pid), BPF_REG_9);
    op_copy(p, BPF_REG_1, BPF_REG_7);
    op_by(p, BPF_ADD, BPF_REG_1, offsetof(struct syscall_sums, comm));
    op_set(p, BPF_REG_2, sizeof((struct syscall_sums *)NULL)->comm);
    op_call(p, BPF_FUNC_get_current_comm);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_store(p, BPF_DW, BPF_REG_7, offsetof(struct syscall_sums, made_ns), BPF_REG_0);
    count(p, w, offsetof(struct syscall_counts, made));
    op_copy(p, BPF_REG_0, BPF_REG_7);
    op_land(p, known);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    return full;
}

/* r5 = the power of two of r4, which is at least 1. r1 is lost. */
static void power_of_two(struct kernel_program *p)
{
    op_set(p, BPF_REG_5, 0);
    for (int by = 32; by > 0; by /= 2) {
        op_copy(p, BPF_REG_1, BPF_REG_4);
        op_by(p, BPF_RSH, BPF_REG_1, by);
        int small = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
        op_copy(p, BPF_REG_4, BPF_REG_1);
        op_by(p, BPF_ADD, BPF_REG_5, by);
        op_land(p, small);
    }
}

/* One more in times[] of r7, of r8 nanoseconds. */
static void add_time(struct kernel_program *p)
{
    op_copy(p, BPF_REG_3, BPF_REG_8);
    int enough = op_jump(p, BPF_JGE, BPF_REG_3, 1 << SYSCALL_FIRST_POWER);
    op_set(p, BPF_REG_3, 1 << SYSCALL_FIRST_POWER);
    op_land(p, enough);
    op_copy(p, BPF_REG_1, BPF_REG_3);
    op_by(p, BPF_RSH, BPF_REG_1, LONGEST_SHIFT + 1);
    int short_enough = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    op_set(p, BPF_REG_3, -1);
    op_by(p, BPF_RSH, BPF_REG_3, 64 - LONGEST_SHIFT - 1);
    op_land(p, short_enough);
    op_copy(p, BPF_REG_4, BPF_REG_3);
    power_of_two(p);
    op_copy(p, BPF_REG_1, BPF_REG_5);
    op_by(p, BPF_SUB, BPF_REG_1, 3); /* of SYSCALL_PARTS */
    op_with(p, BPF_RSH, BPF_REG_3, BPF_REG_1);
    op_by(p, BPF_AND, BPF_REG_3, SYSCALL_PARTS - 1);
    op_by(p, BPF_SUB, BPF_REG_5, SYSCALL_FIRST_POWER);
    op_by(p, BPF_LSH, BPF_REG_5, 3);
    op_with(p, BPF_ADD, BPF_REG_5, BPF_REG_3);
    op_by(p, BPF_AND, BPF_REG_5, SYSCALL_TIMES - 1);
    op_by(p, BPF_LSH, BPF_REG_5, 2);
    op_copy(p, BPF_REG_1, BPF_REG_7);
    op_with(p, BPF_ADD, BPF_REG_1, BPF_REG_5);
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct syscall_sums, times));
    op_by(p, BPF_ADD, BPF_REG_2, 1);
    op_store(p, BPF_W, BPF_REG_1, offsetof(struct syscall_sums, times), BPF_REG_2);
}

/* sums.field += src */
static void add_to(struct kernel_program *p, int field, uint8_t src)
{
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, field);
    op_with(p, BPF_ADD, BPF_REG_1, src);
    op_store(p, BPF_DW, BPF_REG_7, field, BPF_REG_1);
}

static void add_sums(struct kernel_program *p)
{
    op_set(p, BPF_REG_2, 1);
    add_to(p, offsetof(struct syscall_sums, count), BPF_REG_2);
    add_to(p, offsetof(struct syscall_sums, total_ns), BPF_REG_8);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, offsetof(struct syscall_sums, max_ns));
    op(p, BPF_JMP | BPF_JGE | BPF_X, BPF_REG_1, BPF_REG_8, 1, 0);
    op_store(p, BPF_DW, BPF_REG_7, offsetof(struct syscall_sums, max_ns), BPF_REG_8);
    add_time(p);
}

/* The call answered with an error, r1 = -errno: one more of these. */
static void add_error(struct kernel_program *p)
{
    int done[SYSCALL_FAILED];
    op_by(p, BPF_MUL, BPF_REG_1, -1);
    op_copy(p, BPF_REG_8, BPF_REG_1);
    op_set(p, BPF_REG_2, 1);
    add_to(p, offsetof(struct syscall_sums, errors), BPF_REG_2);
    for (int i = 0; i < SYSCALL_FAILED; i++) {
        const int at = (int)offsetof(struct syscall_sums, failed) + i * 8;
        op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, at);
        op(p, BPF_JMP | BPF_JEQ | BPF_X, BPF_REG_1, BPF_REG_8, 2, 0);
        int other = op_jump(p, BPF_JNE, BPF_REG_1, 0);
        op_store(p, BPF_W, BPF_REG_7, at, BPF_REG_8);
        op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, at + 4);
        op_by(p, BPF_ADD, BPF_REG_1, 1);
        op_store(p, BPF_W, BPF_REG_7, at + 4, BPF_REG_1);
        done[i] = op_jump(p, BPF_JA, 0, 0);
        op_land(p, other);
    }
    for (int i = 0; i < SYSCALL_FAILED; i++)
        op_land(p, done[i]);
}

/* Arguments: registers, what the call returned. */
static void on_exit_of_call(struct kernel_program *p, const struct syscall_watch *w)
{
    int unready[2];
    op_copy(p, BPF_REG_6, BPF_REG_1);
    find_current(p, w);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_load(p, BPF_DW, BPF_REG_8, BPF_REG_7, offsetof(struct syscall_state, entered_ns));
    int unseen = op_jump(p, BPF_JEQ, BPF_REG_8, 0);
    op_store_number(p, BPF_DW, BPF_REG_7, offsetof(struct syscall_state, entered_ns), 0);
    before_exec(p, unready);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, offsetof(struct syscall_state, born_ns));
    op_store(p, BPF_DW, BPF_REG_10, KEY_OF(born_ns), BPF_REG_1);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_10, TID);
    op_store(p, BPF_W, BPF_REG_10, KEY_OF(tid), BPF_REG_1);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, offsetof(struct syscall_state, call));
    op_store(p, BPF_W, BPF_REG_10, KEY_OF(call), BPF_REG_1);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_with(p, BPF_SUB, BPF_REG_0, BPF_REG_8);
    op_copy(p, BPF_REG_8, BPF_REG_0);
    int full = sums_of_key(p, w);
    add_sums(p);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_6, 8);
    int good = op_jump(p, BPF_JSGE, BPF_REG_1, 0);
    int pointer = op_jump(p, BPF_JSLT, BPF_REG_1, -ERRNO_MAX);
    add_error(p);
    op_land(p, good);
    op_land(p, pointer);
    op_land(p, full);
    op_land(p, unready[0]);
    op_land(p, unready[1]);
    op_land(p, unseen);
    op_land(p, unknown);
    op_end(p);
}

/* ---- who belongs to it ---- */

/* r0 = the state of the number at `field` of the tracepoint (r6 from here on), or NULL. */
static void find_field(struct kernel_program *p, const struct syscall_watch *w,
                       struct kernel_field field)
{
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_6, field.offset);
    op_store(p, BPF_W, BPF_REG_10, TID, BPF_REG_1);
    op_map(p, BPF_REG_1, w->threads);
    op_place(p, BPF_REG_2, TID);
    op_call(p, BPF_FUNC_map_lookup_elem);
}

/* threads[TID] = STATE */
static void put_state(struct kernel_program *p, const struct syscall_watch *w)
{
    op_map(p, BPF_REG_1, w->threads);
    op_place(p, BPF_REG_2, TID);
    op_place(p, BPF_REG_3, STATE);
    op_set(p, BPF_REG_4, BPF_ANY);
    op_call(p, BPF_FUNC_map_update_elem);
}

static void on_child(struct kernel_program *p, const struct syscall_watch *w,
                     struct kernel_field parent, struct kernel_field child)
{
    op_copy(p, BPF_REG_6, BPF_REG_1);
    find_field(p, w, parent);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_load(p, BPF_W, BPF_REG_7, BPF_REG_0, offsetof(struct syscall_state, flags));
    int plain = op_jump(p, BPF_JEQ, BPF_REG_7, 0);
    op_set(p, BPF_REG_7, SYSCALL_BEFORE);
    op_land(p, plain);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_store(p, BPF_DW, BPF_REG_10, STATE_OF(born_ns), BPF_REG_0);
    op_store_number(p, BPF_DW, BPF_REG_10, STATE_OF(entered_ns), 0);
    op_store_number(p, BPF_W, BPF_REG_10, STATE_OF(call), 0);
    op_store(p, BPF_W, BPF_REG_10, STATE_OF(flags), BPF_REG_7);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_6, child.offset);
    op_store(p, BPF_W, BPF_REG_10, TID, BPF_REG_1);
    put_state(p, w);
    int put = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    count(p, w, offsetof(struct syscall_counts, unwatched));
    op_land(p, put);
    op_land(p, unknown);
    op_end(p);
}

static void remove_tid(struct kernel_program *p, const struct syscall_watch *w)
{
    op_map(p, BPF_REG_1, w->threads);
    op_place(p, BPF_REG_2, TID);
    op_call(p, BPF_FUNC_map_delete_elem);
}

/* A thread that is not the first and does an exec goes on under the number of the first, which
 * has ended meanwhile. */
static void on_exec(struct kernel_program *p, const struct syscall_watch *w,
                    struct kernel_field now, struct kernel_field before)
{
    op_copy(p, BPF_REG_6, BPF_REG_1);
    op_load(p, BPF_W, BPF_REG_7, BPF_REG_6, now.offset);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_6, before.offset);
    op(p, BPF_JMP | BPF_JNE | BPF_X, BPF_REG_1, BPF_REG_7, 1, 0);
    int same = op_jump(p, BPF_JA, 0, 0);
    find_field(p, w, before);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    for (int i = 0; i < (int)sizeof(struct syscall_state); i += 8) {
        op_load(p, BPF_DW, BPF_REG_1, BPF_REG_0, i);
        op_store(p, BPF_DW, BPF_REG_10, STATE + i, BPF_REG_1);
    }
    remove_tid(p, w);
    op_store(p, BPF_W, BPF_REG_10, TID, BPF_REG_7);
    put_state(p, w);
    op_land(p, unknown);
    op_land(p, same);
    op_end(p);
}

static void on_end(struct kernel_program *p, const struct syscall_watch *w,
                   struct kernel_field ended)
{
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_1, ended.offset);
    op_store(p, BPF_W, BPF_REG_10, TID, BPF_REG_2);
    remove_tid(p, w);
    op_end(p);
}

/* ---- into the kernel ---- */

/* A file descriptor, kept for the end; negative: refused. */
static int keep(struct syscall_watch *w, int fd)
{
    assert(w->fd_count < SYSCALL_FDS);
    if (fd >= 0)
        w->fds[w->fd_count++] = fd;
    return fd;
}

static int attach(struct syscall_watch *w, const struct kernel_program *p, uint64_t point,
                  const char *name)
{
    int program = keep(w, kernel_program_load(p, BPF_PROG_TYPE_TRACEPOINT, name));
    return program < 0 ? program : keep(w, kernel_program_at_point(program, point));
}

static int attach_raw(struct syscall_watch *w, const struct kernel_program *p, const char *point)
{
    int program = keep(w, kernel_program_load(p, BPF_PROG_TYPE_RAW_TRACEPOINT, point));
    return program < 0 ? program : keep(w, kernel_program_at_raw_point(program, point));
}

static int make_maps(struct syscall_watch *w)
{
    w->threads = keep(w, kernel_map_make(BPF_MAP_TYPE_HASH, sizeof(uint32_t),
                                         sizeof(struct syscall_state), SYSCALL_THREADS));
    w->sums = keep(w, kernel_map_make(BPF_MAP_TYPE_HASH, sizeof(struct syscall_key),
                                      sizeof(struct syscall_sums), SYSCALL_SUMS));
    w->blank = keep(
        w, kernel_map_make(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct syscall_sums), 1));
    w->counts = keep(
        w, kernel_map_make(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct syscall_counts), 1));
    return w->threads < 0  ? w->threads
           : w->sums < 0   ? w->sums
           : w->blank < 0  ? w->blank
           : w->counts < 0 ? w->counts
                           : 0;
}

/* Those of the scheduler. */
static int watch_threads(struct syscall_watch *w)
{
    struct kernel_point fork, exec, exit;
    struct kernel_program p = {.n = 0};
    if (!kernel_point_read("sched/sched_process_fork", &fork) ||
        !kernel_point_read("sched/sched_process_exec", &exec) ||
        !kernel_point_read("sched/sched_process_exit", &exit))
        return -EACCES;
    const struct kernel_field parent = kernel_point_field(&fork, "parent_pid"),
                              child = kernel_point_field(&fork, "child_pid"),
                              now = kernel_point_field(&exec, "pid"),
                              before = kernel_point_field(&exec, "old_pid"),
                              ended = kernel_point_field(&exit, "pid");
    if (parent.bytes != 4 || child.bytes != 4 || now.bytes != 4 || before.bytes != 4 ||
        ended.bytes != 4)
        return -ENOSYS;
    on_child(&p, w, parent, child);
    int rc = attach(w, &p, fork.id, "fork");
    p.n = 0;
    on_exec(&p, w, now, before);
    if (rc >= 0)
        rc = attach(w, &p, exec.id, "exec");
    p.n = 0;
    on_end(&p, w, ended);
    return rc < 0 ? rc : attach(w, &p, exit.id, "exit");
}

static int watch_calls(struct syscall_watch *w)
{
    struct kernel_program p = {.n = 0};
    on_enter(&p, w);
    int rc = attach_raw(w, &p, "sys_enter");
    p.n = 0;
    on_exit_of_call(&p, w);
    return rc < 0 ? rc : attach_raw(w, &p, "sys_exit");
}

static int know(struct syscall_watch *w, uint32_t tid, uint32_t flags)
{
    const struct syscall_state state = {.born_ns = clock_mono_ns(), .flags = flags};
    return kernel_map_put(w->threads, &tid, &state);
}

/* All threads it has; children of theirs introduce themselves from now on. */
static int know_threads(struct syscall_watch *w, int32_t pid)
{
    char path[40];
    struct syscall_state known;
    int found = 0, again = 1;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    while (again) { /* one that began while we read has a parent that we may not have known */
        DIR *tasks = opendir(path);
        again = 0;
        if (!tasks)
            return found ? 0 : -ESRCH;
        for (struct dirent *t; (t = readdir(tasks)) != NULL;) {
            uint32_t tid = (uint32_t)strtoul(t->d_name, NULL, 10);
            if (tid && kernel_map_get(w->threads, &tid, &known) != 0 && know(w, tid, 0) == 0)
                again = found = 1;
        }
        closedir(tasks);
    }
    return 0;
}

static int refused(struct oriel_err *err, int rc)
{
    if (rc == -EPERM || rc == -EACCES)
        return err_set(err, ORIEL_EPERM,
                       "this system does not let you run programs in the kernel: be root, or have "
                       "CAP_BPF and CAP_PERFMON and be let into /sys/kernel/tracing");
    if (rc == -ESRCH)
        return err_set(err, ORIEL_ENOTFOUND, "the process is gone");
    return err_set(err, ORIEL_EUNSUPPORTED,
                   "this kernel cannot (Linux 4.17 and later with CONFIG_BPF_EVENTS and "
                   "CONFIG_FTRACE_SYSCALLS can): error %d",
                   -rc);
}

int syscall_watch_open(struct syscall_watch *w, const struct syscall_options *o,
                       struct oriel_err *err)
{
    *w = (struct syscall_watch){.fd_count = 0};
    if (!kernel_point_numbers_are_ours())
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "in a PID namespace of its own the kernel's numbers are not ours: record "
                       "from outside of the container");
    int rc = make_maps(w);
    if (rc >= 0)
        rc = watch_threads(w);
    if (rc >= 0)
        rc = o->running ? know_threads(w, o->pid) : know(w, (uint32_t)o->pid, SYSCALL_ROOT);
    if (rc >= 0)
        rc = watch_calls(w);
    if (rc >= 0)
        return 0;
    syscall_watch_close(w);
    return refused(err, rc);
}

void syscall_watch_close(struct syscall_watch *w)
{
    kernel_close_aside(w->fds, (size_t)w->fd_count);
    w->fd_count = 0;
}
