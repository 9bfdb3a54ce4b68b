/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Collects runs into rows of cells, one for each run, and compares these. A
 * text is kept once; nothing else of a run outlives the call that added it.
 */
#include "report/diff_state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "report/frames.h"
#include "report/weights.h"

enum { KEY_BYTES = 1024 };

static size_t runs_of(const struct diff *d)
{
    return d->options.runs[DIFF_A] + d->options.runs[DIFF_B];
}

int diff_new(struct diff **out, const struct diff_options *o)
{
    assert(out && o->size == sizeof *o);
    if (!o->runs[0] || !o->runs[1] || o->runs[0] > DIFF_RUNS_MAX || o->runs[1] > DIFF_RUNS_MAX ||
        o->runs[0] + o->runs[1] > DIFF_RUNS_MAX)
        return ORIEL_EINVAL;
    struct diff *d = mem_calloc(1, sizeof *d);
    if (!d || intern_init(&d->texts) < 0) {
        mem_free(d);
        return ORIEL_ENOMEM;
    }
    d->options = *o;
    if (o->confidence <= 0)
        d->options.confidence = 0.95;
    if (o->noise < 0)
        d->options.noise = 0.05;
    if (o->least < 0)
        d->options.least = 0.005;
    d->options.width = o->width ? o->width : 100;
    d->options.top = o->top ? o->top : 20;
    *out = d;
    return 0;
}

static void family_done(struct diff_family *f)
{
    map_done(&f->by_item);
    VEC_DONE(&f->items);
    for (int m = 0; m < DIFF_MEASURES; m++) {
        VEC_DONE(&f->cells[m]);
        mem_free(f->results[m]);
    }
    mem_free(f->order);
}

void diff_free(struct diff *d)
{
    if (!d)
        return;
    for (unsigned k = 0; k < DIFF_FAMILIES; k++)
        family_done(&d->families[k]);
    for (unsigned k = 0; k < ORIEL_SAMPLE_KINDS; k++)
        diff_tree_done(&d->trees[k]);
    VEC_DONE(&d->items);
    map_done(&d->item_by_key);
    intern_done(&d->texts);
    mem_free(d);
}

/* ---- items ---- */

static bool keep(struct diff *d, struct model_str text, struct model_str *out)
{
    uint32_t id = intern_add(&d->texts, text.p, text.n);
    if (id == UINT32_MAX)
        return false;
    struct intern_str s = intern_get(&d->texts, id);
    *out = (struct model_str){s.p, s.n};
    return true;
}

/* Found by kind, module and name; made if new. What else is known is as told last. */
static uint32_t item_of(struct diff *d, const struct diff_item *like)
{
    char key[KEY_BYTES];
    uint32_t module = like->module.n < 200 ? like->module.n : 200;
    uint32_t name = like->name.n < KEY_BYTES - 202 ? like->name.n : KEY_BYTES - 202;
    key[0] = like->span ? 's' : 'f';
    if (module)
        memcpy(key + 1, like->module.p, module);
    key[1 + module] = 0;
    if (name)
        memcpy(key + 2 + module, like->name.p, name);
    uint32_t text = intern_add(&d->texts, key, 2 + module + name);
    uint64_t *at = text == UINT32_MAX ? NULL : map_put(&d->item_by_key, text, d->items.count);
    if (!at)
        return UINT32_MAX;
    if (*at == d->items.count && !VEC_PUSH(&d->items)) {
        (void)map_remove(&d->item_by_key, text);
        return UINT32_MAX;
    }
    struct diff_item *item = &d->items.items[*at];
    uint32_t index = (uint32_t)*at;
    struct model_str old = item->name;
    *item = *like;
    item->name = old;
    if ((old.n == 0 && !keep(d, like->name, &item->name)) ||
        !keep(d, like->module, &item->module) || !keep(d, like->file, &item->file))
        return UINT32_MAX;
    return index;
}

static struct model_str up_to(struct model_str s, const char *mark, uint32_t keep_bytes)
{
    const char *at = s.n ? memmem(s.p, s.n, mark, strlen(mark)) : NULL;
    return at ? (struct model_str){s.p, (uint32_t)(at - s.p) + keep_bytes} : s;
}

