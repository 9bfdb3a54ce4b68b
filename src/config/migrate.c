/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sections of before, [observability] and [debug.traces]: what their keys
 * are called now, and a file rewritten to say so. Only the lines of these
 * sections change; comments stay with them. One thread.
 */
#include <assert.h>
#include <string.h>

#include "config/state.h"

static const struct config_old_key keys[] = {
    {"observability", "exporter", "backend", "otlp", "otlp", "enabled", "true"},
    {"observability", "exporter", "backend", "local", "local", "enabled", "true"},
    {"observability", "exporter", "backend", "chrome", "local", "enabled", "true"},
    {"observability", "exporter", "enabled", "none", "false", NULL, NULL},
    {"observability", "exporter", "enabled", "", "false", NULL, NULL},
    {"observability", "enabled", "enabled", NULL, NULL, NULL, NULL},
    {"observability", "endpoint", "otlp_endpoint", NULL, NULL, NULL, NULL},
    {"observability", "otlp_endpoint", "otlp_endpoint", NULL, NULL, NULL, NULL},
    {"observability", "service_name", "service_name", NULL, NULL, NULL, NULL},
    {"observability", "sample_rate", "sample_rate", NULL, NULL, NULL, NULL},
    {"observability", "sampling_rate", "sample_rate", NULL, NULL, NULL, NULL},
    {"debug.traces", "enabled", "enabled", NULL, NULL, NULL, NULL},
    {"debug.traces", "otlp_endpoint", "otlp_endpoint", NULL, NULL, NULL, NULL},
    {"debug.traces", "service_name", "service_name", NULL, NULL, NULL, NULL},
    {"debug.traces", "output_dir", "trace_dir", NULL, NULL, NULL, NULL},
    {"debug.traces", "trace_dir", "trace_dir", NULL, NULL, NULL, NULL},
    {"debug.traces", "include_args", "include_args", NULL, NULL, NULL, NULL},
    {"debug.traces", "sample_rate", "sample_rate", NULL, NULL, NULL, NULL},
    /* Secrets are always taken out; there is no way to say otherwise. */
    {"debug.traces", "redact", NULL, "true", NULL, NULL, NULL},
};

const struct config_old_key *config_old_find(const char *section, const char *key,
                                             const char *value)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].key, key) == 0 &&
            (!keys[i].value || strcmp(keys[i].value, value) == 0))
            return &keys[i];
    return NULL;
}

const struct toml_value *config_old_section(const struct toml_doc *doc, unsigned which,
                                            const char **out_name)
{
    assert(which < CONFIG_OLD_SECTIONS);
    const struct toml_value *table = toml_get(doc->root, which ? "debug" : "observability");
    *out_name = which ? "debug.traces" : "observability";
    if (which)
        table = toml_get(table, "traces");
    return table && table->type == TOML_TABLE ? table : NULL;
}

/* ---- rewriting ---- */

struct migration {
    const struct toml_doc *doc;
    const char *name; /* of the file */
    struct arena *arena;
    struct toml_edits edits;
    const struct toml_value *now;      /* [telemetry] of the file, if it has one */
    const struct toml_value *target;   /* that, or the section that becomes it */
    size_t target_end;                 /* where lines are added to it */
    const struct toml_value *said[32]; /* values that came into it, and under which keys */
    const char *said_key[32];
    size_t said_count;
    unsigned changes;
    struct oriel_err *err;
};

static int refuse(struct migration *m, const struct toml_value *v, const char *what)
{
    return err_set(m->err, ORIEL_EFORMAT, "%.160s:%u: %.60s: %s", m->name,
                   v->key_at.size ? v->key_at.line : v->at.line, v->key ? v->key : "?", what);
}

static int edit(struct migration *m, size_t offset, size_t size, const char *with, size_t n)
{
    int rc = toml_edits_replace(&m->edits, offset, size, with, n);
    assert(rc != ORIEL_EINVAL);
    return rc == 0 ? 0 : err_set(m->err, ORIEL_ENOMEM, "%.160s: out of memory", m->name);
}

