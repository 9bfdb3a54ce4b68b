/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Letting events go. The kernel takes the last descriptor of a tracepoint's event
 * away only when no CPU can be inside of it any more: 50 to 90 ms for each, which
 * whoever waits for the recorder would wait for. A process that has these
 * descriptors and nothing else waits instead, and is gone after that.
 */
#include "source/kernel_aside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void close_between(int from, int to)
{
    if (from <= to)
        (void)syscall(SYS_close_range, (unsigned)from, (unsigned)to, 0u);
}

/* Everything but these: no lock, pipe or terminal is held by who waits. */
static void close_others(const int *sorted, size_t n, int more)
{
    int from = 0;
    for (size_t i = 0; i < n; i++) {
        if (more >= from && more < sorted[i]) {
            close_between(from, more - 1);
            from = more + 1;
        }
        close_between(from, sorted[i] - 1);
        from = sorted[i] + 1;
    }
    if (more >= from) {
        close_between(from, more - 1);
        from = more + 1;
    }
    close_between(from, INT32_MAX);
}

/* Until the recorder has closed its own, or is gone; then the end closes ours. */
static void wait_aside(const int *sorted, size_t n, int told)
{
    char nothing;
    close_others(sorted, n, told);
    if (fork() != 0)
        _exit(0); /* what remains is nobody's child */
    (void)prctl(PR_SET_NAME, "oriel-closing", 0, 0, 0);
    while (read(told, &nothing, 1) > 0)
        continue;
    _exit(0);
}

void kernel_close_aside(int *fds, size_t n)
{
    int told[2];
    assert(fds || n == 0);
    bool piped = n > 0 && pipe2(told, O_CLOEXEC) == 0;
    if (piped) {
        qsort(fds, n, sizeof *fds, by_number);
        pid_t pid = fork();
        if (pid == 0)
            wait_aside(fds, n, told[0]);
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        close(told[0]);
    }
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    if (piped)
        close(told[1]);
}
