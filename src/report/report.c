/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A report while it is being collected: hands each item to those who count
 * it. Pure: no I/O, no clock. One thread at a time.
 */
#include "report/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/state.h"

enum { OPTIONS_SIZE_V1 = offsetof(struct report_options, key) };

static int copy_options(struct report *r, const struct report_options *o)
{
    r->options = (struct report_options){.size = sizeof r->options};
    if (o) {
        if (o->size < OPTIONS_SIZE_V1 || o->size > sizeof *o)
            return ORIEL_EINVAL;
        memcpy(&r->options, o, o->size);
    }
    r->options.width = r->options.width ? r->options.width : 100;
    r->options.top = r->options.top ? r->options.top : 20;
    if ((r->options.from == NULL) != (r->options.to == NULL))
        return ORIEL_EINVAL;
    r->from = r->options.from ? mem_strdup(r->options.from) : NULL;
    r->to = r->options.to ? mem_strdup(r->options.to) : NULL;
    r->key = r->options.key ? mem_strdup(r->options.key) : NULL;
    if ((r->options.from && (!r->from || !r->to)) || (r->options.key && !r->key))
        return ORIEL_ENOMEM;
    r->latency.from = r->from;
    r->latency.to = r->to;
    r->latency.key = r->key;
    return 0;
}

