/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tables section of a chunk: everything its records refer to, so that the
 * chunk can be read with all others gone. docs/CAPTURE.md has the layout. One
 * thread at a time.
 */
#include "export/capture/encode.h"

#include <assert.h>

#include "base/err.h"
#include "base/intern.h"

enum {
    NEWS_PER_CHUNK = 4096, /* threads looked at for changed losses */
    NEWS_MAX = 1 << 16     /* the same in the last chunk; a reader takes no more */
};

void encoder_table_number(struct buf *b, uint64_t v)
{
    char *p = buf_reserve(b, WIRE_NUMBER_ROOM);
    if (p)
        b->size += (size_t)(wire_number_put((uint8_t *)p, v) - (uint8_t *)p);
}

static void put_signed(struct buf *b, int64_t v)
{
    encoder_table_number(b, wire_zigzag((uint64_t)v));
}

static void put_opaque(struct buf *b, uint64_t v)
{
    uint8_t bytes[8];
    wire_put64(bytes, v);
    buf_put(b, bytes, sizeof bytes);
}

/* Streams first: an append needs nothing else. Their ends are those at the cut. */
static void put_streams(struct encoder *e, const struct encode_mark *cut, struct buf *out)
{
    uint64_t ends[WIRE_CAPTURE_STREAMS_MAX];
    assert(cut->streams <= e->stream_count && cut->runs <= e->runs.count);
    for (uint32_t i = 0; i < cut->streams; i++)
        ends[i] = e->streams[i].first_position;
    for (uint32_t i = 0; i < cut->runs; i++) {
        const struct encode_run *run = &e->runs.items[i];
        ends[run->stream] = i + 1 == cut->runs ? cut->position : run->end;
    }
    encoder_table_number(out, cut->streams);
    for (uint32_t i = 0; i < cut->streams; i++) {
        const struct encode_stream *s = &e->streams[i];
        const uint64_t *thread = s->known ? map_get(&e->thread_by_index, s->thread->index) : NULL;
        encoder_table_number(out, s->serial);
        encoder_table_number(out, thread ? *thread + 1 : 0);
        encoder_table_number(out, s->first_position);
        encoder_table_number(out, ends[i] - s->first_position);
        put_opaque(out, s->first_seed);
        put_opaque(out, s->first_ticks);
    }
}

static uint64_t lost_of(const struct model_thread *t)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++)
        n += t->lost[i];
    return n;
}

/* Remember what this chunk says; false: no memory. */
static bool tell(struct encoder *e, const struct model_thread *t)
{
    while (e->told.count <= t->index)
        if (!VEC_PUSH(&e->told))
            return false;
    e->told.items[t->index] = (struct encode_told){lost_of(t), t->name.p};
    return true;
}

static bool is_news(const struct encoder *e, const struct model_thread *t)
{
    if (t->index >= e->told.count)
        return lost_of(t) != 0;
    const struct encode_told *told = &e->told.items[t->index];
    return told->lost != lost_of(t) || (told->name && told->name != t->name.p);
}

static int add_news(struct encoder *e, bool all)
{
    const struct model_catalog *c = e->catalog;
    uint32_t most = all ? NEWS_MAX : NEWS_PER_CHUNK, index, at = e->told_at;
    uint32_t n = c->thread_count < most ? c->thread_count : most;
    for (uint32_t i = 0; i < n; i++, at++) {
        const struct model_thread *t = c->threads[at % c->thread_count];
        if (!is_news(e, t) || t->process >= c->process_count)
            continue;
        if (encoder_find_process(e, c->processes[t->process], NULL, 0, &index) < 0)
            break; /* told with the next chunk */
        if (encoder_find_thread(e, t, &index) < 0)
            return ORIEL_ENOMEM;
    }
    e->told_at = c->thread_count ? at % c->thread_count : 0;
    return 0;
}

void encoder_forget_told(struct encoder *e)
{
    e->told.count = 0;
}

static void put_text(struct buf *b, struct intern *texts, struct model_str s)
{
    uint32_t id = intern_add(texts, s.p, s.n);
    if (id == UINT32_MAX)
        b->failed = true;
    encoder_table_number(b, id);
}

static void put_processes(struct encoder *e, struct intern *texts, struct buf *b)
{
    encoder_table_number(b, e->processes.count);
    for (size_t i = 0; i < e->processes.count; i++) {
        const struct encode_process *ep = &e->processes.items[i];
        const struct model_process *p = ep->process;
        put_signed(b, p->pid);
        put_signed(b, p->ppid);
        encoder_table_number(b, p->start_ns);
        put_opaque(b, p->trace_hi);
        put_opaque(b, p->trace_salt);
        put_text(b, texts, p->exe);
        put_text(b, texts, p->cmdline);
        encoder_table_number(b, ep->measured);
        char *room = buf_reserve(b, WIRE_CLOCK_ROOM);
        if (room)
            b->size += (size_t)(wire_clock_put((uint8_t *)room, &ep->first) - (uint8_t *)room);
    }
}

