/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Packets, track descriptors and interned data: what is said once per file,
 * per process, per sequence. Off the hot path but for packet_event. Runs on
 * one thread.
 */
#include <assert.h>

#include "base/mem.h"
#include "export/perfetto/perfetto.h"
#include "export/values.h"
#include "util/utf8.h"

enum { COMMON_SEQUENCE = 1, FIRST_SEQUENCE = 2 };

/* ---- packets ---- */

struct pb_mark packet_open(struct perfetto *p, const struct perfetto_thread *t, unsigned flags)
{
    struct pb_mark m = pb_open(&p->buf, TRACE_PACKET, WIDE);
    pb_uint(&p->buf, PACKET_SEQUENCE, t ? t->sequence : COMMON_SEQUENCE);
    if (flags)
        pb_uint(&p->buf, PACKET_FLAGS, flags);
    return m;
}

struct packet packet_event(struct perfetto *p, const struct perfetto_thread *t, uint64_t ns,
                           unsigned type, uint64_t track)
{
    struct packet k;
    k.packet = packet_open(p, t, FLAG_NEEDS_STATE);
    pb_uint(&p->buf, PACKET_TIMESTAMP, ns);
    k.event = pb_open(&p->buf, PACKET_TRACK_EVENT, WIDE);
    pb_uint(&p->buf, EVENT_TYPE, type);
    if (track)
        pb_uint(&p->buf, EVENT_TRACK, track);
    return k;
}

void packet_event_close(struct perfetto *p, struct packet k)
{
    pb_close(&p->buf, k.event);
    pb_close(&p->buf, k.packet);
}

/* Text fields must be UTF-8, and trace_processor ends a text at its first NUL:
 * a NUL is shown by the symbol Unicode has for it. */
void perfetto_put_text(struct buf *b, uint32_t field, struct model_str s)
{
    if (!s.n || (!memchr(s.p, 0, s.n) && utf8_valid(s.p, s.n))) {
        pb_bytes(b, field, s.p, s.n);
        return;
    }
    struct pb_mark m = pb_open(b, field, WIDE);
    while (s.n) {
        const char *nul = memchr(s.p, 0, s.n);
        uint32_t n = nul ? (uint32_t)(nul - s.p) : s.n;
        utf8_repair(b, s.p, n);
        if (nul) {
            buf_put(b, "\xe2\x90\x80", 3);
            n++;
        }
        s.p += n;
        s.n -= n;
    }
    pb_close(b, m);
}

/* ---- identity of tracks ---- */

uint64_t perfetto_uuid(const struct perfetto *p, enum track_kind kind, uint64_t id)
{
    /* Ids of spans come from outside, too, and may be any number: they are mixed with what nobody
     * knows before the kind comes to them, so that none makes the track of something else. */
    uint64_t h = oriel_id_mix(p->seed ^ oriel_id_mix(id));
    h = oriel_id_mix(h + ((uint64_t)kind << 56));
    return h ? h : 1;
}

int perfetto_tracks_init(struct perfetto *p)
{
    p->seed = map_hash_bytes(p->env.catalog->session_id, sizeof p->env.catalog->session_id, 0);
    return intern_init(&p->keys);
}

void perfetto_tracks_done(struct perfetto *p)
{
    for (size_t i = 0; i < p->threads.count; i++) {
        struct perfetto_thread *t = &p->threads.items[i];
        for (size_t k = 0; k < t->holds.count; k++)
            buf_done(&t->holds.items[k].packets);
        VEC_DONE(&t->holds);
        mem_free(t->sites);
        mem_free(t->keys);
    }
    VEC_DONE(&p->threads);
    VEC_DONE(&p->sites);
    VEC_DONE(&p->processes);
    intern_done(&p->keys);
    export_identity_done(&p->identity);
}