int report_new(struct report **out, const struct report_options *options,
               const struct model_catalog *catalog)
{
    struct report *r = mem_calloc(1, sizeof *r);
    assert(out && catalog);
    if (!r)
        return ORIEL_ENOMEM;
    r->catalog = catalog;
    r->first_ns = UINT64_MAX;
    model_profile_init(&r->profile, false);
    int rc = copy_options(r, options);
    if (rc == 0)
        rc = names_init(&r->names);
    if (rc == 0)
        rc = calltree_init(&r->tree, NULL);
    if (rc != 0) {
        report_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

static void seen(struct report *r, uint64_t from, uint64_t to)
{
    r->first_ns = from < r->first_ns ? from : r->first_ns;
    r->last_ns = to > r->last_ns ? to : r->last_ns;
}

/* The first failure is kept, the rest goes on. */
static void also(int *rc, int next)
{
    if (*rc == 0)
        *rc = next;
}

static int add_slow(struct report *r, const struct model_span *s, uint32_t name, uint64_t self)
{
    assert(name < r->names.items.count);
    if (name >= REPORT_SLOW_NAMES)
        return 0;
    while (r->slow.count <= name)
        if (!VEC_PUSH(&r->slow))
            return ORIEL_ENOMEM;
    return slow_add(&r->slow.items[name], s, name, self);
}

static int add_span(struct report *r, const struct model_span *s)
{
    uint64_t self = 0;
    int rc = 0;
    if (s->end_ns < s->start_ns)
        return ORIEL_EINVAL;
    if (s->flags & MODEL_SPAN_ORPHAN_END) { /* its start and name are lost */
        r->orphan_ends++;
        seen(r, s->end_ns, s->end_ns);
        return 0;
    }
    uint32_t name = names_of_span(&r->names, s);
    if (name == NAMES_NONE)
        return ORIEL_ENOMEM;
    r->spans++;
    r->unfinished += (s->flags & MODEL_SPAN_UNFINISHED) != 0;
    r->clamped += (s->flags & MODEL_SPAN_CLAMPED) != 0;
    r->errors += s->status == ORIEL_STATUS_ERROR;
    seen(r, s->start_ns, s->end_ns);
    also(&rc, calltree_add(&r->tree, s, name, &self));
    also(&rc, add_slow(r, s, name, self));
    also(&rc, threads_span(&r->threads, s));
    also(&rc, crashes_span(&r->crashes, s));
    also(&rc, heap_add_span(&r->heap, s, name));
    if (latency_wanted(&r->latency))
        also(&rc, latency_span(&r->latency, s));
    if (r->options.tree)
        also(&rc, traces_span(&r->traces, s, name, self));
    return rc;
}

static int add_event(struct report *r, const struct model_event *e)
{
    int rc = 0;
    seen(r, e->t_ns, e->t_ns);
    if (e->site && (e->site->flags & ORIEL_SITE_SEEN)) { /* not the program's own */
        heap_add_event(&r->heap, e);
        callsums_event(&r->calls, e);
        return 0;
    }
    also(&rc, events_add(&r->events, e));
    also(&rc, threads_event(&r->threads, e->thread, e->t_ns));
    also(&rc, crashes_event(&r->crashes, e));
    if (latency_wanted(&r->latency))
        also(&rc, latency_event(&r->latency, e));
    if (r->options.tree) {
        uint32_t name = names_of(&r->names, e->site);
        also(&rc, name == NAMES_NONE ? ORIEL_ENOMEM : traces_event(&r->traces, e, name));
    }
    return rc;
}

static int add_loss(struct report *r, const struct model_loss *l)
{
    if (l->cause < ORIEL_LOST_CAUSES)
        r->lost[l->cause] += l->count;
    return threads_loss(&r->threads, l);
}

static int add_named(struct report *r, const struct model_item *i)
{
    const struct model_site *site = i->kind == MODEL_ITEM_PLOT    ? i->u.plot.site
                                    : i->kind == MODEL_ITEM_FRAME ? i->u.frame.site
                                                                  : i->u.task.site;
    seen(r, i->t_ns, i->t_ns);
    if (i->kind == MODEL_ITEM_PLOT && system_is(site)) {
        r->system.midway = model_catalog_resource(r->catalog, "oriel.attached").n ||
                           model_catalog_resource(r->catalog, "oriel.inprocess").n;
        system_plot(&r->system, &i->u.plot);
        return 0;
    }
    uint32_t name = names_of(&r->names, site);
    if (name == NAMES_NONE)
        return ORIEL_ENOMEM;
    if (i->kind == MODEL_ITEM_PLOT)
        return series_plot(&r->series, &i->u.plot, name);
    if (i->kind == MODEL_ITEM_FRAME)
        return series_frame(&r->series, &i->u.frame, name);
    return tasks_add(&r->tasks, &i->u.task, name);
}

static int add_sample(struct report *r, const struct model_sample *s)
{
    int rc = model_profile_add(&r->profile, s);
    also(&rc, waits_add(&r->waits, s));
    also(&rc, callsums_sample(&r->calls, s));
    return rc;
}

/* Readings are told by plots too: only the sums of system calls say more. */
static int add_system(struct report *r, const struct model_event *e)
{
    if (!syscalls_is(e->site))
        return 0;
    seen(r, e->t_ns, e->t_ns);
    return syscalls_add(&r->syscalls, e);
}

static int add_item(struct report *r, const struct model_item *i)
{
    switch (i->kind) {
    case MODEL_ITEM_SPAN:
        return add_span(r, &i->u.span);
    case MODEL_ITEM_EVENT:
        if (model_event_is_copy(&i->u.event))
            return 0;
        return system_is(i->u.event.site) ? add_system(r, &i->u.event) : add_event(r, &i->u.event);
    case MODEL_ITEM_LOSS:
        return add_loss(r, &i->u.loss);
    case MODEL_ITEM_PLOT:
    case MODEL_ITEM_FRAME:
    case MODEL_ITEM_TASK:
        return add_named(r, i);
    case MODEL_ITEM_SAMPLE:
        seen(r, i->u.sample.t_ns, i->u.sample.t_ns);
        return add_sample(r, &i->u.sample);
    }
    return 0; /* a kind that came later: nothing to report */
}

int report_add(struct report *r, const struct model_batch *items)
{
    int rc = 0;
    for (size_t i = 0; i < items->item_count; i++)
        also(&rc, add_item(r, &items->items[i]));
    return rc;
}

/* ---- the end ---- */

int report_settle(struct report *r)
{
    int rc = calltree_settle(&r->tree);
    also(&rc, tasks_settle(&r->tasks, r->last_ns));
    also(&rc, crashes_settle(&r->crashes, r->catalog));
    also(&rc, waits_settle(&r->waits));
    traces_settle(&r->traces);
    return rc;
}

static int by_total(const void *a, const void *b)
{
    const struct report_flat *x = a, *y = b;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->name > y->name) - (x->name < y->name);
}

/* Add one node to the sums of its name; `outer`: no ancestor has that name. */
static bool flatten_node(const struct calltree_node *n, struct report_flat *f, bool outer)
{
    f->count += n->count;
    f->self += n->self;
    if (outer) {
        f->total += n->total;
        f->busy += n->busy;
    }
    f->max = n->max > f->max ? n->max : f->max;
    f->unfinished += n->unfinished;
    f->errors += n->errors;
    return hist_merge(&f->hist, &n->hist);
}

/* Depth first over the children of `node`; `open` counts, by name, how many
 * nodes of that name lie above. Depth is bounded by CALLTREE_DEPTH_MAX. */
static bool flatten(const struct report *r, uint32_t node, uint32_t *open, struct report_flat *by)
{
    bool ok = true;
    for (uint32_t c = calltree_node(&r->tree, node)->child; c;) {
        const struct calltree_node *n = calltree_node(&r->tree, c);
        if (c == CALLTREE_ELSEWHERE) {
            ok &= flatten(r, c, open, by);
        } else {
            ok &= flatten_node(n, &by[n->name], open[n->name] == 0);
            assert(n->name < r->names.items.count);
            open[n->name]++;
            ok &= flatten(r, c, open, by);
            open[n->name]--;
        }
        c = n->sibling;
    }
    return ok;
}

int report_flatten(const struct report *r, struct report_flats *out)
{
    size_t names = r->names.items.count;
    memset(out, 0, sizeof *out);
    struct report_flat *by = mem_calloc(names + 1, sizeof *by);
    uint32_t *open = mem_calloc(names + 1, sizeof *open);
    bool ok = by && open && flatten(r, CALLTREE_ROOT, open, by);
    mem_free(open);
    size_t used = 0;
    for (size_t i = 0; ok && i < names; i++) {
        if (by[i].count == 0)
            continue;
        by[i].name = (uint32_t)i;
        by[used++] = by[i];
    }
    if (!ok) {
        for (size_t i = 0; by && i < names; i++)
            hist_done(&by[i].hist);
        mem_free(by);
        return ORIEL_ENOMEM;
    }
    qsort(by, used, sizeof *by, by_total);
    out->items.items = by;
    out->items.count = used;
    out->items.capacity = names + 1;
    return 0;
}

void report_flats_done(struct report_flats *f)
{
    for (size_t i = 0; i < f->items.count; i++)
        hist_done(&f->items.items[i].hist);
    VEC_DONE(&f->items);
}

uint64_t report_start(const struct report *r)
{
    return r->first_ns == UINT64_MAX ? r->catalog->start_ns : r->first_ns;
}

uint64_t report_offset(const struct report *r, uint64_t t_ns)
{
    uint64_t start = report_start(r);
    return t_ns > start ? t_ns - start : 0;
}

struct report_facts report_facts_of(const struct report *r, const struct report_facts *facts)
{
    struct report_facts f = {.first_damage = UINT64_MAX};
    if (facts)
        return *facts;
    f.unfinished = r->unfinished;
    f.clamped = r->clamped;
    f.orphan_ends = r->orphan_ends;
    memcpy(f.lost, r->lost, sizeof f.lost);
    return f;
}

uint64_t report_lost_total(const struct report_facts *facts)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++)
        sum += facts->lost[i];
    return sum;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    calltree_done(&r->tree);
    names_done(&r->names);
    for (size_t i = 0; i < r->slow.count; i++)
        slow_done(&r->slow.items[i]);
    VEC_DONE(&r->slow);
    threads_done(&r->threads);
    tasks_done(&r->tasks);
    events_done(&r->events);
    series_done(&r->series);
    syscalls_done(&r->syscalls);
    latency_done(&r->latency);
    traces_done(&r->traces);
    model_profile_done(&r->profile);
    waits_done(&r->waits);
    heap_done(&r->heap);
    callsums_done(&r->calls);
    crashes_done(&r->crashes);
    mem_free(r->from);
    mem_free(r->to);
    mem_free(r->key);
    mem_free(r);
}
