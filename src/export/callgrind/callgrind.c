/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The format of callgrind, for callgrind_annotate and KCachegrind: what every
 * line of every function cost itself, and what the calls from it cost. Each
 * kind of sample is an event of its own. Written at the end, when places have
 * their lines. Runs on one thread.
 *
 * Readers add what a function cost itself and what its calls cost. So that a
 * recursive function does not count twice, of its turns on one stack only the
 * innermost counts.
 */
#include "export/callgrind/callgrind.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/exporter.h"
#include "export/samples.h"

enum { WRITE_BYTES = 256 * 1024 };

struct callgrind {
    struct export_env env;
    struct callgrind_options options;
    struct export_samples samples;
};

static const struct option_def callgrind_option_defs[] = {
    {.name = "kind",
     .type = OPTION_ENUM,
     .offset = offsetof(struct callgrind_options, kind),
     .fallback = "all",
     .choices = export_sample_kinds,
     .arg = "KIND",
     .help = "which samples; every kind is an event of its own"},
    OPTION_END,
};

/* In the order of enum oriel_sample_kind: an event, and what a viewer calls it. */
static const struct {
    const char *name, *text;
} events[] = {
    [0] = {"Unknown", "unknown"},
    [ORIEL_SAMPLE_CPU] = {"Cpu_ns", "CPU time, ns"},
    [ORIEL_SAMPLE_OFF_CPU] = {"OffCpu_ns", "waiting, ns"},
    [ORIEL_SAMPLE_ALLOC] = {"Alloc_bytes", "bytes allocated"},
    [ORIEL_SAMPLE_FREE] = {"Free_bytes", "bytes freed"},
    [ORIEL_SAMPLE_LOCK] = {"Lock_ns", "waiting for locks, ns"},
    [ORIEL_SAMPLE_FAULT] = {"Faults", "page faults"},
    [ORIEL_SAMPLE_PREEMPTED] = {"Preempted_ns", "ready but not running, ns"},
    [ORIEL_SAMPLE_WAKE] = {"Wake_ns", "waits of others ended here, ns"},
    [ORIEL_SAMPLE_DEPTH] = {"Depth_bytes", "stack deeper than ever, bytes"},
    [ORIEL_SAMPLE_HOLDER] = {"Holder_ns", "waits of others for locks taken here, ns"},
    [ORIEL_SAMPLE_LIVE] = {"Live_bytes", "bytes in use at the end"},
    [ORIEL_SAMPLE_TEMPORARY] = {"Temporary_bytes", "bytes given back at once"},
    [ORIEL_SAMPLE_PEAK] = {"Peak_bytes", "bytes when most was in use"},
    [ORIEL_SAMPLE_CONDITION] = {"Condition_ns", "waiting for conditions, ns"},
    [ORIEL_SAMPLE_CALL] = {"Time_ns", "time in counted calls, ns"},
};
_Static_assert(sizeof events / sizeof *events == ORIEL_SAMPLE_KINDS, "an event for each kind");

static int callgrind_open(void *state, const void *options, const struct export_env *env,
                          struct oriel_err *err)
{
    struct callgrind *c = state;
    (void)err;
    assert(env->catalog && env->out);
    c->options = *(const struct callgrind_options *)options;
    c->env = *env;
    c->samples = (struct export_samples){.outlet = "callgrind", .kind = c->options.kind};
    model_profile_init(&c->samples.profile, false);
    return 0;
}

static int callgrind_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    return export_samples_write(&((struct callgrind *)state)->samples, batch, err);
}

/* ---- sums ---- */

/* Keys are interned as bytes; no padding in them. */
struct function {
    uint32_t module, file, name; /* module: index + 1, 0 none */
};
struct spot {                        /* a line of a function, or a call from there */
    uint32_t function, line, callee; /* callee 0: its own cost */
};
struct cost {
    uint64_t samples, of[ORIEL_SAMPLE_KINDS];
};
struct sums {
    const struct model_stacks *stacks;
    struct intern texts, functions, spots; /* function and spot 0: none */
    VEC(struct cost) costs;                /* by spot */
    VEC(uint32_t) starts;                  /* by function: the line it starts on */
    VEC(uint32_t) path;                    /* functions of the stack at hand */
    struct export_stack stack;
    struct buf text;
    bool counted; /* there are counted calls: then of these only */
};

