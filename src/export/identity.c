/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * First come, first served for pids and tids. Asked once per process or
 * thread, not per item. One thread at a time.
 */
#include "export/identity.h"

#include <assert.h>

void export_identity_done(struct export_identity *id)
{
    map_done(&id->pids);
    map_done(&id->tids);
}

/* 0 means unknown in records and "idle" to Perfetto: never shown as it is. */
static int32_t claim(struct map *taken, int32_t number, uint32_t index, int32_t first)
{
    assert(index < (uint32_t)first);
    const uint64_t *owner = number > 0 ? map_put(taken, (uint64_t)number, index) : NULL;
    return owner && *owner == index ? number : first + (int32_t)index;
}

int32_t export_identity_pid(struct export_identity *id, const struct model_process *p)
{
    return claim(&id->pids, p->pid, p->index, EXPORT_PID_FIRST);
}

int32_t export_identity_tid(struct export_identity *id, const struct model_catalog *c,
                            const struct model_thread *t)
{
    assert(t->process < c->process_count);
    const struct model_process *p = c->processes[t->process];
    /* Viewers know the main thread by tid == pid, made-up numbers included. */
    if (t->tid > 0 && t->tid == p->pid) {
        int32_t pid = export_identity_pid(id, p);
        const uint64_t *owner = map_put(&id->tids, (uint64_t)pid, t->index);
        if (owner && *owner == t->index)
            return pid;
    }
    return claim(&id->tids, t->tid, t->index, EXPORT_TID_FIRST);
}
