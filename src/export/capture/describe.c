/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a chunk must describe: the sites, threads, processes, streams and codes
 * that its records use, numbered as they come up and forgotten when it ends.
 * One thread at a time.
 */
#include "export/capture/encode.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"

enum {
    SEED_LOOK_AHEAD = 64,
    ITEMS_MAX = WIRE_CAPTURE_SITES_MAX,
    SITE_BYTES_MAX = 1 << 20 /* of texts in one chunk */
};

/* One memo per site of the catalog. */
bool encoder_reserve_memo(struct encoder *e)
{
    uint32_t want = e->catalog->site_count;
    if (want <= e->memo_count)
        return true;
    want += want / 2 + 16;
    struct encode_memo *p = mem_realloc(e->memo, want * sizeof *p);
    if (!p)
        return false;
    memset(p + e->memo_count, 0, (want - e->memo_count) * sizeof *p);
    e->memo = p;
    e->memo_count = want;
    return true;
}

/* Bytes that describing a site takes, roughly. */
static size_t text_bytes(const struct model_site *s)
{
    size_t n = (size_t)s->name.n + s->target.n + s->file.n + s->function.n + s->format.n;
    for (uint32_t i = 0; i < s->field_count; i++)
        n += s->fields[i].name.n + 4;
    return n + 32;
}

int encoder_find_site(struct encoder *e, const struct model_site *site, uint16_t *out)
{
    assert(site->index < e->memo_count);
    struct encode_memo *m = &e->memo[site->index];
    if (m->site_epoch != e->epoch) {
        uint32_t process = 0;
        if (e->sites.count == ITEMS_MAX || (e->records && e->site_bytes > SITE_BYTES_MAX))
            return ORIEL_ELIMIT;
        int rc =
            site->process < e->catalog->process_count
                ? encoder_find_process(e, e->catalog->processes[site->process], NULL, 0, &process)
                : ORIEL_EINVAL;
        if (rc < 0)
            return rc;
        const struct model_site **slot = VEC_PUSH(&e->sites);
        if (!slot)
            return ORIEL_ENOMEM;
        *slot = site;
        e->site_bytes += text_bytes(site);
        m->site = (uint16_t)(e->sites.count - 1);
        m->site_epoch = e->epoch;
    }
    *out = m->site;
    return 0;
}

static inline uint32_t key_of(uint32_t type, uint32_t flags, uint32_t mode)
{
    return type << 16 | flags << 8 | mode;
}

/* Let encode_plain have this code, if it is one it can take. */
static void remember_plain(struct encoder *e, const struct model_record *r, uint32_t mode,
                           uint64_t code)
{
    if (code >= WIRE_OP_SHORT_CODES || r->words != 2 || r->flags & ORIEL_RECF_HAS_TIME)
        return;
    struct encode_fast fast = {r->raw[0], r->site, WIRE_OP_CODE + code};
    if (r->type == ORIEL_REC_END && mode == WIRE_ID_RESOLVED && r->flags == 0) {
        fast.header = (uint32_t)fast.header;
        e->fast[ENCODE_FAST] = fast;
    } else if (r->type == ORIEL_REC_BEGIN && mode == WIRE_ID_OWN && r->site->field_count == 0) {
        e->fast[encode_fast_slot(fast.header)] = fast;
    }
}

int encoder_find_code(struct encoder *e, const struct model_record *r, uint32_t mode, uint16_t *out)
{
    uint16_t local;
    struct encode_memo *m = r->site ? &e->memo[r->site->index] : &e->plain[r->type];
    uint32_t key = key_of(r->type, r->flags, mode);
    if (m->epoch == e->epoch && m->key == key) {
        remember_plain(e, r, mode, m->code);
        *out = m->code;
        return 0;
    }
    if (r->site) {
        int rc = encoder_find_site(e, r->site, &local);
        if (rc < 0)
            return rc;
    }
    uint64_t whole = (r->site ? (uint64_t)r->site->index + 1 : 0) << 32 | key;
    const uint64_t *known = map_get(&e->code_by_key, whole);
    if (!known) {
        if (e->code_count == WIRE_CAPTURE_CODES_MAX)
            return ORIEL_ELIMIT;
        known = map_put(&e->code_by_key, whole, e->code_count);
        if (!known)
            return ORIEL_ENOMEM;
        e->codes[e->code_count++] = (struct encode_code){r->site, r->type, r->flags, (uint8_t)mode};
    }
    m->epoch = e->epoch;
    m->key = key;
    m->code = (uint16_t)*known;
    remember_plain(e, r, mode, m->code);
    *out = m->code;
    return 0;
}

