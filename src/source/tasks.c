/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * /proc/PID/task, and the children of each thread below it. Reads only; any
 * thread of the recorder.
 */
#include "source/tasks.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os.h"

enum { DEPTH_MAX = 64, CHILDREN_BYTES = 16384 };

struct look {
    int (*each)(void *user, int32_t pid, int32_t tid);
    void *user;
};

static int look_at_process(const struct look *l, int32_t pid, unsigned depth);

/* "12 13 14 " */
static int look_at_children(const struct look *l, int32_t pid, int32_t tid, unsigned depth)
{
    char path[64], *text = mem_alloc(CHILDREN_BYTES), *at = text;
    int rc = 0;
    if (!text)
        return -ENOMEM;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, tid);
    if (os_read_file(path, text, CHILDREN_BYTES) <= 0)
        text[0] = 0;
    while (rc == 0) {
        char *end;
        long child = strtol(at, &end, 10);
        if (end == at || child <= 0 || child > INT32_MAX)
            break;
        rc = look_at_process(l, (int32_t)child, depth + 1);
        rc = rc == -ESRCH || rc == -EACCES || rc == -EPERM ? 0 : rc; /* ended, or not ours */
        at = end;
    }
    mem_free(text);
    return rc;
}

static int look_at_process(const struct look *l, int32_t pid, unsigned depth)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return -ESRCH;
    int rc = 0;
    bool any = false;
    for (struct dirent *t; rc == 0 && (t = readdir(tasks)) != NULL;) {
        int32_t tid = (int32_t)strtol(t->d_name, NULL, 10);
        if (tid <= 0)
            continue;
        rc = l->each(l->user, pid, tid);
        any |= rc == 0;
        if (rc == -ESRCH)
            rc = 0; /* it ended; the first one may, and the others go on */
        if (rc == 0 && depth < DEPTH_MAX)
            rc = look_at_children(l, pid, tid, depth);
    }
    closedir(tasks);
    return rc == 0 && !any ? -ESRCH : rc;
}

int tasks_each(int32_t pid, int (*each)(void *user, int32_t pid, int32_t tid), void *user)
{
    const struct look l = {each, user};
    assert(pid > 0 && each);
    return look_at_process(&l, pid, 0);
}
