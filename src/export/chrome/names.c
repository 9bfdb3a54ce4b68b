/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is said once: prefixes of sites and threads, metadata events that name
 * processes and threads, the session. Off the hot path. Runs on one thread.
 */
#include <assert.h>
#include <stdio.h>

#include "export/chrome/chrome.h"
#include "export/values.h"
#include "util/json.h"

void chrome_names_init(struct chrome *c)
{
    arena_init(&c->texts);
}

void chrome_names_done(struct chrome *c)
{
    VEC_DONE(&c->sites);
    VEC_DONE(&c->threads);
    VEC_DONE(&c->pids);
    export_identity_done(&c->identity);
    arena_done(&c->texts);
}

void chrome_names_forget(struct chrome *c)
{
    for (size_t i = 0; i < c->threads.count; i++)
        c->threads.items[i].told = false;
    for (size_t i = 0; i < c->pids.count; i++)
        c->pids.items[i] = 0;
}

/* Takes what stands in `b` behind `from` and keeps it, padded for copying. */
static struct chrome_text keep(struct chrome *c, struct buf *b)
{
    struct chrome_text t = {NULL, 0};
    char *p = b->failed ? NULL : arena_alloc(&c->texts, b->size + CHROME_STEP, 1);
    if (p) {
        memcpy(p, b->data, b->size);
        memset(p + b->size, 0, CHROME_STEP);
        t = (struct chrome_text){p, (uint32_t)b->size};
    }
    return t;
}

/* Texts longer than this are cut in a site's prefix: no name is that long. */
enum { NAME_BYTES = 64 * 1024 };

static void put_name(struct buf *b, struct model_str s)
{
    json_put_string(b, s.p, s.n < NAME_BYTES ? s.n : NAME_BYTES);
}

static void put_source(struct buf *b, const struct model_site *s)
{
    if (s->file.n == 0)
        return;
    JSON_PUT(b, "\"src\":\"");
    json_put_escaped(b, s->file.p, s->file.n < NAME_BYTES ? s->file.n : NAME_BYTES);
    JSON_PUT(b, ":");
    json_put_u64(b, s->line);
    JSON_PUT(b, "\",");
}

/* Once for all events of the site. */
static void put_scope(struct buf *b, const struct model_scope *s)
{
    if (!s)
        return;
    if (s->version.n) {
        JSON_PUT(b, "\"" EXPORT_SCOPE_VERSION "\":");
        put_name(b, s->version);
        JSON_PUT(b, ",");
    }
    for (uint32_t i = 0; i < s->told.attr_count; i++) {
        JSON_PUT(b, "\"" EXPORT_SCOPE_PREFIX);
        json_put_escaped(b, s->told.attrs[i].key.p, s->told.attrs[i].key.n);
        JSON_PUT(b, "\":");
        chrome_put_value(b, &s->told.attrs[i]);
        JSON_PUT(b, ",");
    }
}

/* Up to the category: what events of a site begin with. */
static void put_head(struct buf *b, struct model_str name, const struct model_site *s)
{
    JSON_PUT(b, ",\n{\"ph\":\"X\",\"name\":");
    put_name(b, name);
    JSON_PUT(b, ",\"cat\":");
    put_name(b, s->target);
}

const struct chrome_site *chrome_site_renamed(struct chrome *c, const struct model_span *s)
{
    const struct chrome_site *site = chrome_site(c, s->site);
    struct buf *b = &c->renamed_head;
    if (!site)
        return NULL;
    buf_clear(b);
    put_head(b, model_span_name(s), s->site);
    const size_t n = b->size;
    buf_put(b, (const char[CHROME_STEP]){0}, CHROME_STEP); /* texts are copied in steps */
    if (b->failed) {
        c->buf.failed = true;
        return NULL;
    }
    c->renamed = (struct chrome_site){{b->data, (uint32_t)n}, site->args};
    return &c->renamed;
}

const struct chrome_site *chrome_site_slow(struct chrome *c, const struct model_site *s)
{
    struct buf b;
    while (c->sites.count <= s->index)
        if (!VEC_PUSH(&c->sites)) {
            c->buf.failed = true;
            return NULL;
        }
    struct chrome_site *k = &c->sites.items[s->index];
    buf_init(&b);
    put_head(&b, s->name, s);
    assert(b.failed || b.data[CHROME_PHASE_AT] == 'X');
    struct chrome_text head = keep(c, &b);
    buf_clear(&b);
    if (c->options.source)
        put_source(&b, s);
    put_scope(&b, export_scope(c->env.catalog, s));
    k->args = keep(c, &b);
    buf_done(&b);
    k->head = k->args.p ? head : (struct chrome_text){NULL, 0};
    if (k->head.p)
        return k;
    c->buf.failed = true;
    return NULL;
}

static void put_meta(struct chrome *c, const char *name, int32_t pid, int32_t tid)
{
    struct buf *b = &c->buf;
    JSON_PUT(b, ",\n{\"ph\":\"M\",\"name\":\"");
    buf_puts(b, name);
    JSON_PUT(b, "\",\"pid\":");
    json_put_i64(b, pid);
    if (tid) {
        JSON_PUT(b, ",\"tid\":");
        json_put_i64(b, tid);
    }
    JSON_PUT(b, ",\"args\":{");
}