/* "" for the program itself, which may be called differently on both sides;
 * libraries without their version. */
static struct model_str module_of(const struct model_catalog *c, const struct model_module *m)
{
    if (!m)
        return MODEL_STR("");
    for (uint32_t i = 0; m->kind == MODEL_MODULE_FILE && i < c->process_count; i++)
        if (model_str_equal(frames_base_name(c->processes[i]->exe), frames_base_name(m->path)))
            return MODEL_STR("");
    return up_to(frames_base_name(m->path), ".so.", 3);
}

/* What compilers put behind a name, differently in every build. */
static struct model_str without_suffix(struct model_str name)
{
    static const char *const suffixes[] = {".part.", ".isra.",     ".constprop.",
                                           ".cold",  ".lto_priv.", ".llvm."};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (name.n && name.p[0] != '.')
            name = up_to(name, suffixes[i], 0);
    /* Rust's old mangling ends in a hash: ::h and 16 digits. */
    if (name.n > 19 && memcmp(name.p + name.n - 19, "::h", 3) == 0)
        name.n -= 19;
    return name;
}

/* "[libz.so.1]" stands for what nobody could name: without the version, too. */
static struct model_str unresolved_name(struct model_str name, char room[256])
{
    struct model_str cut = up_to(name, ".so.", 3);
    if (cut.n == name.n || cut.n > 254)
        return name;
    memcpy(room, cut.p, cut.n);
    room[cut.n] = ']';
    return (struct model_str){room, cut.n + 1};
}

uint32_t diff_item_of_frame(struct diff *d, const struct model_catalog *c, const struct frame *f)
{
    char room[256];
    struct diff_item like = {.name = f->resolved ? without_suffix(f->name)
                                                 : unresolved_name(f->name, room),
                             .module = module_of(c, f->module),
                             .file = f->file,
                             .line = f->line,
                             .kernel = f->module && f->module->kind == MODEL_MODULE_KERNEL,
                             .resolved = f->resolved};
    return item_of(d, &like);
}

/* ---- cells ---- */

/* The row of an item, with cells of all runs; UINT32_MAX: no memory. */
static uint32_t row_of(struct diff *d, struct diff_family *f, uint32_t item)
{
    uint64_t *at = map_put(&f->by_item, item, f->items.count);
    if (!at)
        return UINT32_MAX;
    uint32_t row = (uint32_t)*at;
    if (row < f->items.count)
        return row;
    uint32_t *slot = VEC_PUSH(&f->items);
    if (!slot) {
        (void)map_remove(&f->by_item, item);
        return UINT32_MAX;
    }
    *slot = item;
    for (int m = 0; m < DIFF_MEASURES; m++)
        for (size_t i = 0; i < runs_of(d); i++)
            if (!VEC_PUSH(&f->cells[m]))
                return UINT32_MAX;
    f->present = true;
    return row;
}

static struct compare_cell *cell_of(struct diff *d, struct diff_family *f, enum diff_measure m,
                                    uint32_t row, size_t run)
{
    assert(run < runs_of(d));
    return &f->cells[m].items[(size_t)row * runs_of(d) + run];
}

static void add_to(struct compare_cell *c, double value, double variance)
{
    c->value += value;
    c->variance += variance;
}

static int add_functions(struct diff *d, size_t run, const struct report *r, struct frames *f,
                         uint8_t kind)
{
    /* What the kernel does counts for whoever asked for it: the program is compared, and
     * interrupts are spread over all of it. */
    const struct profile_filter all = {
        .kind = kind, .thread = -1, .process = -1, .user_self = true};
    struct diff_family *family = &d->families[kind];
    /* What was counted, not drawn by lot, has no error of sampling. */
    const double error = weights_are_summed(&r->profile, r->catalog, kind) ? 0 : 1;
    struct function_sums sums;
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    for (size_t i = 0; rc == 0 && i < sums.items.count; i++) {
        const struct function_sum *s = &sums.items.items[i];
        uint32_t item = diff_item_of_frame(d, r->catalog, &f->items.items[s->frame]);
        uint32_t row = item == UINT32_MAX ? item : row_of(d, family, item);
        if (row == UINT32_MAX) {
            rc = ORIEL_ENOMEM;
            break;
        }
        add_to(cell_of(d, family, DIFF_SELF, row, run), (double)s->self, error * s->self_square);
        add_to(cell_of(d, family, DIFF_TOTAL, row, run), (double)s->total, error * s->total_square);
    }
    struct compare_cell *whole = &d->whole_cells[kind][run];
    for (uint32_t i = 0; i < r->profile.row_count; i++)
        if (r->profile.rows[i].kind == kind)
            add_to(whole, (double)r->profile.rows[i].weight, error * r->profile.rows[i].square);
    if (sums.count && error > 0)
        d->unit[kind][run] = (double)sums.weight / (double)sums.count;
    function_sums_done(&sums);
    return rc;
}

