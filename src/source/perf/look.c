/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a thread waits, seen from outside: /proc says in which system call and
 * with which stack pointer, the rest is read from the memory of the process.
 * Needs no privileges where the program is ours, and disturbs nobody: nothing
 * is stopped. For waits that last, of threads of which the kernel showed none.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "source/perf/source.h"

enum {
    WAITS_NS = 4000000, /* a wait that lasts */
    LOOKS_MAX = 64,     /* in one round: each is two small files and a walk */
    ASKS_MAX = 256,     /* the kernel's program: each is a system call */
    LINE_BYTES = 320,
    NUMBERS = 9 /* system call, six arguments, sp, pc */
};

struct seen {
    int64_t call;           /* below 0: none */
    uint64_t first, sp, pc; /* its first argument */
};

/* "202 0x7f.. (six) 0x7ffe.. 0x7f12..", or "-1 0x7ffe.. 0x7f12.." outside of system
 * calls. false: it runs, or nobody may know. */
static bool parse(const char *line, struct seen *out)
{
    uint64_t n[NUMBERS];
    int count = 0;
    if (*line != '-' && (*line < '0' || *line > '9'))
        return false;
    for (char *end; count < NUMBERS; line = end) {
        n[count] = (uint64_t)strtoll(line, &end, 0);
        if (count > 0)
            n[count] = strtoull(line, &end, 0);
        if (end == line)
            break;
        count++;
    }
    if (count != NUMBERS && count != 3)
        return false;
    *out = (struct seen){.call = (int64_t)n[0],
                         .first = count == NUMBERS ? n[1] : UINT64_MAX,
                         .sp = n[count - 2],
                         .pc = n[count - 1]};
    return true;
}

/* By number: those that machines of our day have; some lack the older ones. */
static const struct {
    int16_t call;
    uint8_t wait_for;
} calls[] = {
    {SYS_futex, ORIEL_WAIT_FOR_FUTEX},          {SYS_nanosleep, ORIEL_WAIT_FOR_TIME},
    {SYS_clock_nanosleep, ORIEL_WAIT_FOR_TIME}, {SYS_read, ORIEL_WAIT_FOR_READ},
    {SYS_readv, ORIEL_WAIT_FOR_READ},           {SYS_pread64, ORIEL_WAIT_FOR_READ},
    {SYS_preadv, ORIEL_WAIT_FOR_READ},          {SYS_recvfrom, ORIEL_WAIT_FOR_READ},
    {SYS_recvmsg, ORIEL_WAIT_FOR_READ},         {SYS_recvmmsg, ORIEL_WAIT_FOR_READ},
    {SYS_write, ORIEL_WAIT_FOR_WRITE},          {SYS_writev, ORIEL_WAIT_FOR_WRITE},
    {SYS_pwrite64, ORIEL_WAIT_FOR_WRITE},       {SYS_pwritev, ORIEL_WAIT_FOR_WRITE},
    {SYS_sendto, ORIEL_WAIT_FOR_WRITE},         {SYS_sendmsg, ORIEL_WAIT_FOR_WRITE},
    {SYS_sendmmsg, ORIEL_WAIT_FOR_WRITE},       {SYS_ppoll, ORIEL_WAIT_FOR_EVENTS},
    {SYS_pselect6, ORIEL_WAIT_FOR_EVENTS},      {SYS_epoll_pwait, ORIEL_WAIT_FOR_EVENTS},
#ifdef SYS_poll
    {SYS_poll, ORIEL_WAIT_FOR_EVENTS},          {SYS_select, ORIEL_WAIT_FOR_EVENTS},
    {SYS_epoll_wait, ORIEL_WAIT_FOR_EVENTS},    {SYS_pause, ORIEL_WAIT_FOR_SIGNAL},
#endif
    {SYS_wait4, ORIEL_WAIT_FOR_CHILD},          {SYS_waitid, ORIEL_WAIT_FOR_CHILD},
    {SYS_accept, ORIEL_WAIT_FOR_PEER},          {SYS_accept4, ORIEL_WAIT_FOR_PEER},
    {SYS_connect, ORIEL_WAIT_FOR_PEER},         {SYS_flock, ORIEL_WAIT_FOR_FILE_LOCK},
    {SYS_fcntl, ORIEL_WAIT_FOR_FILE_LOCK},      {SYS_rt_sigtimedwait, ORIEL_WAIT_FOR_SIGNAL},
    {SYS_rt_sigsuspend, ORIEL_WAIT_FOR_SIGNAL}, {SYS_fsync, ORIEL_WAIT_FOR_SYNC},
    {SYS_fdatasync, ORIEL_WAIT_FOR_SYNC},       {SYS_msync, ORIEL_WAIT_FOR_SYNC},
};

