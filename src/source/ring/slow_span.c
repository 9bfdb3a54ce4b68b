/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Looks at the span stacks of a ring's threads. Each value is loaded once and
 * checked; what a hostile writer makes up is at worst a span that is not there.
 */
#include "source/slow_span.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "source/ring/guard.h"
#include "wire/region.h"

#define LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define INTERVAL_MIN_NS UINT64_C(1000000)
#define INTERVAL_MAX_NS UINT64_C(10000000)

struct seen {
    uint64_t id, since_ns;
    uint32_t told;
};
struct seen_thread {
    uint32_t serial;
    uint32_t depth; /* entries below it are valid */
    struct seen spans[ORIEL_STACK_DEPTH];
};

struct slow_watch {
    struct wire_region h;
    void *base, *block; /* block: what to free; the header wants cache lines of its own */
    size_t bytes;
    uint64_t threshold_ns;
    struct seen_thread *threads; /* by slot */
};

static struct slow_watch *new_watch(void)
{
    const size_t line = _Alignof(struct slow_watch);
    char *block = mem_calloc(1, sizeof(struct slow_watch) + line);
    if (!block)
        return NULL;
    struct slow_watch *w = (struct slow_watch *)(block + (line - (uintptr_t)block % line));
    w->block = block;
    return w;
}

int slow_watch_open(struct slow_watch **out, const char *ring, uint64_t threshold_ns,
                    struct oriel_err *err)
{
    assert(ring && threshold_ns > 0);
    struct slow_watch *w = new_watch();
    if (!w)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    int rc = os_map_file(ring, &w->bytes, &w->base);
    if (rc != 0) {
        mem_free(w->block);
        return err_set_errno(err, -rc, "%s", ring);
    }
    guard_add(w->base, w->bytes);
    if (w->bytes >= sizeof w->h)
        memcpy(&w->h, w->base, sizeof w->h);
    rc = wire_region_check(&w->h, w->bytes);
    if (rc == 0) {
        w->threads = mem_calloc(w->h.thread_count, sizeof *w->threads);
        rc = w->threads ? 0 : ORIEL_ENOMEM;
    }
    if (rc != 0) {
        slow_watch_close(w);
        return err_set(err, rc, "%s: %s", ring, err_text(rc));
    }
    w->threshold_ns = threshold_ns;
    *out = w;
    return 0;
}

/* A span that has been open for too long and was not told yet. */
static bool is_news(const struct slow_watch *w, struct seen *s, uint64_t id, uint64_t now_ns)
{
    if (s->id != id) {
        *s = (struct seen){.id = id, .since_ns = now_ns};
        return false;
    }
    return !s->told && now_ns - s->since_ns >= w->threshold_ns;
}

static void tell(const struct slow_watch *w, const struct oriel_thread *t, const struct seen *s,
                 uint32_t site, uint64_t now_ns, struct slow_span *out)
{
    uint32_t process = LOAD(&t->process);
    *out = (struct slow_span){.open_ns = now_ns - s->since_ns, .site = site, .tid = LOAD(&t->tid)};
    if (process < w->h.process_count)
        out->pid = LOAD(&wire_region_process(&w->h, w->base, process)->pid);
    memcpy(out->thread, t->name, sizeof out->thread - 1);
}

static unsigned look_at(struct slow_watch *w, uint32_t slot, uint64_t now_ns, struct slow_span *out,
                        unsigned max)
{
    const struct oriel_thread *t = wire_region_thread(&w->h, w->base, slot);
    struct seen_thread *seen = &w->threads[slot];
    uint32_t state = wire_state(__atomic_load_n(&t->state, __ATOMIC_ACQUIRE));
    uint32_t depth = state == ORIEL_THREAD_LIVE ? LOAD(&t->stack_bytes) / ORIEL_STACK_ENTRY : 0,
             serial = LOAD(&t->serial);
    unsigned n = 0;
    if (serial != seen->serial)
        seen->depth = 0;
    seen->serial = serial;
    depth = depth < ORIEL_STACK_DEPTH ? depth : ORIEL_STACK_DEPTH;
    for (uint32_t i = seen->depth; i < depth; i++)
        seen->spans[i].id = 0;
    for (uint32_t i = 0; i < depth; i++) {
        uint64_t id = LOAD(&t->stack[i].id);
        uint32_t site = LOAD(&t->stack[i].site);
        /* Site 0: a context from outside, which is not ours to judge. */
        if (id == 0 || site == 0 || !is_news(w, &seen->spans[i], id, now_ns) || n == max)
            continue;
        seen->spans[i].told = 1;
        tell(w, t, &seen->spans[i], site, now_ns, &out[n++]);
    }
    seen->depth = depth;
    return n;
}

unsigned slow_watch_look(struct slow_watch *w, uint64_t now_ns, struct slow_span *out, unsigned max)
{
    unsigned n = 0;
    assert(w && out);
    for (uint32_t slot = 0; slot < w->h.thread_count; slot++)
        n += look_at(w, slot, now_ns, out + n, max - n);
    return n;
}

uint64_t slow_watch_interval_ns(const struct slow_watch *w)
{
    uint64_t ns = w->threshold_ns / 8;
    return ns < INTERVAL_MIN_NS ? INTERVAL_MIN_NS : ns > INTERVAL_MAX_NS ? INTERVAL_MAX_NS : ns;
}

void slow_watch_close(struct slow_watch *w)
{
    if (!w)
        return;
    guard_remove(w->base);
    os_unmap(w->base, w->bytes);
    mem_free(w->threads);
    mem_free(w->block);
}
