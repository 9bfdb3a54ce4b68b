/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A region whose owner is gone, and that a fork child of it reads on. Which of several, one word in
 * the region decides; everything else that the header says of its maker follows.
 */
#include "source/region_io.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "source/ring/ring.h"

enum { LINE_ROOM = 4352 }; /* a path, and what is told before it */

static bool is_gone(const struct wire_region *h, uint64_t owner)
{
    const int32_t pid = wire_owner_pid(owner), tid = wire_owner_tid(owner);
    if (!owner || pid == os_getpid())
        return false;
    if (tid && !RING_LOAD_ACQUIRE(&h->closed))
        return os_task_gone(pid, tid);
    return !os_thread_alive(pid, 0, tid ? RING_LOAD(&h->creator_start) : 0);
}

void region_hold(struct region *r)
{
    struct wire_region *h = region_memory(r, NULL);
    __atomic_store_n(&h->owner, wire_owner(os_getpid(), 0), __ATOMIC_RELEASE);
}

bool region_inherit(struct region *r)
{
    struct wire_region *h = region_memory(r, NULL);
    uint64_t before = RING_LOAD_ACQUIRE(&h->owner);
    return is_gone(h, before) &&
           __atomic_compare_exchange_n(&h->owner, &before, wire_owner(os_getpid(), 0), false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

bool region_is_left(const struct region *r)
{
    const struct wire_region *h = region_memory(r, NULL);
    return RING_LOAD_ACQUIRE(&h->closed) == WIRE_CLOSED_FOR_EXIT ||
           is_gone(h, RING_LOAD_ACQUIRE(&h->owner));
}

int32_t region_owner(const struct region *r)
{
    return wire_owner_pid(RING_LOAD_ACQUIRE(&region_memory(r, NULL)->owner));
}

void region_end_for_exit(struct region *r)
{
    __atomic_store_n(&region_memory(r, NULL)->closed, WIRE_CLOSED_FOR_EXIT, __ATOMIC_RELEASE);
}

bool region_is_shared(const struct region *r)
{
    struct region_info info;
    return region_inspect(region_path(r), &info, NULL) == 0 && info.processes_alive > 1;
}

bool region_is_mapped(const struct region *r, int32_t pid)
{
    char path[32], line[LINE_ROOM];
    const size_t n = strlen(region_path(r));
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        const char *name = strchr(line, '/');
        found = name && strncmp(name, region_path(r), n) == 0 && name[n] == '\n';
    }
    if (f)
        fclose(f);
    return found;
}

bool region_had_others(const struct region *r)
{
    return RING_LOAD(&region_memory(r, NULL)->process_serial) > 1;
}

bool region_is_alone(const struct region *r)
{
    struct wire_region *base = region_memory(r, NULL), h = *base;
    for (uint32_t i = 0; i < h.process_count; i++) {
        const struct wire_process *p = wire_region_process(&h, base, i);
        const uint32_t word = RING_LOAD_ACQUIRE(&p->state), state = wire_state(word);
        const int32_t pid = state == 1 ? (int32_t)wire_claimer(word) : RING_LOAD(&p->pid);
        if ((state == 1 || state == 2) && pid != os_getpid() &&
            os_thread_alive(pid, 0, RING_LOAD(&p->start_time)))
            return false;
    }
    return true;
}

/* The order: a look at the region by others in between finds a living owner. */
void region_own(struct region *r)
{
    struct wire_region *h = region_memory(r, NULL);
    const int32_t pid = os_getpid();
    if (h->creator_pid != (uint32_t)pid) {
        region_forget_file(r);
        __atomic_store_n(&h->creator_start, os_start_time(pid, 0), __ATOMIC_RELAXED);
        __atomic_store_n(&h->creator_pid, (uint32_t)pid, __ATOMIC_RELAXED);
        __atomic_store_n(&h->closed, 0, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&h->owner, wire_owner(pid, os_gettid()), __ATOMIC_RELEASE);
}
