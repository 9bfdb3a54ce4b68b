/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Plots and frames. Pure; one thread at a time.
 */
#include "report/series.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/err.h"

enum { PIECE_FIRST_NS = 1000000 };

static void curve_add(struct curve *c, uint64_t t_ns, double value)
{
    if (c->piece_ns == 0) {
        c->start_ns = t_ns;
        c->piece_ns = PIECE_FIRST_NS;
    }
    /* Threads are merged by time, but a mark may lie a little before the first. */
    uint64_t at = t_ns > c->start_ns ? t_ns - c->start_ns : 0;
    while (at / c->piece_ns >= SERIES_SLOTS) {
        for (uint32_t i = 0; i < SERIES_SLOTS; i++) {
            uint32_t a = i * 2;
            c->sums[i] = a < SERIES_SLOTS ? c->sums[a] + c->sums[a + 1] : 0;
            c->counts[i] = a < SERIES_SLOTS ? c->counts[a] + c->counts[a + 1] : 0;
        }
        c->piece_ns *= 2;
    }
    c->sums[at / c->piece_ns] += value;
    c->counts[at / c->piece_ns]++;
}

/* False: not a number. */
static bool number(const struct model_value *v, double *out, bool *integer)
{
    *integer = v->type != ORIEL_TYPE_F64;
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        *out = v->v.b;
        return true;
    case ORIEL_TYPE_I64:
        *out = (double)v->v.i64;
        return true;
    case ORIEL_TYPE_U64:
    case ORIEL_TYPE_PTR:
        *out = (double)v->v.u64;
        return true;
    case ORIEL_TYPE_F64:
        *out = v->v.f64;
        return isfinite(v->v.f64);
    default:
        return false;
    }
}

int series_plot(struct series *s, const struct model_plot *plot, uint32_t name)
{
    double value;
    bool integer;
    if (!number(&plot->value, &value, &integer))
        return 0;
    uint64_t *slot = map_get(&s->plot_by_name, name);
    if (!slot) {
        if (s->plots.count >= SERIES_MAX) {
            s->plots_dropped++;
            return 0;
        }
        struct plot_stats *made = VEC_PUSH(&s->plots);
        if (!made)
            return ORIEL_ENOMEM;
        *made = (struct plot_stats){.name = name, .integer = true, .min = value, .max = value};
        slot = map_put(&s->plot_by_name, name, s->plots.count - 1);
        if (!slot) {
            s->plots.count--;
            return ORIEL_ENOMEM;
        }
    }
    struct plot_stats *p = &s->plots.items[*slot];
    assert(p->name == name);
    p->integer &= integer;
    p->count++;
    p->min = value < p->min ? value : p->min;
    p->max = value > p->max ? value : p->max;
    p->sum += value;
    p->last = value;
    p->last_ns = plot->t_ns;
    curve_add(&p->curve, plot->t_ns, value);
    return 0;
}

static void slow_frame(struct frame_stats *f, uint64_t t_ns, uint64_t ns)
{
    uint32_t at = f->slow_count;
    if (at == FRAMES_SLOW && ns <= f->slow[at - 1].ns)
        return;
    if (at == FRAMES_SLOW)
        at--;
    else
        f->slow_count++;
    for (; at && f->slow[at - 1].ns < ns; at--)
        f->slow[at] = f->slow[at - 1];
    f->slow[at] = (struct frame_slow){t_ns, ns};
}

int series_frame(struct series *s, const struct model_frame *frame, uint32_t name)
{
    uint32_t process = frame->thread ? frame->thread->process : 0;
    uint64_t key = (uint64_t)process << 32 | name;
    uint64_t *slot = map_get(&s->frame_by_name, key);
    if (!slot) {
        if (s->frames.count >= SERIES_MAX) {
            s->frames_dropped++;
            return 0;
        }
        struct frame_stats *made = VEC_PUSH(&s->frames);
        if (!made)
            return ORIEL_ENOMEM;
        *made = (struct frame_stats){.name = name, .process = process};
        slot = map_put(&s->frame_by_name, key, s->frames.count - 1);
        if (!slot) {
            s->frames.count--;
            return ORIEL_ENOMEM;
        }
    }
    struct frame_stats *f = &s->frames.items[*slot];
    bool ok = true;
    if (f->count++ && frame->t_ns >= f->last_ns) {
        uint64_t ns = frame->t_ns - f->last_ns;
        f->max = ns > f->max ? ns : f->max;
        f->sum += ns;
        slow_frame(f, f->last_ns, ns);
        ok = hist_add(&f->hist, ns);
    }
    f->last_ns = frame->t_ns;
    return ok ? 0 : ORIEL_ENOMEM;
}

void series_done(struct series *s)
{
    for (size_t i = 0; i < s->frames.count; i++)
        hist_done(&s->frames.items[i].hist);
    VEC_DONE(&s->plots);
    VEC_DONE(&s->frames);
    map_done(&s->plot_by_name);
    map_done(&s->frame_by_name);
}
