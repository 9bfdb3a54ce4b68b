/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who we are and who is alive: ids, random bytes, small files of proc and sys.
 * With os_map.c the only place of base, wire and rec that enters the kernel.
 * May run in a stranger's process on any thread: errno is kept, nothing blocks
 * for long, nothing is allocated.
 */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int32_t os_getpid(void)
{
    return (int32_t)getpid();
}

int32_t os_getppid(void)
{
    return (int32_t)getppid();
}

void os_complain(const char *text)
{
    int kept = errno;
    ssize_t n = write(2, text, strlen(text));
    (void)n;
    errno = kept;
}

int os_exe_path(char *out, size_t n)
{
    int kept = errno;
    ssize_t got = n ? readlink("/proc/self/exe", out, n - 1) : -1;
    int rc = got < 0 ? -errno : 0;
    if (n)
        out[got < 0 ? 0 : got] = 0;
    errno = kept;
    return rc;
}

int32_t os_gettid(void)
{
    return (int32_t)syscall(SYS_gettid);
}

void os_yield(void)
{
    syscall(SYS_sched_yield);
}

void os_signals_block(uint64_t *out_before)
{
    const uint64_t all = UINT64_MAX;
    *out_before = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, out_before, sizeof all);
}

void os_signals_restore(uint64_t before)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}

/* Opens for reading; a negative errno on failure, errno itself untouched. */
static int open_read(const char *path)
{
    int fd, kept = errno;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        fd = -errno;
    errno = kept;
    return fd;
}

/* Reads until n bytes or the end; bytes read or a negative errno. */
static long read_all(int fd, char *out, size_t n)
{
    int kept = errno;
    size_t at = 0;
    while (at < n) {
        ssize_t got = read(fd, out + at, n - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            long e = -errno;
            errno = kept;
            return e;
        }
        if (got == 0)
            break;
        at += (size_t)got;
    }
    return (long)at;
}

static void close_quietly(int fd)
{
    int kept = errno;
    close(fd);
    errno = kept;
}

long os_read_file(const char *path, char *out, size_t n)
{
    assert(n > 0);
    int fd = open_read(path);
    if (fd < 0)
        return fd;
    long got = read_all(fd, out, n - 1);
    close_quietly(fd);
    if (got >= 0)
        out[got] = 0;
    return got;
}

int os_random(void *out, size_t n)
{
    int kept = errno;
    size_t at = 0;
    while (at < n) {
        /* 1 = GRND_NONBLOCK: early in boot a stranger's start must not wait. */
        long got = syscall(SYS_getrandom, (char *)out + at, n - at, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        at += (size_t)got;
    }
    errno = kept;
    if (at == n)
        return 0;
    int fd = open_read("/dev/urandom");
    if (fd < 0)
        return fd;
    long got = read_all(fd, (char *)out + at, n - at);
    close_quietly(fd);
    return got < 0 ? (int)got : (size_t)got == n - at ? 0 : -EIO;
}

/* State letter and start time out of a stat line; false if it is not one. The
 * name in parentheses may hold anything, so fields count from the last ')'. */
static bool parse_stat(const char *text, char *out_state, uint64_t *out_start)
{
    const char *p = strrchr(text, ')');
    if (!p || p[1] != ' ' || !p[2])
        return false;
    *out_state = p[2];
    p += 2;
    for (int field = 3; field < 22; field++) {
        p = strchr(p, ' ');
        if (!p)
            return false;
        p++;
    }
    *out_start = strtoull(p, NULL, 10);
    return true;
}

/* 0 and state + start time, or a negative errno. */
static int task_stat(int32_t pid, int32_t tid, char *out_state, uint64_t *out_start)
{
    char path[64], text[1024];
    if (tid > 0)
        snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    else
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    long n = os_read_file(path, text, sizeof text);
    if (n < 0)
        return (int)n;
    return parse_stat(text, out_state, out_start) ? 0 : -ESRCH;
}

uint64_t os_start_time(int32_t pid, int32_t tid)
{
    char state;
    uint64_t start;
    return task_stat(pid, tid, &state, &start) == 0 ? start : 0;
}

bool os_task_gone(int32_t pid, int32_t tid)
{
    int kept = errno;
    bool gone = syscall(SYS_tgkill, pid, tid, 0) != 0 && errno == ESRCH;
    errno = kept;
    return gone;
}

/* Without /proc only the existence of the id can be asked for. */
static bool task_exists(int32_t pid, int32_t tid)
{
    int kept = errno;
    long rc = tid > 0 ? syscall(SYS_tgkill, pid, tid, 0) : kill(pid, 0);
    bool exists = rc == 0 || errno == EPERM;
    errno = kept;
    return exists;
}

bool os_thread_alive(int32_t pid, int32_t tid, uint64_t start_time)
{
    char state;
    uint64_t start;
    if (pid <= 0)
        return false;
    if (task_stat(pid, tid, &state, &start) == 0)
        return state != 'Z' && state != 'X' && state != 'x' &&
               (start_time == 0 || start == start_time);
    if (task_stat(os_getpid(), 0, &state, &start) == 0)
        return false; /* proc works and does not know it */
    return task_exists(pid, tid);
}

int os_thread_name(char *out, size_t n)
{
    char name[17] = "";
    int kept = errno, rc = 0;
    assert(n > 0);
    if (prctl(PR_GET_NAME, name, 0, 0, 0) != 0)
        rc = -errno;
    errno = kept;
    size_t len = strlen(name);
    if (len >= n)
        len = n - 1;
    memcpy(out, name, len);
    out[len] = 0;
    return rc;
}

uint32_t os_boot_tag(void)
{
    char id[64];
    uint32_t h = 2166136261u; /* FNV-1a */
    long n = os_read_file("/proc/sys/kernel/random/boot_id", id, sizeof id);
    if (n <= 0)
        return 0;
    for (long i = 0; i < n && id[i] != '\n'; i++)
        h = (h ^ (uint8_t)id[i]) * 16777619u;
    return h ? h : 1;
}