/* What ends a line would end the name. */
static void put_text(struct buf *b, struct model_str s)
{
    for (uint32_t i = 0; i < s.n; i++)
        buf_putc(b, (unsigned char)s.p[i] < ' ' || s.p[i] == 127 ? ' ' : s.p[i]);
}

/* As it will stand in the file: what looks equal there is one function. */
static uint32_t text_of(struct sums *s, struct model_str text)
{
    buf_clear(&s->text);
    put_text(&s->text, text);
    return s->text.failed ? UINT32_MAX : intern_add(&s->texts, s->text.data, s->text.size);
}

static uint32_t function_of(struct sums *s, const struct export_frame *at)
{
    struct function f = {.module = at->module ? at->module->index + 1 : 0,
                         .file = text_of(s, at->file),
                         .name = text_of(s, at->name)};
    if (f.file == UINT32_MAX || f.name == UINT32_MAX)
        return UINT32_MAX;
    uint32_t id = intern_add(&s->functions, (const char *)&f, sizeof f);
    while (id != UINT32_MAX && s->starts.count <= id)
        if (!VEC_PUSH(&s->starts))
            return UINT32_MAX;
    if (id != UINT32_MAX && !s->starts.items[id])
        s->starts.items[id] = at->start_line;
    return id;
}

/* Of counted calls the number is known: those of the function that the stack ends in, by
 * the edge that leads there. Of samples it is how many have the edge. */
static uint64_t calls_of(const struct model_profile_row *row, bool last)
{
    return row->kind != ORIEL_SAMPLE_CALL || last ? row->count : 0;
}

static bool add_cost(struct sums *s, struct spot spot, uint64_t weight, uint64_t calls,
                     uint8_t kind)
{
    uint32_t id = intern_add(&s->spots, (const char *)&spot, sizeof spot);
    while (id != UINT32_MAX && s->costs.count <= id)
        if (!VEC_PUSH(&s->costs))
            return false;
    if (id == UINT32_MAX)
        return false;
    s->costs.items[id].of[kind] += weight;
    s->costs.items[id].samples += s->counted && kind != ORIEL_SAMPLE_CALL ? 0 : calls;
    return true;
}

/* Whether what this place of the stack calls is told: see above. */
static bool is_innermost(const struct sums *s, size_t at)
{
    for (size_t i = at + 1; i < s->path.count; i++)
        if (s->path.items[i] == s->path.items[at])
            return false;
    return true;
}

/* A recursive call costs nothing more than what is told of it elsewhere, but it was one. */
static bool calls_itself(const struct model_profile_row *row, uint64_t calls)
{
    return row->kind == ORIEL_SAMPLE_CALL && calls > 0;
}

static int add_row(struct sums *s, const struct model_profile_row *row)
{
    int rc = export_stack_set(&s->stack, s->stacks, row->stack);
    const struct export_frame *at = s->stack.frames.items;
    s->path.count = 0;
    for (size_t i = 0; rc == 0 && i < s->stack.frames.count; i++) {
        uint32_t *f = VEC_PUSH(&s->path);
        if (!f || (*f = function_of(s, &at[i])) == UINT32_MAX)
            rc = ORIEL_ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < s->path.count; i++) {
        bool leaf = i + 1 == s->path.count;
        struct spot spot = {s->path.items[i], at[i].line, leaf ? 0 : s->path.items[i + 1]};
        const uint64_t calls = calls_of(row, i + 2 >= s->path.count);
        const bool inner = is_innermost(s, i);
        if ((inner || calls_itself(row, calls)) &&
            !add_cost(s, spot, inner ? row->weight : 0, calls, row->kind))
            rc = ORIEL_ENOMEM;
    }
    return rc;
}

static int sums_init(struct sums *s, const struct model_stacks *stacks)
{
    memset(s, 0, sizeof *s);
    s->stacks = stacks;
    buf_init(&s->text);
    int rc = intern_init(&s->texts);
    rc |= intern_init(&s->functions);
    rc |= intern_init(&s->spots);
    rc |= export_stack_init(&s->stack);
    return rc ? ORIEL_ENOMEM : 0;
}