/* The number of a process; its name goes out at the first use. */
static int32_t tell_process(struct chrome *c, uint32_t index)
{
    struct buf *b = &c->buf;
    while (c->pids.count <= index)
        if (!VEC_PUSH(&c->pids)) {
            b->failed = true;
            return 0;
        }
    int32_t *pid = &c->pids.items[index];
    if (*pid)
        return *pid;
    const struct model_process *p = c->env.catalog->processes[index];
    *pid = export_identity_pid(&c->identity, p);
    put_meta(c, "process_name", *pid, 0);
    JSON_PUT(b, "\"name\":");
    if (p->name.n)
        put_name(b, p->name);
    else
        json_put_string(b, c->env.service_name, strlen(c->env.service_name));
    if (*pid != p->pid) {
        JSON_PUT(b, ",\"os_pid\":");
        json_put_i64(b, p->pid);
    }
    JSON_PUT(b, "}}");
    put_meta(c, "process_sort_index", *pid, 0);
    JSON_PUT(b, "\"sort_index\":");
    json_put_u64(b, index);
    JSON_PUT(b, "}}");
    return *pid;
}

static void tell_thread(struct chrome *c, const struct model_thread *t, struct chrome_thread *k)
{
    struct buf *b = &c->buf;
    bool renumbered = k->tid != t->tid;
    if (t->name.n || renumbered) {
        put_meta(c, "thread_name", k->pid, k->tid);
        JSON_PUT(b, "\"name\":");
        if (t->name.n)
            put_name(b, t->name);
        else
            buf_printf(b, "\"thread %d\"", t->tid);
        if (renumbered) {
            JSON_PUT(b, ",\"os_tid\":");
            json_put_i64(b, t->tid);
        }
        JSON_PUT(b, "}}");
    }
    put_meta(c, "thread_sort_index", k->pid, k->tid);
    JSON_PUT(b, "\"sort_index\":");
    json_put_u64(b, t->index);
    JSON_PUT(b, "}}");
}

struct chrome_thread *chrome_thread_slow(struct chrome *c, const struct model_thread *t)
{
    struct buf b;
    while (c->threads.count <= t->index)
        if (!VEC_PUSH(&c->threads)) {
            c->buf.failed = true;
            return NULL;
        }
    struct chrome_thread *k = &c->threads.items[t->index];
    k->pid = tell_process(c, t->process);
    k->tid = export_identity_tid(&c->identity, c->env.catalog, t);
    k->name = t->name.p;
    k->name_n = t->name.n;
    tell_thread(c, t, k);
    k->told = true;
    if (k->head.p)
        return k;
    buf_init(&b);
    buf_printf(&b, ",\"pid\":%d,\"tid\":%d,\"ts\":", k->pid, k->tid);
    k->head = keep(c, &b);
    buf_done(&b);
    if (k->head.p)
        return k;
    c->buf.failed = true;
    return NULL;
}

static void put_losses(struct json *j, const struct model_catalog *catalog,
                       const struct export_summary *end)
{
    json_key(j, "lost");
    json_object(j);
    for (uint32_t cause = 0; cause < ORIEL_LOST_CAUSES; cause++) {
        uint64_t n = end ? end->lost[cause] : catalog->lost[cause];
        for (uint32_t i = 0; !end && i < catalog->thread_count; i++)
            n += catalog->threads[i]->lost[cause];
        json_key(j, model_lost_text(cause));
        json_u64(j, n);
    }
    json_object_end(j);
}

static void put_totals(struct json *j, const struct export_summary *end)
{
    const struct {
        const char *key;
        uint64_t n;
    } totals[] = {
        {"records", end->records},
        {"damaged", end->damaged},
        {"clamped", end->clamped},
        {"unfinished", end->unfinished},
    };
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        json_key(j, totals[i].key);
        json_u64(j, totals[i].n);
    }
}

void chrome_put_metadata(struct chrome *c, const struct export_summary *end)
{
    const struct model_catalog *catalog = c->env.catalog;
    char digits[NUM_U64_MAX];
    struct json j;
    json_init(&j, &c->buf);
    json_object(&j);
    json_key(&j, "session_id");
    json_hex(&j, catalog->session_id, sizeof catalog->session_id);
    /* As text: readers that know only doubles would round it. */
    json_key(&j, "start_unix_ns");
    json_string_n(&j, digits, (size_t)(num_put_u64(digits, c->base_ns) - digits));
    json_key(&j, "service.name");
    json_string(&j, c->env.service_name);
    json_key(&j, "oriel_version");
    json_string(&j, c->env.version);
    json_key(&j, "resource");
    json_object(&j);
    for (uint32_t i = 0; i < catalog->resource_count; i++) {
        const struct model_attr_text *a = &catalog->resource[i];
        json_key_n(&j, a->key.p, a->key.n);
        json_string_n(&j, a->value.p, a->value.n);
    }
    json_object_end(&j);
    put_losses(&j, catalog, end);
    if (end)
        put_totals(&j, end);
    if (c->early) {
        json_key(&j, "before_start");
        json_u64(&j, c->early);
    }
    json_object_end(&j);
}

void chrome_put_session(struct chrome *c)
{
    JSON_PUT(&c->buf, "{\"ph\":\"M\",\"name\":\"oriel_session\",\"args\":");
    chrome_put_metadata(c, NULL);
    JSON_PUT(&c->buf, "}");
}
