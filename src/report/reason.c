/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A table of functions in which threads wait. What says more comes first: a
 * mutex waits in a futex, a pipe in a read.
 */
#include "report/reason.h"

#include <assert.h>
#include <string.h>

#include "model/batch.h"
#include "oriel/abi/record.h"
#include "report/glue.h"

enum {
    USER_FRAMES = 8 /* further out the program waits for what its own functions are called */
};

static const char *const texts[REASON_COUNT] = {
    [REASON_UNKNOWN] = "not known",     [REASON_LOCK] = "a lock",
    [REASON_CONDITION] = "a condition", [REASON_SEMAPHORE] = "a semaphore",
    [REASON_BARRIER] = "a barrier",     [REASON_THREAD] = "a thread to end",
    [REASON_FUTEX] = "a futex",         [REASON_TIME] = "time to pass",
    [REASON_PIPE] = "a pipe",           [REASON_SOCKET] = "a socket",
    [REASON_TERMINAL] = "a terminal",   [REASON_COUNTER] = "an event counter",
    [REASON_DISK] = "the disk",         [REASON_MEMORY] = "memory to be filled",
    [REASON_READ] = "data to read",     [REASON_WRITE] = "room to write",
    [REASON_EVENTS] = "events",         [REASON_CHILD] = "a child process",
    [REASON_PEER] = "a connection",     [REASON_FILE_LOCK] = "a file lock",
    [REASON_SIGNAL] = "a signal",       [REASON_OTHER] = "another system call",
};

const char *reason_text(enum reason r)
{
    assert((unsigned)r < REASON_COUNT);
    return texts[r];
}

/* Names without what stands before them: underscores, "x64_sys_", "libc_", "GI_". A
 * '*' at the end takes any rest. `says`: the greater, the more it says. */