void perfetto_tracks_forget(struct perfetto *p)
{
    for (size_t i = 0; i < p->threads.count; i++) {
        struct perfetto_thread *t = &p->threads.items[i];
        t->told = false;
        if (t->site_words)
            memset(t->sites, 0, t->site_words * sizeof *t->sites);
        if (t->key_words)
            memset(t->keys, 0, t->key_words * sizeof *t->keys);
    }
    for (size_t i = 0; i < p->sites.count; i++)
        p->sites.items[i].track_told = false;
    for (size_t i = 0; i < p->processes.count; i++)
        p->processes.items[i] = false;
}

/* ---- processes and threads ---- */

static void put_cmdline(struct buf *b, struct model_str cmdline)
{
    while (cmdline.n) {
        const char *nul = memchr(cmdline.p, 0, cmdline.n);
        uint32_t n = nul ? (uint32_t)(nul - cmdline.p) : cmdline.n;
        perfetto_put_text(b, PROCESS_CMDLINE, (struct model_str){cmdline.p, n});
        n += nul != NULL;
        cmdline.p += n;
        cmdline.n -= n;
    }
}

static void tell_process(struct perfetto *p, uint32_t index)
{
    struct buf *b = &p->buf;
    while (p->processes.count <= index)
        if (!VEC_PUSH(&p->processes)) {
            b->failed = true;
            return;
        }
    if (p->processes.items[index])
        return;
    p->processes.items[index] = true;
    const struct model_process *process = p->env.catalog->processes[index];
    struct pb_mark packet = packet_open(p, NULL, 0);
    struct pb_mark track = pb_open(b, PACKET_DESCRIPTOR, WIDE);
    pb_uint(b, TRACK_UUID, perfetto_uuid(p, TRACK_OF_PROCESS, index));
    struct pb_mark m = pb_open(b, TRACK_PROCESS, WIDE);
    pb_uint(b, PROCESS_PID, (uint64_t)export_identity_pid(&p->identity, process));
    put_cmdline(b, process->cmdline);
    if (process->name.n)
        perfetto_put_text(b, PROCESS_NAME, process->name);
    else
        pb_text(b, PROCESS_NAME, p->env.service_name);
    if (process->start_ns)
        pb_uint(b, PROCESS_START, process->start_ns);
    pb_close(b, m);
    pb_close(b, track);
    pb_close(b, packet);
}

static void put_interned(struct buf *b, uint32_t kind, uint64_t iid, struct model_str text)
{
    struct pb_mark m = pb_open(b, kind, WIDE);
    pb_uint(b, INTERNED_IID, iid);
    perfetto_put_text(b, INTERNED_TEXT, text);
    pb_close(b, m);
}

/* The first packet of a sequence: forget what was, the default track, our keys. */
static void put_sequence(struct perfetto *p, const struct perfetto_thread *t)
{
    struct buf *b = &p->buf;
    struct pb_mark packet = packet_open(p, t, FLAG_STATE_CLEARED);
    struct pb_mark defaults = pb_open(b, PACKET_DEFAULTS, 1);
    struct pb_mark event = pb_open(b, DEFAULTS_TRACK_EVENT, 1);
    pb_uint(b, EVENT_TRACK, t->uuid);
    pb_close(b, event);
    pb_close(b, defaults);
    struct pb_mark interned = pb_open(b, PACKET_INTERNED, WIDE);
    put_interned(b, INTERNED_KEY, KEY_TRACE_ID, MODEL_STR("trace_id"));
    put_interned(b, INTERNED_KEY, KEY_SPAN_ID, MODEL_STR("span_id"));
    put_interned(b, INTERNED_KEY, KEY_PARENT_ID, MODEL_STR("parent_span_id"));
    pb_close(b, interned);
    pb_close(b, packet);
}

