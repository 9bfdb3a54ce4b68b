/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * perf.data, as perf record writes it: every sample as it came, with its stack, for perf report,
 * perf annotate and all that read such files. Records go out as they come; what stands in front of
 * them is written again at the end, so the file must be one that can be written anywhere. Runs
 * on one thread.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "export/perf/perfdata.h"
#include "export/samples.h"

static const struct option_def perf_option_defs[] = {
    {.name = "kind",
     .type = OPTION_ENUM,
     .offset = offsetof(struct perfdata_options, kind),
     .fallback = "all",
     .choices = export_sample_kinds,
     .arg = "KIND",
     .help = "which samples; every kind is an event of its own"},
    OPTION_END,
};

static int perf_open(void *state, const void *options, const struct export_env *env,
                     struct oriel_err *err)
{
    struct perfdata *p = state;
    assert(env->catalog && env->out);
    if (!out_can_seek(env->out))
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "perf: the front of the file is written last, so it cannot be a pipe or "
                       "standard output; name a file with -o");
    p->options = *(const struct perfdata_options *)options;
    p->env = *env;
    p->start = env->out->bytes;
    p->first_ns = UINT64_MAX;
    buf_init(&p->buf);
    return intern_init(&p->paths) == 0
               ? 0
               : err_set(err, ORIEL_ENOMEM, "perf: %s", err_text(ORIEL_ENOMEM));
}

static void drain(struct perfdata *p, size_t at_least)
{
    if (p->buf.size < at_least && !p->buf.failed)
        return;
    if (!p->failed)
        p->failed = out_write_buf(p->env.out, &p->buf);
    buf_clear(&p->buf);
}

/* ---- samples ---- */

/* Which CPU it was on, where its kind says it. */
static uint32_t cpu_of(const struct model_sample *s)
{
    uint64_t cpu = s->kind == ORIEL_SAMPLE_CPU || s->kind == ORIEL_SAMPLE_FAULT ? s->extra : 0;
    if ((s->kind == ORIEL_SAMPLE_OFF_CPU || s->kind == ORIEL_SAMPLE_PREEMPTED) &&
        !(s->extra & ORIEL_WAIT_SHARED))
        cpu = ORIEL_WAIT_CPU_ON(s->extra);
    return cpu && cpu <= UINT16_MAX ? (uint32_t)cpu - 1 : UINT32_MAX;
}

/* The stack with its markers, innermost first; frames without an address are left out. */
static size_t make_chain(struct perfdata *p, const struct model_sample *s)
{
    const struct model_stacks *stacks = &p->env.catalog->stacks;
    const struct model_stack *node;
    uint64_t part = 0;
    size_t n = 0;
    for (uint32_t at = s->stack; (node = model_stack(stacks, at)) != NULL; at = node->parent) {
        const struct model_place *place = model_stack_place(stacks, node);
        bool kernel = stacks->modules[place->module]->kind == MODEL_MODULE_KERNEL;
        uint64_t mine = kernel ? PERFDATA_CONTEXT_KERNEL : PERFDATA_CONTEXT_USER, address;
        p->frames++;
        bool full = n + 2 > sizeof p->chain / sizeof *p->chain;
        if (full || !perfdata_address(p, s->thread, s->t_ns, place, part != mine, &address)) {
            p->nowhere++;
            continue;
        }
        if (part != mine)
            p->chain[n++] = part = mine;
        p->chain[n++] = address;
    }
    return n;
}

static void put_sample(struct perfdata *p, const struct model_sample *s)
{
    const struct perfdata_who who = {.pid = p->env.catalog->processes[s->thread->process]->pid,
                                     .tid = s->thread->tid,
                                     .t_ns = s->t_ns,
                                     .cpu = cpu_of(s)};
    perfdata_introduce(p, s->thread, s->t_ns);
    size_t n = make_chain(p, s);
    perfdata_put_sample(&p->buf, &who, s->kind, s->weight, p->chain, n);
    drain(p, PERFDATA_WRITE_BYTES);
}

static void begin(struct perfdata *p)
{
    p->begun = true;
    perfdata_put_header(p, &p->buf, 0);
}

static void take_sample(struct perfdata *p, const struct model_sample *s)
{
    assert(s->kind < ORIEL_SAMPLE_KINDS);
    if (!p->begun)
        begin(p);
    if (!p->failed)
        put_sample(p, s);
    if (p->failed || p->buf.failed) {
        p->failed = p->failed ? p->failed : ORIEL_ENOMEM;
        p->missed++;
        return;
    }
    p->samples[s->kind]++;
    p->first_ns = s->t_ns < p->first_ns ? s->t_ns : p->first_ns;
    p->last_ns = s->t_ns > p->last_ns ? s->t_ns : p->last_ns;
}

static int perf_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct perfdata *p = state;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct model_sample *s = &batch->items[i].u.sample;
        if (batch->items[i].kind == MODEL_ITEM_SAMPLE &&
            (!p->options.kind || s->kind == p->options.kind))
            take_sample(p, s);
    }
    return p->failed == 0
               ? 0
               : err_set(err, p->failed, "perf: samples are missing: %s", err_text(p->failed));
}