static const struct {
    const char *name;
    uint8_t reason, says;
} names[] = {
    {"pthread_mutex_*", REASON_LOCK, 3},
    {"pthread_rwlock_*", REASON_LOCK, 3},
    {"pthread_spin_*", REASON_LOCK, 3},
    {"lll_lock_wait*", REASON_LOCK, 2},
    {"pthread_cond_*", REASON_CONDITION, 4}, /* it takes its mutex again */
    {"cnd_*", REASON_CONDITION, 4},
    {"mtx_*", REASON_LOCK, 3},
    {"sem_wait*", REASON_SEMAPHORE, 3},
    {"sem_timedwait*", REASON_SEMAPHORE, 3},
    {"sem_clockwait*", REASON_SEMAPHORE, 3},
    {"new_sem_*", REASON_SEMAPHORE, 3},
    {"pthread_barrier_*", REASON_BARRIER, 3},
    {"pthread_join*", REASON_THREAD, 3},
    {"pthread_clockjoin*", REASON_THREAD, 3},
    {"pthread_timedjoin*", REASON_THREAD, 3},
    {"futex*", REASON_FUTEX, 1},
    {"do_futex", REASON_FUTEX, 1},
    {"nanosleep*", REASON_TIME, 2},
    {"clock_nanosleep*", REASON_TIME, 2},
    {"hrtimer_nanosleep", REASON_TIME, 2},
    {"do_nanosleep", REASON_TIME, 2},
    {"pipe_read", REASON_PIPE, 2},
    {"pipe_write", REASON_PIPE, 2},
    {"anon_pipe_read", REASON_PIPE, 2},
    {"anon_pipe_write", REASON_PIPE, 2},
    {"fifo_open", REASON_PIPE, 2},
    {"wait_for_partner", REASON_PIPE, 2},
    {"sock_recvmsg", REASON_SOCKET, 2},
    {"sock_sendmsg", REASON_SOCKET, 2},
    {"sock_read_iter", REASON_SOCKET, 2},
    {"sock_write_iter", REASON_SOCKET, 2},
    {"tcp_recvmsg*", REASON_SOCKET, 2},
    {"unix_stream_read_generic", REASON_SOCKET, 2},
    {"skb_wait_for_more_packets", REASON_SOCKET, 2},
    {"n_tty_read", REASON_TERMINAL, 2},
    {"n_tty_write", REASON_TERMINAL, 2},
    {"eventfd_read", REASON_COUNTER, 2},
    {"signalfd_read*", REASON_SIGNAL, 2},
    {"timerfd_read*", REASON_TIME, 2},
    {"io_schedule*", REASON_DISK, 3},
    {"fsync", REASON_DISK, 2},
    {"fdatasync", REASON_DISK, 2},
    {"msync", REASON_DISK, 2},
    {"sync_file_range", REASON_DISK, 2},
    {"asm_exc_page_fault", REASON_MEMORY, 1},
    {"exc_page_fault", REASON_MEMORY, 1},
    {"do_user_addr_fault", REASON_MEMORY, 1},
    {"read", REASON_READ, 1},
    {"readv", REASON_READ, 1},
    {"pread64", REASON_READ, 1},
    {"recv", REASON_SOCKET, 1},
    {"recvfrom", REASON_SOCKET, 1},
    {"recvmsg", REASON_SOCKET, 1},
    {"recvmmsg", REASON_SOCKET, 1},
    {"write", REASON_WRITE, 1},
    {"writev", REASON_WRITE, 1},
    {"pwrite64", REASON_WRITE, 1},
    {"send", REASON_SOCKET, 1},
    {"sendto", REASON_SOCKET, 1},
    {"sendmsg", REASON_SOCKET, 1},
    {"poll", REASON_EVENTS, 2},
    {"ppoll", REASON_EVENTS, 2},
    {"select", REASON_EVENTS, 2},
    {"pselect*", REASON_EVENTS, 2},
    {"epoll_wait", REASON_EVENTS, 2},
    {"epoll_pwait*", REASON_EVENTS, 2},
    {"do_epoll_wait", REASON_EVENTS, 2},
    {"do_poll*", REASON_EVENTS, 2},
    {"do_select", REASON_EVENTS, 2},
    {"io_uring_enter", REASON_EVENTS, 1},
    {"wait4", REASON_CHILD, 2},
    {"waitid", REASON_CHILD, 2},
    {"waitpid", REASON_CHILD, 2},
    {"do_wait", REASON_CHILD, 2},
    {"accept", REASON_PEER, 2},
    {"accept4", REASON_PEER, 2},
    {"inet_csk_accept", REASON_PEER, 2},
    {"connect", REASON_PEER, 2},
    {"flock", REASON_FILE_LOCK, 2},
    {"fcntl_setlk", REASON_FILE_LOCK, 3},
    {"pause", REASON_SIGNAL, 2},
    {"sigsuspend", REASON_SIGNAL, 2},
    {"sigtimedwait*", REASON_SIGNAL, 2},
    {"rt_sigtimedwait", REASON_SIGNAL, 2},
    {"sigwait*", REASON_SIGNAL, 2},
};

static struct model_str bare(struct model_str s)
{
    static const char *const before[] = {"x64_sys_", "ia32_sys_", "arm64_sys_",
                                         "se_sys_",  "do_sys_",   "ksys_",
                                         "libc_",    "GI_",       "new_sem_"};
    for (size_t i = 0; i < sizeof before / sizeof *before;) {
        size_t n = strlen(before[i]);
        while (s.n && *s.p == '_')
            s = (struct model_str){s.p + 1, s.n - 1};
        if (s.n > n && memcmp(s.p, before[i], n) == 0) {
            s = (struct model_str){s.p + n, s.n - (uint32_t)n};
            i = 0;
        } else {
            i++;
        }
    }
    return s;
}

static bool is(struct model_str s, const char *name)
{
    size_t n = strlen(name);
    if (n && name[n - 1] == '*')
        return s.n >= n - 1 && memcmp(s.p, name, n - 1) == 0;
    return s.n == n && memcmp(s.p, name, n) == 0;
}

/* The row of a function; -1: it says nothing. */
static int row_of(struct model_str function)
{
    struct model_str name = bare(function);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is(name, names[i].name))
            return (int)i;
    return -1;
}

static bool in_kernel(const struct frame *f)
{
    return f->module && f->module->kind == MODEL_MODULE_KERNEL;
}

