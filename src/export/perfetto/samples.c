/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples on the timeline. Kept as small rows until the end, when places have
 * their lines; when there are too many, what is known by then is written. Each
 * kind is a packet sequence of its own, which Perfetto takes for a profiling
 * session of its own, so that waiting is not added to CPU time. What is
 * interned starts anew each time. Runs on one thread.
 */
#include <assert.h>

#include "export/perfetto/perfetto.h"

/* Far from those of threads; 160 MiB of rows. */
enum { SAMPLES_SEQUENCE = 0x70000000, SAMPLES_MAX = 4 << 20 };
enum { WRITE_BYTES = 256 * 1024 };

enum {
    PACKET_PERF_SAMPLE = 66,
    DEFAULTS_PERF_SAMPLE = 12,
    PERF_TIMEBASE = 1,
    TIMEBASE_PERIOD = 2,
    TIMEBASE_COUNTER = 4,
    TIMEBASE_NAME = 10,
    COUNTER_CPU_CLOCK = 1,

    SAMPLE_CPU = 1,
    SAMPLE_PID = 2,
    SAMPLE_TID = 3,
    SAMPLE_STACK_IID = 4,
    SAMPLE_MODE = 5,
    SAMPLE_COUNT = 6,
    MODE_KERNEL = 1,
    MODE_USER = 2,

    INTERNED_FUNCTION = 5,
    INTERNED_FRAME = 6,
    INTERNED_STACK = 7,
    INTERNED_BUILD_ID = 16,
    INTERNED_PATH = 17,
    INTERNED_MAPPING = 19,
    FRAME_FUNCTION = 2,
    FRAME_MAPPING = 3,
    FRAME_ADDRESS = 4,
    STACK_FRAME = 2,
    MAPPING_BUILD_ID = 2,
    MAPPING_PATH = 7
};

/* What has been told on the sequence at work. */
struct told {
    struct perfetto *p;
    const struct model_stacks *stacks;
    struct map modules, places, nodes; /* as keys */
    struct intern functions;
    struct buf inner; /* interned data of the next sample */
};

/* Sums of calls have no place in time: drawn, they would be a burst of samples that never was. */
int perfetto_take_sample(struct perfetto *p, const struct model_sample *s, struct oriel_err *err)
{
    if (s->kind == ORIEL_SAMPLE_CALL)
        return 0;
    int rc = p->samples.count == SAMPLES_MAX ? perfetto_put_samples(p, err) : 0;
    struct perfetto_sample *row = VEC_PUSH(&p->samples);
    if (!row) {
        p->waiting.unwritten++;
        return rc ? rc : err_set(err, ORIEL_ENOMEM, "perfetto: %s", err_text(ORIEL_ENOMEM));
    }
    *row =
        (struct perfetto_sample){s->t_ns, s->weight, s->extra, s->stack, s->thread->index, s->kind};
    return rc;
}

/* True the first time; without memory again and again, and buf has failed. */
static bool is_new(struct told *t, struct map *m, uint64_t key)
{
    size_t before = m->count;
    if (!map_put(m, key, 0))
        t->p->buf.failed = true;
    return m->count != before;
}

static void tell_module(struct told *t, uint32_t index)
{
    const struct model_module *module = t->stacks->modules[index];
    struct buf *b = &t->inner;
    if (!is_new(t, &t->modules, index))
        return;
    struct pb_mark path = pb_open(b, INTERNED_PATH, WIDE);
    pb_uint(b, INTERNED_IID, (uint64_t)index + 1);
    perfetto_put_text(b, INTERNED_TEXT, module->path);
    pb_close(b, path);
    if (module->build_id_bytes) {
        struct pb_mark id = pb_open(b, INTERNED_BUILD_ID, 1);
        pb_uint(b, INTERNED_IID, (uint64_t)index + 1);
        pb_bytes(b, INTERNED_TEXT, module->build_id, module->build_id_bytes);
        pb_close(b, id);
    }
    struct pb_mark m = pb_open(b, INTERNED_MAPPING, 1);
    pb_uint(b, INTERNED_IID, (uint64_t)index + 1);
    if (module->build_id_bytes)
        pb_uint(b, MAPPING_BUILD_ID, (uint64_t)index + 1);
    pb_uint(b, MAPPING_PATH, (uint64_t)index + 1);
    pb_close(b, m);
}