static void put_thread_track(struct perfetto *p, const struct perfetto_thread *k,
                             const struct model_thread *t)
{
    struct buf *b = &p->buf;
    struct pb_mark packet = packet_open(p, k, 0);
    struct pb_mark track = pb_open(b, PACKET_DESCRIPTOR, WIDE);
    pb_uint(b, TRACK_UUID, k->uuid);
    pb_uint(b, TRACK_PARENT, perfetto_uuid(p, TRACK_OF_PROCESS, t->process));
    struct pb_mark m = pb_open(b, TRACK_THREAD, WIDE);
    pb_uint(b, THREAD_PID, (uint64_t)k->pid);
    pb_uint(b, THREAD_TID, (uint64_t)k->tid);
    if (t->name.n) {
        perfetto_put_text(b, THREAD_NAME, t->name);
    } else if (k->tid != t->tid) {
        struct pb_mark name = pb_open(b, THREAD_NAME, 1);
        buf_printf(b, "thread %d", t->tid);
        pb_close(b, name);
    }
    pb_close(b, m);
    pb_close(b, track);
    pb_close(b, packet);
}

static void make_thread(struct perfetto *p, struct perfetto_thread *k, const struct model_thread *t)
{
    char *o = (char *)k->head.bytes;
    k->pid = export_identity_pid(&p->identity, p->env.catalog->processes[t->process]);
    k->tid = export_identity_tid(&p->identity, p->env.catalog, t);
    k->uuid = perfetto_uuid(p, TRACK_OF_THREAD, t->index);
    k->sequence = FIRST_SEQUENCE + t->index;
    o = pb_at_uint(o, PACKET_SEQUENCE, k->sequence);
    o = pb_at_uint(o, PACKET_FLAGS, FLAG_NEEDS_STATE);
    k->head.n = (uint32_t)(o - (char *)k->head.bytes);
    assert(k->head.n <= sizeof k->head.bytes);
}

struct perfetto_thread *perfetto_thread_slow(struct perfetto *p, const struct model_thread *t)
{
    while (p->threads.count <= t->index)
        if (!VEC_PUSH(&p->threads)) {
            p->buf.failed = true;
            return NULL;
        }
    struct perfetto_thread *k = &p->threads.items[t->index];
    tell_process(p, t->process);
    if (!k->sequence)
        make_thread(p, k, t);
    if (!k->told)
        put_sequence(p, k);
    k->told = true;
    k->name = t->name.p;
    k->name_n = t->name.n;
    put_thread_track(p, k, t);
    return p->buf.failed ? NULL : k;
}

/* ---- interned data ---- */

/* Room for bit `index`; false: no memory. */
static bool grow_bits(uint64_t **bits, size_t *words, size_t index)
{
    if (index / 64 < *words)
        return true;
    size_t n = (index / 64 + 1) * 2;
    uint64_t *grown = mem_realloc(*bits, n * sizeof **bits);
    if (!grown)
        return false;
    memset(grown + *words, 0, (n - *words) * sizeof *grown);
    *bits = grown;
    *words = n;
    return true;
}

static void put_site(struct perfetto *p, const struct perfetto_thread *t,
                     const struct model_site *s)
{
    struct buf *b = &p->buf;
    uint64_t iid = s->index + 1;
    struct pb_mark packet = packet_open(p, t, FLAG_NEEDS_STATE);
    struct pb_mark interned = pb_open(b, PACKET_INTERNED, WIDE);
    put_interned(b, INTERNED_CATEGORY, iid, s->target);
    put_interned(b, INTERNED_NAME, iid, s->name);
    if (p->options.source) {
        struct pb_mark m = pb_open(b, INTERNED_SOURCE, WIDE);
        pb_uint(b, INTERNED_IID, iid);
        perfetto_put_text(b, INTERNED_TEXT, s->file);
        perfetto_put_text(b, SOURCE_FUNCTION, s->function);
        pb_uint(b, SOURCE_LINE, s->line);
        pb_close(b, m);
    }
    pb_close(b, interned);
    pb_close(b, packet);
}