/* As the kernel's list of devices has them: consoles, serial lines are others, pseudoterminals. */
static bool is_terminal(uint32_t major)
{
    return major == 4 || major == 5 || (major >= 136 && major <= 143);
}

/* What from or to, if it is one of these; else `general`. Nothing is opened, and no file system
 * is asked that may not answer: the thread may wait for just that. */
static uint64_t wait_for_file(const struct perf_thread *t, uint64_t fd, uint64_t general)
{
    static const struct {
        const char *begins;
        uint8_t wait_for;
    } names[] = {{"pipe:[", ORIEL_WAIT_FOR_PIPE},
                 {"socket:[", ORIEL_WAIT_FOR_SOCKET},
                 {"anon_inode:[eventfd]", ORIEL_WAIT_FOR_COUNTER}};
    char path[64], name[64] = "";
    struct statx st;
    if (fd > INT32_MAX)
        return general;
    snprintf(path, sizeof path, "/proc/%d/task/%d/fd/%d", t->pid, t->tid, (int)fd);
    if (readlink(path, name, sizeof name - 1) <= 0)
        return general;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i].begins, strlen(names[i].begins)) == 0)
            return names[i].wait_for;
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) != 0)
        return general;
    return S_ISFIFO(st.stx_mode)                                    ? ORIEL_WAIT_FOR_PIPE
           : S_ISCHR(st.stx_mode) && is_terminal(st.stx_rdev_major) ? ORIEL_WAIT_FOR_TERMINAL
                                                                    : general;
}

static uint64_t wait_for(const struct perf_thread *t, const struct seen *s)
{
    uint64_t found = s->call >= 0 ? ORIEL_WAIT_FOR_OTHER : ORIEL_WAIT_FOR_UNKNOWN;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].call == s->call)
            found = calls[i].wait_for;
    return found == ORIEL_WAIT_FOR_READ || found == ORIEL_WAIT_FOR_WRITE
               ? wait_for_file(t, s->first, found)
               : found;
}

/* False: nothing was seen that can be relied on. */
static bool look(struct perf_source *p, struct perf_thread *t)
{
    char path[64], before[LINE_BYTES], after[LINE_BYTES];
    struct seen seen;
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", t->pid, t->tid);
    if (os_read_file(path, before, sizeof before) <= 0 || !parse(before, &seen))
        return false;
    uint32_t stack = spaces_stack_still(&p->spaces, t->pid, seen.pc, seen.sp);
    /* The same call with the same arguments at the same depth: if it was on its
     * CPU meanwhile, the record of that comes and takes this back. */
    const uint64_t what = wait_for(t, &seen);
    if (os_read_file(path, after, sizeof after) <= 0 || strcmp(before, after) != 0)
        return false;
    t->wait.stack = stack;
    t->wait.flags = what;
    return true;
}

void look_at_waiting(struct perf_source *p, uint64_t now_ns)
{
    size_t at = 0;
    uint64_t key, value;
    unsigned looks = 0, asks = 0;
    while (looks < LOOKS_MAX && map_next(&p->threads, &at, &key, &value)) {
        struct perf_thread *t = (struct perf_thread *)(uintptr_t)value;
        struct perf_wait *w = &t->wait;
        if (t->own)
            continue;
        if (p->events.watch.counts && (!w->left_ns || w->woke_ns) && !t->ended &&
            (asks++ >= ASKS_MAX || !counted_waits(p, t)))
            continue;
        if (!w->left_ns || w->woke_ns || w->preempted || w->sampled || w->look_ns ||
            now_ns < w->left_ns + WAITS_NS)
            continue;
        looks++;
        w->look_ns = clock_mono_ns();
        if (look(p, t)) {
            w->look_ns = clock_mono_ns();
            p->counts.looks++;
        }
    }
}

uint64_t look_at_stack_limit(int32_t pid, uint64_t sp)
{
    char line[512], path[40];
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return 0;
    while (bytes == 0 && fgets(line, sizeof line, maps)) {
        char *end;
        uint64_t from = strtoull(line, &end, 16);
        uint64_t to = *end == '-' ? strtoull(end + 1, NULL, 16) : 0;
        if (sp < from || sp >= to)
            continue;
        bytes = strstr(line, "[stack]") ? UINT64_MAX : to - from;
    }
    fclose(maps);
    if (bytes != UINT64_MAX)
        return bytes;
    /* The main thread's grows up to a limit. */
    char limits[2048];
    snprintf(path, sizeof path, "/proc/%d/limits", pid);
    const char *at =
        os_read_file(path, limits, sizeof limits) > 0 ? strstr(limits, "Max stack size") : NULL;
    return at ? strtoull(at + strlen("Max stack size"), NULL, 10) : 0; /* 0 for "unlimited" */
}