/* ---- spans ---- */

/* The duration of this rank, from 1; the middle of its bucket. */
static double at_rank(const struct hist *h, double rank, uint64_t max)
{
    double seen = 0;
    uint32_t i = 0;
    for (; i + 1 < h->length; i++) {
        seen += (double)h->counts[i];
        if (seen >= rank)
            break;
    }
    double low = (double)hist_bucket_low(h->first + i);
    double high = (double)hist_bucket_low(h->first + i + 1);
    double middle = (low + high) / 2;
    return middle < (double)max ? middle : (double)max;
}

/* A quantile and its variance: the ranks one deviation around it, and the width
 * of buckets. */
static struct compare_cell quantile(const struct hist *h, double q, uint64_t max)
{
    double n = (double)h->count, rank = n * q, off = sqrt(n * q * (1 - q));
    double value = at_rank(h, rank, max);
    double low = at_rank(h, rank - off, max);
    double high = rank + off >= n ? (double)max : at_rank(h, rank + off, max);
    double wide = (high - low) / 2, bucket = 0.02 * value;
    return (struct compare_cell){value, wide * wide + bucket * bucket};
}

static double variance_of(const struct hist *h)
{
    double sum = 0, squares = 0, n = (double)h->count;
    for (uint32_t i = 0; i < h->length; i++) {
        double middle =
            ((double)hist_bucket_low(h->first + i) + (double)hist_bucket_low(h->first + i + 1)) / 2;
        sum += (double)h->counts[i] * middle;
        squares += (double)h->counts[i] * middle * middle;
    }
    return n > 1 ? (squares - sum * sum / n) / (n - 1) : sum * sum;
}

/* The row of spans of this name; UINT32_MAX: no memory. */
static uint32_t row_of_span(struct diff *d, struct diff_family *family, const struct report *r,
                            uint32_t id)
{
    const struct name *name = &r->names.items.items[id];
    const struct diff_item like = {.name = name->text,
                                   .module = MODEL_STR(""),
                                   .file = name->site ? name->site->file : MODEL_STR(""),
                                   .line = name->site ? name->site->line : 0,
                                   .resolved = true,
                                   .span = true};
    uint32_t item = item_of(d, &like);
    return item == UINT32_MAX ? item : row_of(d, family, item);
}

static int add_span(struct diff *d, size_t run, const struct report *r, const struct report_flat *s)
{
    struct diff_family *family = &d->families[DIFF_SPANS];
    uint32_t row = row_of_span(d, family, r, s->name);
    if (row == UINT32_MAX)
        return ORIEL_ENOMEM;
    double n = (double)s->count;
    double share = s->total ? (double)s->self / (double)s->total : 0; /* not its children's */
    *cell_of(d, family, DIFF_SELF, row, run) =
        (struct compare_cell){(double)s->self, n * variance_of(&s->hist) * share * share};
    *cell_of(d, family, DIFF_COUNT, row, run) = (struct compare_cell){n, 0};
    *cell_of(d, family, DIFF_P50, row, run) = quantile(&s->hist, 0.5, s->max);
    *cell_of(d, family, DIFF_P99, row, run) = quantile(&s->hist, 0.99, s->max);
    return 0;
}