static const struct toml_value *find_said(const struct migration *m, const char *key)
{
    for (size_t i = 0; i < m->said_count; i++)
        if (strcmp(m->said_key[i], key) == 0)
            return m->said[i];
    return toml_get(m->now, key);
}

/* Each name of today once: there are fewer than the list has room for. */
static void note_said(struct migration *m, const char *key, const struct toml_value *v)
{
    assert(m->said_count < sizeof m->said / sizeof *m->said && !find_said(m, key));
    m->said_key[m->said_count] = key;
    m->said[m->said_count++] = v;
}

static bool same_text(const struct toml_value *a, const struct toml_value *b)
{
    struct buf x, y;
    buf_init(&x);
    buf_init(&y);
    toml_put_value(&x, a);
    toml_put_value(&y, b);
    bool same = !x.failed && !y.failed && x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
    buf_done(&x);
    buf_done(&y);
    return same;
}

/* The lines of a pair as they are in [telemetry]. Empty where the key is said
 * already, or goes without saying. */
static int rewrite_pair(struct migration *m, const struct toml_statement *s, const char *section,
                        struct buf *out)
{
    const struct toml_value *v = s->value;
    struct buf value;
    buf_init(&value);
    const struct config_old_key *row = v->parent == s->table && config_text_of(v, NULL, &value)
                                           ? config_old_find(section, v->key, buf_cstr(&value))
                                           : NULL;
    buf_done(&value);
    if (!row)
        return refuse(m, v, "has no counterpart in [telemetry]; change it by hand");
    const struct toml_value *said = row->now ? find_said(m, row->now) : NULL;
    if (said && (row->now_value || !same_text(said, v)))
        return refuse(m, v, "is in [telemetry] too, with another value; remove one of them");
    if (said || !row->now)
        return 0;
    const char *text = m->doc->text;
    size_t end = s->at.offset + s->at.size, behind = v->at.offset + v->at.size;
    buf_put(out, text + s->at.offset, v->key_at.offset - s->at.offset);
    buf_puts(out, row->now);
    size_t between = v->key_at.offset + v->key_at.size;
    buf_put(out, text + between, v->at.offset - between);
    if (row->now_value && strcmp(row->now_value, "false") != 0)
        toml_put_string(out, row->now_value, strlen(row->now_value));
    else if (row->now_value)
        buf_puts(out, row->now_value);
    else
        buf_put(out, text + v->at.offset, v->at.size);
    buf_put(out, text + behind, end - behind);
    if (out->size && out->data[out->size - 1] != '\n')
        buf_putc(out, '\n');
    note_said(m, row->now, v);
    if (row->also && !find_said(m, row->also)) {
        buf_printf(out, "%s = %s\n", row->also, row->also_value);
        note_said(m, row->also, v);
    }
    return 0;
}

/* The lines from a header to its last pair as they are in [telemetry]; what
 * comes behind may belong to the next header and stays. */
static int rewrite_body(struct migration *m, const struct toml_value *table, const char *section,
                        struct buf *out, size_t *out_start, size_t *out_end)
{
    size_t kept = 0;
    for (const struct toml_statement *s = m->doc->statements; s; s = s->next) {
        if (s->table != table)
            continue;
        int rc = 0;
        if (s->kind == TOML_TABLE_HEADER)
            *out_start = *out_end = s->at.offset + s->at.size;
        else if (s->kind == TOML_PAIR)
            rc = rewrite_pair(m, s, section, out);
        else
            buf_put(out, m->doc->text + s->at.offset, s->at.size);
        if (rc != 0)
            return rc;
        if (s->kind != TOML_PAIR)
            continue;
        *out_end = s->at.offset + s->at.size;
        kept = out->size;
        m->changes++;
    }
    out->size = kept;
    return out->failed ? err_set(m->err, ORIEL_ENOMEM, "out of memory") : 0;
}