static enum reason recorded(uint64_t extra)
{
    static const uint8_t reasons[] = {
        [ORIEL_WAIT_FOR_UNKNOWN] = REASON_UNKNOWN,     [ORIEL_WAIT_FOR_FUTEX] = REASON_FUTEX,
        [ORIEL_WAIT_FOR_TIME] = REASON_TIME,           [ORIEL_WAIT_FOR_READ] = REASON_READ,
        [ORIEL_WAIT_FOR_WRITE] = REASON_WRITE,         [ORIEL_WAIT_FOR_EVENTS] = REASON_EVENTS,
        [ORIEL_WAIT_FOR_CHILD] = REASON_CHILD,         [ORIEL_WAIT_FOR_PEER] = REASON_PEER,
        [ORIEL_WAIT_FOR_FILE_LOCK] = REASON_FILE_LOCK, [ORIEL_WAIT_FOR_SIGNAL] = REASON_SIGNAL,
        [ORIEL_WAIT_FOR_SYNC] = REASON_DISK,           [ORIEL_WAIT_FOR_OTHER] = REASON_OTHER,
        [ORIEL_WAIT_FOR_PIPE] = REASON_PIPE,           [ORIEL_WAIT_FOR_SOCKET] = REASON_SOCKET,
        [ORIEL_WAIT_FOR_TERMINAL] = REASON_TERMINAL,   [ORIEL_WAIT_FOR_COUNTER] = REASON_COUNTER};
    uint32_t n = ORIEL_WAIT_FOR(extra);
    return n < sizeof reasons ? (enum reason)reasons[n] : REASON_OTHER;
}

enum reason reason_of(const struct frames *f, const struct frame_list *stack, uint64_t extra)
{
    enum reason found = REASON_UNKNOWN;
    unsigned says = 0, user = 0;
    for (size_t i = 0; i < stack->items.count && user < USER_FRAMES; i++) {
        const struct frame *frame = &f->items.items[stack->items.items[i].frame];
        int row = row_of(frame->name);
        user += !in_kernel(frame);
        if (row < 0 || names[row].says <= says)
            continue;
        says = names[row].says;
        found = (enum reason)names[row].reason;
    }
    enum reason told = recorded(extra);
    bool general = found == REASON_FUTEX || found == REASON_READ || found == REASON_WRITE;
    if ((extra & ORIEL_WAIT_DISK) && (found == REASON_UNKNOWN || general))
        return REASON_DISK;
    if ((found == REASON_READ || found == REASON_WRITE) && told != REASON_OTHER &&
        told != REASON_UNKNOWN)
        return told;
    return found != REASON_UNKNOWN ? found : told;
}

bool reason_is_interrupt(const struct frames *f, const struct frame_list *stack)
{
    static const char *const entries[] = {"asm_sysvec_*", "asm_common_interrupt",
                                          "sysvec_*",     "common_interrupt",
                                          "el1h_64_irq*", "el0t_64_irq*"};
    for (size_t i = 0; i < stack->items.count; i++) {
        const struct frame *frame = &f->items.items[stack->items.items[i].frame];
        if (!in_kernel(frame))
            return false;
        for (size_t k = 0; k < sizeof entries / sizeof *entries; k++)
            if (is(frame->name, entries[k]))
                return true;
    }
    return false;
}

static bool is_library(const struct frame *f)
{
    static const char *const libraries[] = {"libc.so*",  "libc-2*",    "libpthread*",
                                            "ld-linux*", "libc.musl*", "ld-musl*"};
    struct model_str path = f->module ? f->module->path : MODEL_STR("");
    uint32_t at = path.n;
    if (f->module && f->module->kind == MODEL_MODULE_VDSO)
        return true;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        if (is((struct model_str){path.p + at, path.n - at}, libraries[i]))
            return true;
    return false;
}

uint32_t reason_place(const struct frames *f, const struct frame_list *stack)
{
    uint32_t user = FRAMES_NONE;
    for (size_t i = 0; i < stack->items.count; i++) {
        uint32_t at = stack->items.items[i].frame;
        const struct frame *frame = &f->items.items[at];
        if (in_kernel(frame))
            continue;
        if (!is_library(frame) && row_of(frame->name) < 0 && !name_is_glue(frame->name) &&
            !file_is_glue(frame->file) && (frame->name.n == 0 || frame->name.p[0] != '_'))
            return at;
        user = user == FRAMES_NONE ? at : user;
    }
    return user != FRAMES_NONE || stack->items.count == 0 ? user : stack->items.items[0].frame;
}