/* Counted, not sampled: only runs differ. */
static int add_span_memory(struct diff *d, size_t run, const struct report *r)
{
    struct diff_family *family = &d->families[DIFF_SPAN_MEMORY];
    for (uint32_t i = 0; i < r->heap.spans.count; i++) {
        const struct heap_span *s = &r->heap.spans.items[i];
        if (s->spans == 0)
            continue;
        uint32_t row = row_of_span(d, family, r, i);
        if (row == UINT32_MAX)
            return ORIEL_ENOMEM;
        add_to(cell_of(d, family, DIFF_SELF, row, run), (double)s->own.bytes, 0);
        add_to(cell_of(d, family, DIFF_COUNT, row, run), (double)s->own.allocations, 0);
        add_to(&d->whole_cells[DIFF_SPAN_MEMORY][run], (double)s->own.bytes, 0);
    }
    return 0;
}

static int add_spans(struct diff *d, size_t run, struct report *r)
{
    struct report_flats flats;
    int rc = report_settle(r);
    if (rc < 0)
        return rc;
    rc = report_flatten(r, &flats);
    for (size_t i = 0; rc == 0 && i < flats.items.count; i++) {
        struct compare_cell *whole = &d->whole_cells[DIFF_SPANS][run];
        whole->value += (double)flats.items.items[i].self;
        rc = add_span(d, run, r, &flats.items.items[i]);
    }
    if (rc == 0)
        report_flats_done(&flats);
    return rc == 0 ? add_span_memory(d, run, r) : rc;
}

/* ---- a run ---- */

static bool same_or_first(struct diff *d, bool first, const struct model_catalog *c,
                          const char *key, struct model_str *out)
{
    struct model_str told = model_catalog_resource(c, key);
    if (first)
        return keep(d, told, out);
    bool same = model_str_equal(*out, told);
    if (!same)
        *out = MODEL_STR("");
    return same;
}

static void take_header(struct diff *d, struct diff_header *h, const struct model_catalog *c,
                        const char *name)
{
    bool first = h->runs == 0;
    struct model_str dirty = model_catalog_resource(c, "oriel.vcs.dirty");
    bool same = same_or_first(d, first, c, "vcs.ref.head.revision", &h->commit);
    h->mixed_commits |= !same && !first;
    h->dirty |= model_str_equal(dirty, MODEL_STR("true"));
    (void)same_or_first(d, first, c, "service.name", &h->program);
    (void)same_or_first(d, first, c, "host.name", &h->host);
    (void)same_or_first(d, first, c, "host.cpu.model.name", &h->cpu);
    (void)same_or_first(d, first, c, "oriel.kernel.release", &h->kernel);
    (void)same_or_first(d, first, c, "oriel.build.compiler", &h->compiler);
    (void)same_or_first(d, first, c, "oriel.sample.rate", &h->rate);
    if (first)
        (void)keep(d, (struct model_str){name, (uint32_t)strlen(name)}, &h->first_name);
    h->runs++;
}

int diff_add(struct diff *d, enum diff_side side, struct report *r, const char *name)
{
    struct diff_header *h = &d->headers[side];
    if (h->runs == d->options.runs[side] || d->finished)
        return ORIEL_EINVAL;
    size_t run = h->runs + (side == DIFF_B ? d->options.runs[DIFF_A] : 0);
    struct frames f;
    take_header(d, h, r->catalog, name);
    int rc = frames_init(&f, &r->catalog->stacks);
    for (uint8_t kind = 1; rc == 0 && kind < ORIEL_SAMPLE_KINDS; kind++) {
        /* Wakes tell of waits again, frees of allocations; and depths do not add up. */
        if (kind == ORIEL_SAMPLE_WAKE || kind == ORIEL_SAMPLE_FREE || kind == ORIEL_SAMPLE_DEPTH)
            continue;
        if (!r->profile.samples[kind] || (d->options.kind && d->options.kind != kind))
            continue;
        d->samples[side] += r->profile.samples[kind];
        d->samples[side] -= kind == ORIEL_SAMPLE_CPU ? r->profile.between : 0;
        rc = add_functions(d, run, r, &f, kind);
        if (rc == 0)
            rc = diff_tree_add(d, side, r, &f, kind);
    }
    frames_done(&f);
    if (rc == 0 && !d->options.kind)
        rc = add_spans(d, run, r);
    return rc;
}

/* ---- the end ---- */