static void sums_done(struct sums *s)
{
    intern_done(&s->texts);
    intern_done(&s->functions);
    intern_done(&s->spots);
    VEC_DONE(&s->costs);
    VEC_DONE(&s->starts);
    VEC_DONE(&s->path);
    export_stack_done(&s->stack);
    buf_done(&s->text);
}

/* ---- the file ---- */

struct writer {
    const struct callgrind *c;
    const struct sums *s;
    struct buf buf;
    uint8_t kinds[ORIEL_SAMPLE_KINDS];
    unsigned kind_count;
    VEC(bool) told_texts, told_modules; /* their names stand in the file already */
};

struct entry {
    struct spot spot;
    const struct cost *cost;
};

static int by_spot(const void *a, const void *b)
{
    const struct spot *x = &((const struct entry *)a)->spot, *y = &((const struct entry *)b)->spot;
    if (x->function != y->function)
        return x->function < y->function ? -1 : 1;
    if (!x->callee != !y->callee)
        return x->callee ? 1 : -1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->callee < y->callee ? -1 : x->callee > y->callee;
}

/* "fn=(3) name", and only "fn=(3)" when it was told before. */
static void put_name(struct writer *w, const char *key, uint32_t id, struct model_str name,
                     bool *told)
{
    buf_printf(&w->buf, "%s=(%u)", key, id + 1);
    if (!*told) {
        buf_putc(&w->buf, ' ');
        put_text(&w->buf, name.n ? name : MODEL_STR("???"));
    }
    *told = true;
    buf_putc(&w->buf, '\n');
}

static struct function function_at(const struct sums *s, uint32_t id)
{
    struct function f;
    struct intern_str bytes = intern_get(&s->functions, id);
    assert(bytes.n == sizeof f);
    memcpy(&f, bytes.p, sizeof f);
    return f;
}

/* Files and functions are numbered by one table of texts; readers keep them
 * apart, and so does what was told: 2n is a file, 2n + 1 a function. */
static void put_named(struct writer *w, const char *key, uint32_t text, bool function)
{
    struct intern_str s = intern_get(&w->s->texts, text);
    put_name(w, key, text, (struct model_str){s.p, s.n},
             &w->told_texts.items[2 * (size_t)text + function]);
}

static void put_function(struct writer *w, uint32_t id, bool called)
{
    struct function f = function_at(w->s, id);
    struct model_str module =
        f.module ? w->s->stacks->modules[f.module - 1]->path : MODEL_STR("[unknown]");
    put_name(w, called ? "cob" : "ob", f.module, module, &w->told_modules.items[f.module]);
    put_named(w, called ? "cfi" : "fl", f.file, false);
    put_named(w, called ? "cfn" : "fn", f.name, true);
}

static void put_costs(struct writer *w, const uint64_t of[ORIEL_SAMPLE_KINDS])
{
    for (unsigned i = 0; i < w->kind_count; i++)
        buf_printf(&w->buf, " %llu", (unsigned long long)of[w->kinds[i]]);
    buf_putc(&w->buf, '\n');
}

static void put_entry(struct writer *w, const struct entry *e, bool first)
{
    if (first) {
        buf_putc(&w->buf, '\n');
        put_function(w, e->spot.function, false);
    }
    if (e->spot.callee) {
        put_function(w, e->spot.callee, true);
        buf_printf(&w->buf, "calls=%llu %u\n", (unsigned long long)e->cost->samples,
                   w->s->starts.items[e->spot.callee]);
    }
    buf_printf(&w->buf, "%u", e->spot.line);
    put_costs(w, e->cost->of);
}

static void put_head(struct writer *w)
{
    const struct model_catalog *c = w->c->env.catalog;
    const struct model_profile *p = &w->c->samples.profile;
    buf_printf(&w->buf, "# callgrind format\nversion: 1\ncreator: oriel %s\n", w->c->env.version);
    if (c->process_count) {
        buf_printf(&w->buf, "pid: %d\ncmd: ", c->processes[0]->pid);
        put_text(&w->buf, c->processes[0]->cmdline);
        buf_puts(&w->buf, "\npart: 1\n");
    }
    buf_puts(&w->buf, "positions: line\n");
    for (unsigned i = 0; i < w->kind_count; i++)
        buf_printf(&w->buf, "event: %s : %s\n", events[w->kinds[i]].name, events[w->kinds[i]].text);
    buf_puts(&w->buf, "events:");
    for (unsigned i = 0; i < w->kind_count; i++)
        buf_printf(&w->buf, " %s", events[w->kinds[i]].name);
    buf_puts(&w->buf, "\nsummary:");
    put_costs(w, p->weight);
}

