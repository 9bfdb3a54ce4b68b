/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For kernels that exchange what threads inherited (before 6.13, see events.c): a
 * uprobe is let through in a process as long as one of its events was made for a
 * thread of that which lives. So each process that is met gets one more of each,
 * which is never switched on and goes with the process. What ends before it is met
 * may have been hit and nobody knows. Runs in the recorder.
 */
#include <assert.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/probe/probe.h"

enum { KEPT_MAX = 4096 }; /* descriptors; further processes have none */

/* One event for the main thread, wherever it runs. -1: the process is gone, or it may not be. */
static int open_off(uint32_t id, int32_t pid)
{
    struct perf_event_attr a = {
        .size = sizeof a, .type = PERF_TYPE_TRACEPOINT, .config = id, .disabled = 1};
    long fd = syscall(SYS_perf_event_open, &a, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -1 : (int)fd;
}

void keepers_add(struct keepers *k, const struct hook_events *events, int32_t pid)
{
    if (map_get(&k->known, (uint32_t)pid) || k->kept.count + events->count > KEPT_MAX)
        return;
    for (uint32_t i = 0; i < events->count; i++) {
        int fd = open_off(events->ids[i], pid);
        struct keeper *one = fd >= 0 ? VEC_PUSH(&k->kept) : NULL;
        if (one)
            *one = (struct keeper){fd, pid};
        else if (fd >= 0)
            close(fd);
    }
    (void)map_put(&k->known, (uint32_t)pid, 0);
}

void keepers_remove(struct keepers *k, int32_t pid)
{
    if (!map_remove(&k->known, (uint32_t)pid))
        return;
    size_t left = 0;
    for (size_t i = 0; i < k->kept.count; i++) {
        if (k->kept.items[i].pid == pid)
            close(k->kept.items[i].fd);
        else
            k->kept.items[left++] = k->kept.items[i];
    }
    assert(left <= k->kept.count);
    k->kept.count = left;
}

void keepers_done(struct keepers *k)
{
    for (size_t i = 0; i < k->kept.count; i++)
        close(k->kept.items[i].fd);
    VEC_DONE(&k->kept);
    map_done(&k->known);
}