/* ---- the end ---- */

static uint64_t taken(const struct perfdata *p)
{
    uint64_t n = 0;
    for (int i = 0; i < ORIEL_SAMPLE_KINDS; i++)
        n += p->samples[i];
    return n;
}

/* What did not reach the recording. */
static void put_losses(struct perfdata *p, const struct export_summary *end)
{
    uint64_t samples = perfdata_number(p, "oriel.sample.lost");
    for (int i = 0; i < ORIEL_LOST_CAUSES; i++)
        if (end->lost[i])
            perfdata_put_lost(&p->buf, p->last_ns, PERFDATA_LOST, end->lost[i]);
    if (samples)
        perfdata_put_lost(&p->buf, p->last_ns, PERFDATA_LOST_SAMPLES, samples);
}

static void write_front(struct perfdata *p, uint64_t records)
{
    struct buf b;
    buf_init(&b);
    perfdata_put_header(p, &b, records);
    if (!p->failed)
        p->failed = b.failed ? ORIEL_ENOMEM : out_write_at(p->env.out, p->start, b.data, b.size);
    buf_done(&b);
}

static void put_file(struct perfdata *p, const struct export_summary *end)
{
    put_losses(p, end);
    drain(p, 0);
    perfdata_settle(p);
    drain(p, 0);
    uint64_t size = p->env.out->bytes - p->start;
    perfdata_put_features(p, &p->buf, size);
    drain(p, 0);
    write_front(p, size - PERFDATA_RECORDS_AT);
}

/* Files of which nobody could say where their instructions lie. */
static uint32_t count_unread(const struct perfdata *p)
{
    const struct model_stacks *s = &p->env.catalog->stacks;
    uint32_t n = 0;
    for (size_t i = 0; i < p->window.count; i++) {
        const struct perfdata_window *w = &p->window.items[i];
        n += w->module != UINT32_MAX && w->low < w->end && !s->modules[w->module]->segment_count &&
             s->modules[w->module]->kind == MODEL_MODULE_FILE;
    }
    return n;
}

static void make_note(struct perfdata *p)
{
    size_t at = 0, room = sizeof p->note;
    uint32_t unread = count_unread(p);
    if (p->nowhere)
        at = (size_t)snprintf(p->note, room,
                              "perf: %llu of %llu frames are not in the file: they have a name but "
                              "no address, and perf.data holds addresses only",
                              (unsigned long long)p->nowhere, (unsigned long long)p->frames);
    assert(at < room);
    if (unread)
        snprintf(p->note + at, room - at,
                 "%s%u object files are not here as they were recorded: functions of theirs may be "
                 "shown wrongly",
                 at ? "; " : "perf: ", unread);
}

static int finish(struct perfdata *p, const struct export_summary *end, struct oriel_err *err)
{
    if (!p->begun)
        return err_set(err, ORIEL_ENOTFOUND, "perf: the recording holds no %s%ssamples%s",
                       p->options.kind ? export_sample_kinds[p->options.kind] : "",
                       p->options.kind ? " " : "",
                       p->options.kind > ORIEL_SAMPLE_CPU ? "" : "; record with --rate 99");
    int rc = 0;
    if (p->frames && p->frames == p->nowhere)
        rc = err_set(err, ORIEL_ENOTFOUND,
                     "perf: the recording's functions have names but no addresses, and perf.data "
                     "holds addresses only; --to pprof or --to folded can write them");
    else if (!p->failed)
        put_file(p, end);
    if (rc == 0 && p->failed)
        rc = err_set(err, p->failed, "%s: writing perf.data: %s",
                     *p->env.out->path ? p->env.out->path : "perf", err_text(p->failed));
    if (rc == 0) {
        make_note(p);
        return 0;
    }
    (void)out_truncate(p->env.out, p->start);
    p->missed += taken(p);
    return rc;
}

static int perf_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct perfdata *p = state;
    int rc = finish(p, end, err);
    struct map *const maps[] = {&p->processes, &p->threads, &p->tids,    &p->windows,
                                &p->mapped,    &p->pieces,  &p->programs};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        map_done(maps[i]);
    intern_done(&p->paths);
    VEC_DONE(&p->window);
    VEC_DONE(&p->told);
    buf_done(&p->buf);
    return rc;
}

static uint64_t perf_unwritten(const void *state)
{
    return ((const struct perfdata *)state)->missed;
}

static const char *perf_note(const void *state)
{
    return ((const struct perfdata *)state)->note;
}

const struct exporter export_perf = {
    .name = "perf",
    .help = "samples as perf.data, for perf report, Hotspot and others",
    .suffix = ".perf.data",
    .wants = EXPORT_ITEMS | EXPORT_SEGMENTS,
    .options = perf_option_defs,
    .options_size = sizeof(struct perfdata_options),
    .state_size = sizeof(struct perfdata),
    .open = perf_open,
    .write = perf_write,
    .close = perf_close,
    .unwritten = perf_unwritten,
    .note = perf_note,
};