static uint64_t tell_function(struct told *t, struct model_str name)
{
    uint32_t before = t->functions.count, id = intern_add(&t->functions, name.p, name.n);
    if (id == UINT32_MAX) {
        t->p->buf.failed = true;
    } else if (id >= before) {
        struct pb_mark m = pb_open(&t->inner, INTERNED_FUNCTION, WIDE);
        pb_uint(&t->inner, INTERNED_IID, (uint64_t)id + 1);
        perfetto_put_text(&t->inner, INTERNED_TEXT, name);
        pb_close(&t->inner, m);
    }
    return (uint64_t)id + 1;
}

static uint64_t frame_iid(uint32_t place, unsigned line)
{
    return ((uint64_t)place << 8 | line) + 1;
}

/* A frame for each line; one for a place without lines, which has no name. */
static void tell_place(struct told *t, uint32_t index)
{
    const struct model_place *place = t->stacks->places[index];
    if (!is_new(t, &t->places, index))
        return;
    tell_module(t, place->module);
    for (unsigned i = 0; i == 0 || i < place->line_count; i++) {
        uint64_t function = i < place->line_count ? tell_function(t, place->lines[i].function) : 0;
        struct pb_mark m = pb_open(&t->inner, INTERNED_FRAME, 1);
        pb_uint(&t->inner, INTERNED_IID, frame_iid(index, i));
        if (function)
            pb_uint(&t->inner, FRAME_FUNCTION, function);
        pb_uint(&t->inner, FRAME_MAPPING, (uint64_t)place->module + 1);
        pb_uint(&t->inner, FRAME_ADDRESS, place->address);
        pb_close(&t->inner, m);
    }
}

/* The outermost first. */
static void tell_stack(struct told *t, uint32_t id)
{
    uint32_t path[MODEL_STACK_DEPTH_MAX], n = 0;
    const struct model_stack *s;
    if (!id || !is_new(t, &t->nodes, id))
        return;
    for (uint32_t at = id; (s = model_stack(t->stacks, at)) != NULL; at = s->parent) {
        assert(n < MODEL_STACK_DEPTH_MAX);
        path[n++] = s->place;
        tell_place(t, s->place);
    }
    struct pb_mark m = pb_open(&t->inner, INTERNED_STACK, WIDE);
    pb_uint(&t->inner, INTERNED_IID, id);
    while (n > 0) {
        const struct model_place *place = t->stacks->places[path[--n]];
        for (unsigned i = place->line_count ? place->line_count : 1; i > 0; i--)
            pb_uint(&t->inner, STACK_FRAME, frame_iid(place->index, i - 1));
    }
    pb_close(&t->inner, m);
}

static void put_begin(struct perfetto *p, uint8_t kind)
{
    struct buf *b = &p->buf;
    struct pb_mark packet = pb_open(b, TRACE_PACKET, WIDE);
    pb_uint(b, PACKET_SEQUENCE, SAMPLES_SEQUENCE + kind);
    pb_uint(b, PACKET_FLAGS, FLAG_STATE_CLEARED);
    struct pb_mark defaults = pb_open(b, PACKET_DEFAULTS, 1);
    struct pb_mark perf = pb_open(b, DEFAULTS_PERF_SAMPLE, 1);
    struct pb_mark timebase = pb_open(b, PERF_TIMEBASE, 1);
    pb_uint(b, TIMEBASE_PERIOD, 1);
    pb_uint(b, TIMEBASE_COUNTER, COUNTER_CPU_CLOCK);
    pb_text(b, TIMEBASE_NAME, model_sample_kind_text(kind));
    pb_close(b, timebase);
    pb_close(b, perf);
    pb_close(b, defaults);
    pb_close(b, packet);
}