static void put_threads(struct encoder *e, struct intern *texts, struct buf *b)
{
    encoder_table_number(b, e->threads.count);
    for (size_t i = 0; i < e->threads.count; i++) {
        const struct model_thread *t = e->threads.items[i];
        uint32_t process = 0;
        int rc = encoder_find_process(e, e->catalog->processes[t->process], NULL, 0, &process);
        assert(rc == 0 && process < e->processes.count);
        if (rc < 0 || !tell(e, t))
            b->failed = true;
        encoder_table_number(b, process);
        put_signed(b, t->tid);
        encoder_table_number(b, t->serial);
        put_text(b, texts, t->name);
        for (unsigned cause = 0; cause < ORIEL_LOST_CAUSES; cause++)
            encoder_table_number(b, t->lost[cause]);
    }
}

/* Index of a site's process; it is in the table, because a stream of it is. */
static uint32_t process_of(const struct encoder *e, const struct model_site *site)
{
    for (uint32_t i = 0; i < e->processes.count; i++)
        if (e->processes.items[i].process->index == site->process)
            return i;
    return 0;
}

static void put_sites(struct encoder *e, struct intern *texts, struct buf *b)
{
    encoder_table_number(b, e->sites.count);
    for (size_t i = 0; i < e->sites.count; i++) {
        const struct model_site *s = e->sites.items[i];
        encoder_table_number(b, process_of(e, s));
        encoder_table_number(b, s->id);
        encoder_table_number(b, s->line);
        buf_putc(b, (char)s->kind);
        buf_putc(b, (char)(s->level | (s->flags & WIRE_CAPTURE_SITE_FLAGS) << 4));
        put_text(b, texts, s->name);
        put_text(b, texts, s->target);
        put_text(b, texts, s->file);
        put_text(b, texts, s->function);
        put_text(b, texts, s->format);
        encoder_table_number(b, s->field_count);
        for (uint32_t f = 0; f < s->field_count; f++) {
            put_text(b, texts, s->fields[f].name);
            buf_putc(b, (char)s->fields[f].type);
            buf_putc(b, (char)(s->fields[f].flags & ~MODEL_FIELD_KEYED));
        }
    }
}

static void put_codes(struct encoder *e, struct buf *b)
{
    encoder_table_number(b, e->code_count);
    for (uint32_t i = 0; i < e->code_count; i++) {
        const struct encode_code *c = &e->codes[i];
        buf_putc(b, (char)c->type);
        buf_putc(b, (char)c->flags);
        buf_putc(b, (char)c->mode);
        encoder_table_number(b, c->site ? e->memo[c->site->index].site + 1u : 0);
    }
}

static void put_texts(const struct intern *texts, struct buf *out)
{
    encoder_table_number(out, texts->count - 1); /* 0 is the empty one */
    for (uint32_t i = 1; i < texts->count; i++) {
        struct intern_str s = intern_get(texts, i);
        encoder_table_number(out, s.n);
        buf_put(out, s.p, s.n);
    }
}

int encoder_tables(struct encoder *e, const struct encode_mark *cut, bool all_threads,
                   const uint64_t unwritten[WIRE_CAPTURE_CAUSES], struct buf *out)
{
    struct intern texts;
    int rc = add_news(e, all_threads);
    if (rc == 0)
        rc = intern_init(&texts);
    if (rc < 0)
        return rc;
    buf_clear(out);
    buf_clear(&e->scratch);
    put_processes(e, &texts, &e->scratch);
    put_threads(e, &texts, &e->scratch);
    put_sites(e, &texts, &e->scratch);
    put_codes(e, &e->scratch);
    encoder_put_stacks(e, &texts, &e->scratch);
    encoder_put_told(e, &texts, &e->scratch);

    put_streams(e, cut, out);
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++)
        encoder_table_number(out, e->catalog->lost[i]);
    for (unsigned i = 0; i < WIRE_CAPTURE_CAUSES; i++)
        encoder_table_number(out, unwritten[i]);
    put_texts(&texts, out);
    buf_put(out, e->scratch.data, e->scratch.size);
    intern_done(&texts);
    return out->failed || e->scratch.failed ? ORIEL_ENOMEM : 0;
}
