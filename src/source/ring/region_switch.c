/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Switching the filters of a program that somebody records: the directives go
 * into its ring, and its threads are told to look there (rec/switch.c). Nothing
 * of the program itself is touched.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"
#include "source/region_io.h"
#include "source/ring/guard.h"

#define LOOK_NS 5000000L

struct mapped {
    void *base;
    size_t bytes;
    struct wire_region h;
};

static int map_ring(struct mapped *m, const char *path, struct oriel_err *err)
{
    *m = (struct mapped){.base = NULL};
    int rc = os_map_file(path, &m->bytes, &m->base);
    if (rc != 0)
        return err_set_errno(err, -rc, "%s", path);
    guard_add(m->base, m->bytes);
    if (m->bytes >= sizeof m->h)
        memcpy(&m->h, m->base, sizeof m->h);
    rc = wire_region_check(&m->h, m->bytes);
    return rc == 0 ? 0 : err_set(err, rc, "%s: not an oriel ring of this version", path);
}

static void unmap_ring(struct mapped *m)
{
    if (m->base)
        guard_remove(m->base);
    os_unmap(m->base, m->bytes);
}

/* ---- finding it ---- */

static bool is_in(const char *path, int32_t pid)
{
    struct mapped m;
    bool found = false;
    if (map_ring(&m, path, NULL) == 0)
        for (uint32_t i = 0; i < m.h.process_count && !found; i++) {
            const struct wire_process *p = wire_region_process(&m.h, m.base, i);
            found = wire_state(__atomic_load_n(&p->state, __ATOMIC_ACQUIRE)) == 2 && p->pid == pid;
        }
    unmap_ring(&m);
    return found;
}

int region_find(int32_t pid, char *out, size_t n, struct oriel_err *err)
{
    struct region_info *all = NULL;
    size_t count = 0;
    int rc = region_list(NULL, &all, &count, err), found = 0;
    if (rc != 0)
        return rc;
    for (size_t i = count; i-- > 0 && !found;) {
        const struct region_info *r = &all[i];
        bool alive = r->processes_alive && r->same_boot;
        if (alive && strlen(r->path) < n &&
            (pid == r->creator_pid || pid == r->reader_pid || is_in(r->path, pid))) {
            memcpy(out, r->path, strlen(r->path) + 1);
            found = 1;
        }
    }
    mem_free(all);
    if (!found)
        return err_set(err, ORIEL_ENOTFOUND, "process %d is not being recorded", (int)pid);
    return 0;
}

/* ---- switching ---- */

static bool is_level(const char *p, size_t n)
{
    static const char *const names[] = {"trace", "debug", "info", "warn", "error", "fatal", "off"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == n && strncasecmp(names[i], p, n) == 0)
            return true;
    return false;
}

int region_check_directives(const char *text, struct oriel_err *err)
{
    unsigned count = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ","), all = n;
        const char *from = p;
        for (; n && *from == ' '; n--)
            from++;
        while (n && from[n - 1] == ' ')
            n--;
        const char *eq = memchr(from, '=', n);
        size_t target = eq ? (size_t)(eq - from) : 0;
        const char *level = eq ? eq + 1 : from;
        if (n && ((eq && (target == 0 || target >= WIRE_TARGET_MAX)) || ++count > WIRE_RULES_MAX ||
                  !is_level(level, n - (size_t)(level - from))))
            return err_set(err, ORIEL_EINVAL,
                           "\"%.*s\" is no filter directive: LEVEL or target=LEVEL, with trace, "
                           "debug, info, warn, error, fatal or off",
                           (int)(n < 80 ? n : 80), from);
        p += p[all] ? all + 1 : all;
    }
    if (strlen(text) >= WIRE_DIRECTIVES_BYTES)
        return err_set(err, ORIEL_EINVAL, "filter directives of more than %u characters",
                       WIRE_DIRECTIVES_BYTES - 1);
    return 0;
}

static void write_directives(struct wire_region *shared, const char *directives)
{
    __atomic_fetch_or(&shared->filter_gen, 1, __ATOMIC_ACQ_REL);
    memcpy(shared->directives, directives, strlen(directives) + 1);
    __atomic_fetch_add(&shared->filter_gen, 1, __ATOMIC_SEQ_CST);
}

/* Mark the clocks of all threads (`mark`), or count those that still are. */
static unsigned each_thread(struct mapped *m, bool mark)
{
    unsigned waiting = 0;
    for (uint32_t i = 0; i < m->h.thread_count; i++) {
        struct oriel_thread *t = wire_region_thread(&m->h, m->base, i);
        uint32_t state = wire_state(__atomic_load_n(&t->state, __ATOMIC_SEQ_CST));
        if (state != ORIEL_THREAD_LIVE && state != ORIEL_THREAD_VACANT &&
            state != ORIEL_THREAD_PASSING)
            continue;
        if (mark)
            __atomic_store_n(&t->clock, ORIEL_CLOCK_MARK, __ATOMIC_SEQ_CST);
        waiting += state == ORIEL_THREAD_LIVE &&
                   __atomic_load_n(&t->clock, __ATOMIC_ACQUIRE) == ORIEL_CLOCK_MARK;
    }
    return waiting;
}

int region_switch(const char *path, const char *directives, uint64_t wait_ns, unsigned *out_threads,
                  unsigned *out_waiting, struct oriel_err *err)
{
    struct mapped m;
    int rc = region_check_directives(directives, err);
    if (rc == 0)
        rc = map_ring(&m, path, err);
    else
        return rc;
    if (rc == 0) {
        uint64_t until = clock_mono_ns() + wait_ns;
        write_directives(m.base, directives);
        *out_threads = *out_waiting = each_thread(&m, true);
        while (*out_waiting && clock_mono_ns() < until) {
            nanosleep(&(struct timespec){0, LOOK_NS}, NULL);
            *out_waiting = each_thread(&m, false);
        }
    }
    unmap_ring(&m);
    return rc;
}
