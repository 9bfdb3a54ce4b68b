/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * See import.h. Memory grows with the file: what a place or a row takes is a
 * small multiple of the bytes that told it. One thread.
 */
#include "source/import.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SAMPLE_WORDS = 6 };
#define NO_ADDRESS (UINT64_C(1) << 62)

int import_init(struct import *i, const struct source_bytes *file, struct model_catalog *catalog)
{
    memset(i, 0, sizeof *i);
    i->catalog = catalog;
    i->damage.first_offset = UINT64_MAX;
    i->text = file->size ? file->bytes : "";
    i->size = file->size;
    buf_init(&i->unpacked);
    return intern_init(&i->keys);
}

void import_done(struct import *i)
{
    buf_done(&i->unpacked);
    intern_done(&i->keys);
    map_done(&i->thread_by_key);
    VEC_DONE(&i->threads);
    VEC_DONE(&i->rows);
}

void import_set_format(struct import *i, const char *format)
{
    (void)model_catalog_set_resource(i->catalog, MODEL_STR("oriel.import"),
                                     (struct model_str){format, (uint32_t)strlen(format)});
}

/* ---- places ---- */

static void put_key(struct buf *b, struct model_str s)
{
    buf_put(b, &s.n, sizeof s.n);
    buf_put(b, s.p, s.n);
}

uint32_t import_place(struct import *i, uint32_t module, const struct model_line *lines,
                      uint32_t count)
{
    struct model_stacks *s = &i->catalog->stacks;
    struct buf key;
    buf_init(&key);
    buf_put(&key, &module, sizeof module);
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t numbers[] = {lines[k].line, lines[k].column, lines[k].start_line};
        put_key(&key, lines[k].function);
        put_key(&key, lines[k].file);
        buf_put(&key, numbers, sizeof numbers);
    }
    uint32_t id = key.failed ? UINT32_MAX : intern_add(&i->keys, key.data, key.size);
    buf_done(&key);
    /* Not an address of anything, only a number for each, where no program and
     * no kernel has any. */
    struct model_place *p =
        id == UINT32_MAX ? NULL : model_stacks_place(s, module, NO_ADDRESS | id, false);
    if (!p || (!p->resolved && model_place_set_lines(s, p, lines, count) < 0))
        return UINT32_MAX;
    return p->index;
}

uint32_t import_module(struct import *i, uint8_t kind, struct model_str path)
{
    struct model_module like = {.kind = kind, .process = UINT32_MAX, .path = path};
    struct model_module *m = model_stacks_module(&i->catalog->stacks, &like);
    return m ? m->index : UINT32_MAX;
}

/* ---- threads ---- */

static struct model_process *process_of(struct import *i, int32_t pid, struct model_str exe)
{
    struct model_process *p = model_catalog_find_process(i->catalog, pid);
    if (p)
        return p;
    p = model_catalog_add_process(i->catalog, pid, exe, exe);
    if (p) {
        p->clock.now = (struct clock_piece){0, 0, UINT64_C(1) << 32};
        p->clock.before = p->clock.now;
    }
    return p;
}

uint32_t import_thread(struct import *i, int32_t pid, int32_t tid, struct model_str name,
                       struct model_str exe)
{
    uint64_t key = (uint64_t)(uint32_t)pid << 32 | (uint32_t)tid;
    uint64_t *at = map_put(&i->thread_by_key, key, i->threads.count);
    if (!at)
        return UINT32_MAX;
    if (*at < i->threads.count)
        return (uint32_t)*at;
    struct model_process *p = process_of(i, pid, exe);
    struct import_thread *t = p ? VEC_PUSH(&i->threads) : NULL;
    if (t) {
        t->serial = (uint32_t)i->threads.count;
        t->thread = model_catalog_add_thread(i->catalog, p->index, tid, t->serial);
    }
    if (!t || !t->thread) {
        i->threads.count -= t != NULL;
        (void)map_remove(&i->thread_by_key, key);
        return UINT32_MAX;
    }
    if (name.n)
        (void)model_thread_set_name(i->catalog, t->thread, name);
    return (uint32_t)i->threads.count - 1;
}

/* ---- rows ---- */

int import_add(struct import *i, const struct import_row *row)
{
    assert(row->thread < i->threads.count);
    struct import_row *fresh = VEC_PUSH(&i->rows);
    if (!fresh)
        return ORIEL_ENOMEM;
    *fresh = *row;
    return 0;
}

void import_note_damage(struct import *i, uint64_t at)
{
    i->damage.records++;
    if (i->damage.first_offset > at)
        i->damage.first_offset = at;
}

static int by_time(const void *a, const void *b)
{
    const struct import_row *x = a, *y = b;
    if (x->t_ns != y->t_ns)
        return x->t_ns < y->t_ns ? -1 : 1;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    return x->stack < y->stack ? -1 : x->stack > y->stack;
}

void import_sort(struct import *i)
{
    if (i->rows.count)
        qsort(i->rows.items, i->rows.count, sizeof *i->rows.items, by_time);
    buf_done(&i->unpacked);
    i->text = "";
    i->size = 0;
    if (i->rows.count && !i->catalog->start_ns)
        i->catalog->start_ns = i->rows.items[0].t_ns;
}

static bool put_row(struct import *i, struct model_batch *batch, const struct import_row *row)
{
    struct import_thread *t = &i->threads.items[row->thread];
    uint64_t *raw = arena_alloc(&batch->arena, SAMPLE_WORDS * sizeof *raw, sizeof *raw);
    struct model_record *r = raw ? model_batch_add_record(batch) : NULL;
    if (!r)
        return false;
    raw[0] = ORIEL_RECORD_HEADER(SAMPLE_WORDS, ORIEL_REC_SAMPLE, row->kind, 0);
    raw[1] = row->t_ns;
    raw[2] = row->stack;
    raw[3] = row->weight;
    raw[4] = row->count;
    raw[5] = 0;
    *r = (struct model_record){.t_ns = row->t_ns,
                               .position = t->position,
                               .raw = raw,
                               .thread = t->thread,
                               .words = SAMPLE_WORDS,
                               .type = ORIEL_REC_SAMPLE,
                               .flags = row->kind,
                               .stream = t->serial};
    t->position += SAMPLE_WORDS * sizeof *raw;
    i->watermark_ns = row->t_ns;
    return true;
}

int import_poll(struct import *i, struct model_batch *batch, size_t max_records)
{
    while (batch->record_count < max_records && i->next < i->rows.count) {
        if (!put_row(i, batch, &i->rows.items[i->next]))
            return batch->record_count ? SOURCE_DATA : ORIEL_ENOMEM;
        i->next++;
    }
    batch->watermark_ns = i->watermark_ns;
    if (batch->record_count)
        return SOURCE_DATA;
    batch->watermark_ns = UINT64_MAX;
    batch->last = true;
    return SOURCE_END;
}

void import_damage(const struct import *i, struct source_damage *out)
{
    *out = i->damage;
}

bool import_next_line(struct import_lines *l, struct model_str *out)
{
    if (l->at >= l->end)
        return false;
    const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
    const char *next = stop ? stop + 1 : l->end;
    stop = stop ? stop : l->end;
    size_t n = (size_t)(stop - l->at);
    n -= n && l->at[n - 1] == '\r';
    *out = (struct model_str){l->at, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX};
    l->at = next;
    return true;
}