/* The source does not tell its clock: a line through the first and the last
 * record of this run. What lies beside the line is stored with the record. */
static struct clock_map measure(const struct model_record *r, size_t n)
{
    struct clock_piece m = {r->raw[1], r->t_ns, UINT64_C(1) << 32};
    size_t last = 0;
    for (size_t i = 1; i < n && r[i].stream == r->stream; i++)
        if (r[i].words >= 2 && !(r[i].flags & ORIEL_RECF_HAS_TIME))
            last = i;
    uint64_t ticks = r[last].raw[1] - m.base_ticks, ns = r[last].t_ns - m.base_ns;
    if (last && ticks < UINT64_C(1) << 62 && ticks > 0 && ns < UINT64_C(1) << 62) {
        unsigned __int128 mult = (((unsigned __int128)ns << 32) + ticks / 2) / ticks;
        if (mult && mult >> 40 == 0)
            m.mult = (uint64_t)mult;
    }
    return (struct clock_map){.now = m, .before = m};
}

int encoder_find_process(struct encoder *e, const struct model_process *process,
                         const struct model_record *r, size_t n, uint32_t *out)
{
    for (uint32_t i = 0; i < e->processes.count; i++) {
        if (e->processes.items[i].process == process) {
            *out = i;
            return 0;
        }
    }
    if (e->processes.count == ITEMS_MAX)
        return ORIEL_ELIMIT;
    struct encode_process *p = VEC_PUSH(&e->processes);
    if (!p)
        return ORIEL_ENOMEM;
    p->process = process;
    p->measured = process->clock.now.mult == 0;
    p->first = p->measured && r ? measure(r, n) : encoder_clock(&process->clock);
    p->clock = p->first;
    *out = (uint32_t)(e->processes.count - 1);
    return 0;
}

int encoder_find_thread(struct encoder *e, const struct model_thread *thread, uint32_t *out)
{
    const uint64_t *known = map_get(&e->thread_by_index, thread->index);
    if (!known) {
        const struct model_thread **slot = VEC_PUSH(&e->threads);
        if (!slot)
            return ORIEL_ENOMEM;
        *slot = thread;
        known = map_put(&e->thread_by_index, thread->index, e->threads.count - 1);
        if (!known) {
            e->threads.count--;
            return ORIEL_ENOMEM;
        }
    }
    *out = (uint32_t)*known;
    return 0;
}

/* Seed of a stream: told by the first record ahead that carries its own id. */
static uint64_t find_seed(const struct model_record *r, size_t n)
{
    for (size_t i = 0; i < n && i < SEED_LOOK_AHEAD && r[i].stream == r->stream; i++)
        if ((r[i].type == ORIEL_REC_BEGIN || r[i].type == ORIEL_REC_OPEN ||
             r[i].type == ORIEL_REC_SPAN) &&
            r[i].raw_id)
            return r[i].raw_id - r[i].position;
    return 0;
}

int encoder_add_stream(struct encoder *e, const struct model_record *r, size_t n, uint32_t *out)
{
    const struct model_catalog *c = e->catalog;
    uint32_t thread, process = 0;
    bool known = r->thread && r->thread->process < c->process_count;
    if (e->stream_count == WIRE_CAPTURE_STREAMS_MAX)
        return ORIEL_ELIMIT;
    if (known) {
        int rc = encoder_find_process(e, c->processes[r->thread->process], r, n, &process);
        if (rc == 0)
            rc = encoder_find_thread(e, r->thread, &thread);
        if (rc < 0)
            return rc;
    }
    uint64_t *slot = map_put(&e->stream_by_serial, r->stream, 0);
    if (!slot)
        return ORIEL_ENOMEM;
    *slot = e->stream_count;
    const uint64_t *covered = map_get(&e->covered, r->stream);
    struct encode_stream *s = &e->streams[e->stream_count];
    s->serial = r->stream;
    s->thread = r->thread;
    s->process = process;
    s->known = known;
    s->covered = covered ? *covered : 0;
    s->first_position = r->position;
    s->first_seed = find_seed(r, n);
    s->first_ticks = r->words >= 2 && !(r->flags & ORIEL_RECF_HAS_TIME) ? r->raw[1] : 0;
    memset(&s->p, 0, sizeof s->p);
    s->p.position = s->first_position;
    s->p.seed = s->first_seed;
    s->p.ticks = s->first_ticks;
    *out = e->stream_count++;
    return 0;
}