static bool in_kernel(const struct told *t, uint32_t stack)
{
    const struct model_stack *s = model_stack(t->stacks, stack);
    return s &&
           t->stacks->modules[model_stack_place(t->stacks, s)->module]->kind == MODEL_MODULE_KERNEL;
}

/* Number of the CPU that a sample was on, or went on on, plus 1. 0: not known. */
static uint32_t cpu_of(const struct perfetto_sample *s)
{
    switch (s->kind) {
    case ORIEL_SAMPLE_CPU:
    case ORIEL_SAMPLE_FAULT:
        return s->extra <= UINT16_MAX ? (uint32_t)s->extra : 0;
    case ORIEL_SAMPLE_OFF_CPU:
    case ORIEL_SAMPLE_PREEMPTED:
        return s->extra & ORIEL_WAIT_SHARED ? 0 : ORIEL_WAIT_CPU_ON(s->extra);
    default:
        return 0;
    }
}

static void put_sample(struct told *t, const struct perfetto_sample *s, uint64_t sum)
{
    struct buf *b = &t->p->buf;
    const struct perfetto_thread *thread =
        perfetto_thread(t->p, t->p->env.catalog->threads[s->thread]);
    if (!thread)
        return;
    int32_t pid = thread->pid, tid = thread->tid;
    uint32_t cpu = cpu_of(s);
    buf_clear(&t->inner);
    tell_stack(t, s->stack);
    struct pb_mark packet = pb_open(b, TRACE_PACKET, WIDE);
    pb_uint(b, PACKET_SEQUENCE, SAMPLES_SEQUENCE + s->kind);
    pb_uint(b, PACKET_FLAGS, FLAG_NEEDS_STATE);
    pb_uint(b, PACKET_TIMESTAMP, s->t_ns);
    if (t->inner.size)
        pb_bytes(b, PACKET_INTERNED, t->inner.data, t->inner.size);
    struct pb_mark sample = pb_open(b, PACKET_PERF_SAMPLE, 1);
    if (cpu)
        pb_uint(b, SAMPLE_CPU, cpu - 1);
    pb_int(b, SAMPLE_PID, pid);
    pb_int(b, SAMPLE_TID, tid);
    if (s->stack)
        pb_uint(b, SAMPLE_STACK_IID, s->stack);
    pb_uint(b, SAMPLE_MODE, in_kernel(t, s->stack) ? MODE_KERNEL : MODE_USER);
    pb_uint(b, SAMPLE_COUNT, sum);
    pb_close(b, sample);
    pb_close(b, packet);
    b->failed |= t->inner.failed;
}

static int put_kind(struct perfetto *p, uint8_t kind, struct oriel_err *err)
{
    struct told t = {.p = p, .stacks = &p->env.catalog->stacks};
    uint64_t sum = 0;
    bool begun = false;
    int rc = intern_init(&t.functions);
    buf_init(&t.inner);
    for (size_t i = 0; rc == 0 && i < p->samples.count; i++) {
        const struct perfetto_sample *s = &p->samples.items[i];
        if (s->kind != kind)
            continue;
        if (!begun)
            put_begin(p, kind);
        begun = true;
        sum += s->weight;
        put_sample(&t, s, sum);
        export_waiting_add(&p->waiting, &p->buf);
        p->samples_put++;
        if (p->buf.size >= WRITE_BYTES || p->buf.failed)
            rc = perfetto_drain(p, err);
    }
    map_done(&t.modules);
    map_done(&t.places);
    map_done(&t.nodes);
    intern_done(&t.functions);
    buf_done(&t.inner);
    return rc;
}

int perfetto_put_samples(struct perfetto *p, struct oriel_err *err)
{
    p->samples_put = 0;
    int rc = perfetto_put_sched(p, err);
    for (uint8_t kind = 0; rc == 0 && p->samples.count && kind < ORIEL_SAMPLE_KINDS; kind++)
        rc = put_kind(p, kind, err);
    p->waiting.unwritten += p->samples.count - p->samples_put;
    VEC_DONE(&p->samples);
    return rc;
}
