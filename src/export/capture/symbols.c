/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the places of a recording are called: told at its end, when somebody
 * has looked them up, in chunks that are complete in themselves. A reader that
 * does not know them steps over them; a recording that was cut off has none.
 */
#include "export/capture/capture.h"

#include "base/err.h"

enum { SYMBOLS_BYTES = 1 << 20 }; /* of one chunk before compression, about */

struct telling {
    struct capture *c;
    const struct model_stacks *stacks;
    struct intern texts;
    struct map modules; /* of the catalog -> of the chunk, from 0 */
    struct buf module_bytes, place_bytes, whole;
    uint32_t place_count;
    uint64_t address;
    size_t text_bytes;
};

static uint64_t text_of(struct telling *t, struct model_str s)
{
    uint32_t before = t->texts.count;
    uint32_t id = intern_add(&t->texts, s.p, s.n);
    if (id == UINT32_MAX)
        t->place_bytes.failed = true;
    else if (t->texts.count != before)
        t->text_bytes += s.n + 2;
    return id;
}

static void put_word(struct buf *b, uint64_t v)
{
    uint8_t bytes[8];
    wire_put64(bytes, v);
    buf_put(b, bytes, sizeof bytes);
}

/* Modules of one process name it as records chunks do. */
static void put_module(struct telling *t, const struct model_module *m)
{
    struct buf *b = &t->module_bytes;
    const struct model_catalog *c = t->c->env.catalog;
    bool own = m->process < c->process_count;
    encoder_table_number(b, m->kind);
    encoder_table_number(b, own);
    if (own) {
        const struct model_process *p = c->processes[m->process];
        encoder_table_number(b, wire_zigzag((uint64_t)(int64_t)p->pid));
        encoder_table_number(b, p->start_ns);
        put_word(b, p->trace_hi);
        put_word(b, p->trace_salt);
    }
    encoder_table_number(b, text_of(t, m->path));
    encoder_table_number(b, m->build_id_bytes);
    buf_put(b, m->build_id, m->build_id_bytes);
}

static void put_lines(struct telling *t, const struct model_place *p)
{
    struct buf *b = &t->place_bytes;
    encoder_table_number(b, p->line_count);
    for (unsigned i = 0; i < p->line_count; i++) {
        const struct model_line *l = &p->lines[i];
        encoder_table_number(b, text_of(t, l->function));
        encoder_table_number(b, text_of(t, l->linkage));
        encoder_table_number(b, text_of(t, l->file));
        encoder_table_number(b, l->line);
        encoder_table_number(b, l->column);
        encoder_table_number(b, (uint64_t)l->start_line << 1 | l->inlined);
    }
}

/* Number of the module in this chunk, told when it is new. UINT64_MAX: no memory. */
static uint64_t module_of(struct telling *t, uint32_t module)
{
    const uint64_t *known = map_get(&t->modules, module);
    if (known)
        return *known;
    uint64_t number = t->modules.count;
    if (!map_put(&t->modules, module, number))
        return UINT64_MAX;
    put_module(t, t->stacks->modules[module]);
    return number;
}

static void put_place(struct telling *t, const struct model_place *p)
{
    uint64_t module = module_of(t, p->module);
    if (module == UINT64_MAX)
        t->place_bytes.failed = true;
    encoder_table_number(&t->place_bytes, module << 1 | p->caller);
    encoder_table_number(&t->place_bytes, wire_zigzag(p->address - t->address));
    t->address = p->address;
    put_lines(t, p);
    t->place_count++;
}

/* ---- chunks ---- */

static int telling_init(struct telling *t, struct capture *c)
{
    *t = (struct telling){.c = c, .stacks = &c->env.catalog->stacks};
    buf_init(&t->module_bytes);
    buf_init(&t->place_bytes);
    buf_init(&t->whole);
    return intern_init(&t->texts);
}

static void telling_done(struct telling *t)
{
    intern_done(&t->texts);
    map_done(&t->modules);
    buf_done(&t->module_bytes);
    buf_done(&t->place_bytes);
    buf_done(&t->whole);
}

static size_t bytes_so_far(const struct telling *t)
{
    return t->text_bytes + t->module_bytes.size + t->place_bytes.size;
}

/* Texts, modules, places: whatever is referred to stands before. */
static int put_whole(struct telling *t)
{
    struct buf *b = &t->whole;
    encoder_table_number(b, t->texts.count - 1); /* 0 is the empty one */
    for (uint32_t i = 1; i < t->texts.count; i++) {
        struct intern_str s = intern_get(&t->texts, i);
        encoder_table_number(b, s.n);
        buf_put(b, s.p, s.n);
    }
    encoder_table_number(b, t->modules.count);
    buf_put(b, t->module_bytes.data, t->module_bytes.size);
    encoder_table_number(b, t->place_count);
    buf_put(b, t->place_bytes.data, t->place_bytes.size);
    return b->failed || t->module_bytes.failed || t->place_bytes.failed ? ORIEL_ENOMEM : 0;
}

static int write_chunk(struct telling *t)
{
    struct capture *c = t->c;
    int rc = put_whole(t);
    if (rc < 0)
        return rc;
    capture_begin_chunk(c);
    size_t before = c->chunk.size;
    rc = c->zip ? zip_compress(c->zip, t->whole.data, t->whole.size, &c->chunk) : ORIEL_ELIMIT;
    if (rc < 0 || c->chunk.size - before >= t->whole.size) {
        c->chunk.size = before; /* equal sizes mean: not compressed */
        buf_put(&c->chunk, t->whole.data, t->whole.size);
    }
    return capture_end_chunk(c, WIRE_CAPTURE_SYMBOLS, (uint32_t)t->whole.size);
}

/* One chunk of places from *at on. */
static int tell_some(struct capture *c, uint32_t *at)
{
    struct telling t;
    const struct model_stacks *s = &c->env.catalog->stacks;
    int rc = telling_init(&t, c);
    for (; rc == 0 && *at < s->place_count && bytes_so_far(&t) < SYMBOLS_BYTES; ++*at)
        if (s->places[*at]->line_count)
            put_place(&t, s->places[*at]);
    if (rc == 0 && t.place_count)
        rc = write_chunk(&t);
    telling_done(&t);
    return rc;
}

int capture_write_symbols(struct capture *c)
{
    int rc = 0;
    for (uint32_t at = 0; rc == 0 && at < c->env.catalog->stacks.place_count;)
        rc = tell_some(c, &at);
    return rc;
}