const struct perfetto_site *perfetto_site_slow(struct perfetto *p, struct perfetto_thread *t,
                                               const struct model_site *s)
{
    while (p->sites.count <= s->index)
        if (!VEC_PUSH(&p->sites)) {
            p->buf.failed = true;
            return NULL;
        }
    if (!grow_bits(&t->sites, &t->site_words, s->index)) {
        p->buf.failed = true;
        return NULL;
    }
    struct perfetto_site *k = &p->sites.items[s->index];
    if (!k->refs.n) {
        char *o = (char *)k->refs.bytes;
        k->scope = export_scope(p->env.catalog, s);
        o = pb_at_uint(o, EVENT_CATEGORY_IID, s->index + 1);
        o = pb_at_uint(o, EVENT_NAME_IID, s->index + 1);
        if (p->options.source)
            o = pb_at_uint(o, EVENT_SOURCE_IID, s->index + 1);
        k->refs.n = (uint32_t)(o - (char *)k->refs.bytes);
        assert(k->refs.n <= sizeof k->refs.bytes);
    }
    put_site(p, t, s);
    t->sites[s->index / 64] |= (uint64_t)1 << s->index % 64;
    return k;
}

static void put_key(struct perfetto *p, uint64_t iid, struct model_str key)
{
    struct buf *b = &p->scratch;
    if (!export_key_is_taken(key)) {
        put_interned(&p->buf, INTERNED_KEY, iid, key);
        return;
    }
    buf_clear(b);
    buf_puts(b, EXPORT_KEY_PREFIX);
    buf_put(b, key.p, key.n);
    put_interned(&p->buf, INTERNED_KEY, iid, (struct model_str){b->data, (uint32_t)b->size});
    p->buf.failed |= b->failed;
}

uint64_t perfetto_key_iid(struct perfetto *p, struct model_str key)
{
    uint32_t id = intern_add(&p->keys, key.p, key.n);
    if (id == UINT32_MAX)
        p->buf.failed = true;
    return (uint64_t)id + KEYS_OF_OURS;
}

void perfetto_tell_keys(struct perfetto *p, struct perfetto_thread *t,
                        const struct model_value *attrs, uint32_t n)
{
    struct pb_mark packet = {0, 0}, interned = {0, 0};
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t iid = perfetto_key_iid(p, attrs[i].key);
        if (p->buf.failed || !grow_bits(&t->keys, &t->key_words, iid)) {
            p->buf.failed = true;
            return;
        }
        if (t->keys[iid / 64] >> iid % 64 & 1)
            continue;
        t->keys[iid / 64] |= (uint64_t)1 << iid % 64;
        if (!any) {
            packet = packet_open(p, t, FLAG_NEEDS_STATE);
            interned = pb_open(&p->buf, PACKET_INTERNED, WIDE);
            any = true;
        }
        put_key(p, iid, attrs[i].key);
    }
    if (any) {
        pb_close(&p->buf, interned);
        pb_close(&p->buf, packet);
    }
}

/* ---- tracks below a process ---- */

static void put_child_track(struct perfetto *p, uint64_t uuid, uint32_t process,
                            struct model_str name, bool counter)
{
    struct buf *b = &p->buf;
    struct pb_mark packet = packet_open(p, NULL, 0);
    struct pb_mark track = pb_open(b, PACKET_DESCRIPTOR, WIDE);
    pb_uint(b, TRACK_UUID, uuid);
    pb_uint(b, TRACK_PARENT, perfetto_uuid(p, TRACK_OF_PROCESS, process));
    perfetto_put_text(b, TRACK_NAME, name);
    if (counter)
        pb_bytes(b, TRACK_COUNTER, "", 0);
    pb_close(b, track);
    pb_close(b, packet);
}

uint64_t perfetto_span_track(struct perfetto *p, const struct model_span *s)
{
    uint64_t uuid = perfetto_uuid(p, TRACK_OF_SPAN, s->span_id);
    put_child_track(p, uuid, s->thread->process, model_span_name(s), false);
    return uuid;
}

uint64_t perfetto_site_track(struct perfetto *p, const struct model_site *s, bool counter)
{
    uint64_t uuid = perfetto_uuid(p, TRACK_OF_SITE, s->index);
    assert(s->index < p->sites.count);
    if (!p->sites.items[s->index].track_told)
        put_child_track(p, uuid, s->process, s->name, counter);
    p->sites.items[s->index].track_told = true;
    return uuid;
}
