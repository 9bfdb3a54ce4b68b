/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Process ids come again: a list in /tmp may be of one that had this id before,
 * and a process that has it now need not be the one that was recorded. Times
 * tell them apart. Looks at /proc; any thread.
 */
#include "cli/jit_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"

#define SLACK_NS 50000000u /* starts are told in ticks, file times lag by one */

/* The process with this id now is the one that was recorded. */
static bool still_lives(const struct model_process *p)
{
    uint64_t ticks = os_start_time(p->pid, 0);
    long hz = sysconf(_SC_CLK_TCK);
    struct timespec up;
    if (ticks == 0 || hz <= 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return false;
    uint64_t up_ns = (uint64_t)up.tv_sec * 1000000000u + (uint64_t)up.tv_nsec;
    uint64_t start_ns = clock_unix_ns() - up_ns + ticks * (1000000000u / (uint64_t)hz);
    return start_ns <= p->start_ns + SLACK_NS;
}

/* Its id as it knows it itself. */
static int32_t own_id(int32_t pid)
{
    char path[64], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    const char *at =
        os_read_file(path, status, sizeof status) > 0 ? strstr(status, "NSpid:") : NULL;
    if (!at)
        return pid;
    at += strlen("NSpid:");
    size_t n = strcspn(at, "\n");
    while (n > 0 && at[n - 1] != '\t' && at[n - 1] != ' ')
        n--;
    long own = strtol(at + n, NULL, 10);
    return own > 0 && own <= INT32_MAX ? (int32_t)own : pid;
}

/* "/somewhere/jit-PID.dump", which compilers map so that it is seen. */
static const struct model_module *mapped_dump(const struct model_stacks *s, int32_t pid)
{
    char name[32];
    size_t n = (size_t)snprintf(name, sizeof name, "/jit-%d.dump", pid);
    assert(n < sizeof name);
    for (uint32_t i = 0; i < s->module_count; i++) {
        const struct model_module *m = s->modules[i];
        if (m->kind == MODEL_MODULE_FILE && m->path.n >= n &&
            memcmp(m->path.p + m->path.n - n, name, n) == 0)
            return m;
    }
    return NULL;
}

char *jit_file(const struct model_catalog *c, const struct model_module *m,
               uint64_t *out_not_before_ns)
{
    char path[4096];
    assert(m->kind == MODEL_MODULE_JIT);
    if (m->process >= c->process_count)
        return mem_strdup("");
    const struct model_process *p = c->processes[m->process];
    bool lives = still_lives(p);
    int32_t own = lives ? own_id(p->pid) : p->pid;
    const struct model_module *dump = mapped_dump(&c->stacks, own);
    char root[40] = "";
    if (lives)
        snprintf(root, sizeof root, "/proc/%d/root", p->pid);
    int n = dump ? snprintf(path, sizeof path, "%s%.*s", root, (int)dump->path.n, dump->path.p)
                 : snprintf(path, sizeof path, "%s/tmp/perf-%d.map", root, own);
    *out_not_before_ns = lives || p->start_ns < SLACK_NS ? 0 : p->start_ns - SLACK_NS;
    return mem_strdup(n > 0 && (size_t)n < sizeof path ? path : "");
}