static int put_entries(struct writer *w)
{
    size_t n = w->s->costs.count;
    int rc = 0;
    struct entry *sorted = mem_alloc(n * sizeof *sorted + 1);
    if (!sorted)
        return ORIEL_ENOMEM;
    for (size_t i = 1; i < n; i++) {
        struct intern_str bytes = intern_get(&w->s->spots, (uint32_t)i);
        memcpy(&sorted[i].spot, bytes.p, sizeof sorted[i].spot);
        sorted[i].cost = &w->s->costs.items[i];
    }
    if (n > 1)
        qsort(sorted + 1, n - 1, sizeof *sorted, by_spot);
    for (size_t i = 1; i < n && rc == 0; i++) {
        put_entry(w, &sorted[i], i == 1 || sorted[i].spot.function != sorted[i - 1].spot.function);
        if (w->buf.size < WRITE_BYTES)
            continue;
        rc = out_write_buf(w->c->env.out, &w->buf);
        buf_clear(&w->buf);
    }
    mem_free(sorted);
    return rc;
}

static int put_all(struct writer *w)
{
    const struct model_profile *p = &w->c->samples.profile;
    for (uint8_t kind = 0; kind < ORIEL_SAMPLE_KINDS; kind++)
        if (p->samples[kind])
            w->kinds[w->kind_count++] = kind;
    while (w->told_texts.count < 2 * (size_t)w->s->texts.count)
        if (!VEC_PUSH(&w->told_texts))
            return ORIEL_ENOMEM;
    while (w->told_modules.count <= w->s->stacks->module_count)
        if (!VEC_PUSH(&w->told_modules))
            return ORIEL_ENOMEM;
    put_head(w);
    int rc = put_entries(w);
    buf_puts(&w->buf, "\ntotals:");
    put_costs(w, p->weight);
    return rc < 0 ? rc : out_write_buf(w->c->env.out, &w->buf);
}

static int put_file(const struct callgrind *c)
{
    struct sums sums;
    const struct model_profile *p = &c->samples.profile;
    int rc = sums_init(&sums, &c->env.catalog->stacks);
    sums.counted = p->samples[ORIEL_SAMPLE_CALL] > 0;
    for (uint32_t i = 0; i < p->row_count && rc == 0; i++)
        rc = add_row(&sums, &p->rows[i]);
    if (rc == 0) {
        struct writer w = {.c = c, .s = &sums};
        buf_init(&w.buf);
        rc = put_all(&w);
        buf_done(&w.buf);
        VEC_DONE(&w.told_texts);
        VEC_DONE(&w.told_modules);
    }
    sums_done(&sums);
    return rc;
}

static int callgrind_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct callgrind *c = state;
    const uint64_t keep = c->env.out->bytes;
    (void)end;
    int rc = export_samples_any(&c->samples, err);
    if (rc == 0) {
        rc = put_file(c);
        if (rc < 0)
            rc = export_samples_failed(&c->samples, c->env.out, keep, rc, err);
    }
    model_profile_done(&c->samples.profile);
    return rc;
}

static uint64_t callgrind_unwritten(const void *state)
{
    return ((const struct callgrind *)state)->samples.missed;
}

const struct exporter export_callgrind = {
    .name = "callgrind",
    .help = "samples by line and call, for callgrind_annotate and KCachegrind",
    .suffix = ".callgrind",
    .wants = EXPORT_ITEMS | EXPORT_SYMBOLS,
    .options = callgrind_option_defs,
    .options_size = sizeof(struct callgrind_options),
    .state_size = sizeof(struct callgrind),
    .open = callgrind_open,
    .write = callgrind_write,
    .close = callgrind_close,
    .unwritten = callgrind_unwritten,
};