/* One sample more or less is no news: it is part of every value's error. */
static void add_units(struct diff *d, uint8_t kind)
{
    size_t runs = runs_of(d), seen = 0;
    double sum = 0;
    for (size_t i = 0; i < runs; i++) {
        sum += d->unit[kind][i];
        seen += d->unit[kind][i] > 0;
    }
    for (size_t i = 0; i < runs; i++) {
        double unit = d->unit[kind][i] > 0 ? d->unit[kind][i] : seen ? sum / (double)seen : 0;
        d->whole_cells[kind][i].variance += unit * unit;
        for (size_t row = 0; row < d->families[kind].items.count; row++)
            for (int m = DIFF_SELF; m <= DIFF_TOTAL; m++)
                d->families[kind].cells[m].items[row * runs + i].variance += unit * unit;
    }
}

struct sorting {
    const struct compare_row *result;
    double weight;
    uint32_t row;
};

static int by_change(const void *a, const void *b)
{
    const struct sorting *x = a, *y = b;
    if (x->result->sure != y->result->sure)
        return x->result->sure ? -1 : 1;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int put_in_order(struct diff_family *f)
{
    size_t n = f->items.count;
    struct sorting *s = mem_calloc(n + 1, sizeof *s);
    f->order = mem_calloc(n + 1, sizeof *f->order);
    if (!s || !f->order) {
        mem_free(s);
        return ORIEL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct compare_row *c = &f->results[DIFF_SELF][i];
        s[i] = (struct sorting){c, fabs(c->b - c->a), (uint32_t)i};
        f->sure += c->sure;
    }
    if (n > 1)
        qsort(s, n, sizeof *s, by_change);
    for (size_t i = 0; i < n; i++)
        f->order[i] = s[i].row;
    mem_free(s);
    return 0;
}

static int finish_family(struct diff *d, uint8_t kind)
{
    struct diff_family *f = &d->families[kind];
    struct compare_options o = {.runs_a = d->options.runs[DIFF_A],
                                .runs_b = d->options.runs[DIFF_B],
                                .confidence = d->options.confidence,
                                .noise = d->options.noise,
                                .noise_least = 0.01};
    double noise;
    if (!diff_is_of_spans(kind))
        add_units(d, kind);
    int rc = compare_rows(&o, d->whole_cells[kind], 1, &d->whole[kind], &noise);
    double whole = d->whole[kind].a + d->whole[kind].b;
    for (int m = 0; rc == 0 && m < (kind == DIFF_SPANS ? DIFF_MEASURES : DIFF_P50); m++) {
        f->results[m] = mem_calloc(f->items.count + 1, sizeof *f->results[m]);
        o.whole = m <= DIFF_SELF || !diff_is_of_spans(kind) ? whole : 0;
        o.share_least = 0.002;
        rc = f->results[m]
                 ? compare_rows(&o, f->cells[m].items, f->items.count, f->results[m], &noise)
                 : ORIEL_ENOMEM;
        if (m == DIFF_SELF)
            f->noise = noise;
        /* Sure, but not worth a word. */
        for (size_t i = 0; rc == 0 && i < f->items.count; i++) {
            struct compare_row *c = &f->results[m][i];
            double of = o.whole > 0 ? d->whole[kind].a : c->a;
            c->sure = c->sure && fabs(c->b - c->a) >= d->options.least * of;
        }
    }
    return rc < 0 ? rc : put_in_order(f);
}

int diff_finish(struct diff *d)
{
    int rc = 0;
    assert(d->headers[DIFF_A].runs == d->options.runs[DIFF_A]);
    assert(d->headers[DIFF_B].runs == d->options.runs[DIFF_B] && !d->finished);
    d->finished = true;
    for (uint8_t kind = 0; rc == 0 && kind < DIFF_FAMILIES; kind++) {
        if (!d->families[kind].present)
            continue;
        rc = finish_family(d, kind);
        if (rc == 0 && !diff_is_of_spans(kind))
            rc = diff_tree_sort(d, &d->trees[kind]);
    }
    return rc;
}

bool diff_is_empty(const struct diff *d)
{
    for (unsigned kind = 0; kind < DIFF_FAMILIES; kind++)
        if (d->families[kind].present)
            return false;
    return true;
}