/* Behind the last pair of a table, or its header. */
static size_t end_of(const struct migration *m, const struct toml_value *table)
{
    size_t end = 0;
    for (const struct toml_statement *s = m->doc->statements; s; s = s->next)
        if (s->table == table && (s->kind == TOML_PAIR || s->kind == TOML_TABLE_HEADER))
            end = s->at.offset + s->at.size;
    return end;
}

/* The lines go over to [telemetry], and the header goes away. */
static int move_body(struct migration *m, const struct toml_value *table, struct buf *body,
                     size_t end)
{
    size_t at = m->target_end, start = table->at.offset;
    int rc = 0;
    while (start > 0 && m->doc->text[start - 1] != '\n')
        start--;
    if (m->target == m->now && at > 0 && m->doc->text[at - 1] != '\n')
        rc = edit(m, at, 0, "\n", 1);
    if (rc == 0)
        rc = edit(m, at, 0, body->data, body->size);
    return rc == 0 ? edit(m, start, end - start, "", 0) : rc;
}

static int migrate_section(struct migration *m, const struct toml_value *table, const char *section)
{
    struct buf body;
    size_t start = 0, end = 0;
    if (table->form != TOML_HEADER)
        return refuse(m, table,
                      "is rewritten only where it stands as a section; change it by hand");
    for (const struct toml_value *v = table->first; v; v = v->next)
        if (v->type == TOML_TABLE)
            return refuse(m, v, "has no counterpart in [telemetry]; change it by hand");
    buf_init(&body);
    int rc = rewrite_body(m, table, section, &body, &start, &end);
    m->changes++;
    if (rc == 0 && !m->target) {
        m->target = table;
        m->target_end = end;
        rc = edit(m, table->at.offset, table->at.size, "[telemetry]", 11);
        if (rc == 0)
            rc = edit(m, start, end - start, body.data, body.size);
    } else if (rc == 0) {
        rc = move_body(m, table, &body, end);
    }
    buf_done(&body);
    return rc;
}

static int migrate(struct migration *m, struct buf *out)
{
    const struct toml_value *now = toml_get(m->doc->root, "telemetry");
    int rc = 0;
    assert(!m->target && m->changes == 0);
    m->now = now;
    if (now && now->type == TOML_TABLE && now->form == TOML_HEADER) {
        m->target = now;
        m->target_end = end_of(m, now);
    }
    for (unsigned i = 0; rc == 0 && i < CONFIG_OLD_SECTIONS; i++) {
        const char *section;
        const struct toml_value *table = config_old_section(m->doc, i, &section);
        if (table && now && !m->target && now->form != TOML_IMPLICIT)
            return refuse(m, now, "stands not as a section [telemetry]; change it by hand");
        if (table)
            rc = migrate_section(m, table, section);
    }
    if (rc == 0)
        toml_edits_apply(&m->edits, m->doc, out);
    return rc == 0 && out->failed ? err_set(m->err, ORIEL_ENOMEM, "out of memory") : rc;
}

int config_migrate(const char *name, const char *text, size_t n, struct buf *out,
                   unsigned *out_changes, struct oriel_err *err)
{
    struct toml_read_options how = {.size = sizeof how, .max_bytes = CONFIG_FILE_MAX, .name = name};
    struct arena arena;
    struct toml_doc *doc;
    arena_init(&arena);
    struct migration m = {.name = name, .arena = &arena, .err = err};
    toml_edits_init(&m.edits, &arena);
    int rc = toml_read(&arena, text, n, &how, &doc, err);
    m.doc = rc == 0 ? doc : NULL;
    if (rc == 0)
        rc = migrate(&m, out);
    if (rc == 0)
        *out_changes = m.changes;
    toml_edits_done(&m.edits);
    arena_done(&arena);
    return rc;
}
