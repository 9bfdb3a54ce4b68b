/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Events of libyaml to a tree. Everything that is kept lies in the caller's
 * arena. No I/O; any thread.
 */
#include "util/yaml.h"

#include <assert.h>

#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    const struct yaml_options *options;
    struct oriel_err *err;
    size_t values;
};

static int fail(struct reader *r, int code, size_t line, const char *what)
{
    return err_set(r->err, code, "%s:%zu: %s", r->options->name, line + 1, what);
}

static int next_event(struct reader *r, yaml_event_t *out)
{
    if (yaml_parser_parse(&r->parser, out))
        return 0;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return err_set(r->err, ORIEL_ENOMEM, "out of memory");
    return fail(r, ORIEL_EFORMAT,
                r->parser.error == YAML_READER_ERROR ? r->parser.mark.line
                                                     : r->parser.problem_mark.line,
                r->parser.problem ? r->parser.problem : "not YAML");
}

/* ---- scalars ---- */

static bool any_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static bool is_integer(const char *p)
{
    size_t digits;
    if (p[0] == '0' && (p[1] == 'o' || p[1] == 'x')) {
        digits = strspn(p + 2, p[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF");
        return digits && !p[2 + digits];
    }
    p += *p == '-' || *p == '+';
    digits = strspn(p, "0123456789");
    return digits && !p[digits];
}

static bool is_float(const char *text)
{
    static const char *const words[] = {".inf", ".Inf", ".INF", "+.inf", "-.inf",
                                        ".nan", ".NaN", ".NAN", NULL};
    if (any_of(text, words))
        return true;
    const char *p = text + (*text == '-' || *text == '+');
    size_t whole = strspn(p, "0123456789");
    p += whole;
    size_t part = *p == '.' ? strspn(p + 1, "0123456789") : 0;
    p += *p == '.' ? part + 1 : 0;
    if (whole + part == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '-' || p[1] == '+');
        size_t digits = strspn(p, "0123456789");
        return digits && !p[digits];
    }
    return !*p;
}

/* The core schema (YAML 1.2.2, 10.3.2) for what stands without quotes. */
static enum yaml_type type_of(const char *text, bool *out_truth)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    *out_truth = any_of(text, yes);
    if (any_of(text, nulls))
        return YAML_NULL;
    if (*out_truth || any_of(text, no))
        return YAML_BOOL;
    return is_integer(text) ? YAML_INTEGER : is_float(text) ? YAML_FLOAT : YAML_STRING;
}

static int read_scalar(struct reader *r, const yaml_event_t *e, struct yaml_value *v)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    struct buf expanded;
    if (e->data.scalar.tag && strcmp((const char *)e->data.scalar.tag, "!") != 0 &&
        strncmp((const char *)e->data.scalar.tag, "tag:yaml.org,2002:", 18) != 0)
        return fail(r, ORIEL_EUNSUPPORTED, e->start_mark.line, "a tag that is not YAML's own");
    if (memchr(text, 0, n))
        return fail(r, ORIEL_EFORMAT, e->start_mark.line, "a text with a NUL in it");
    buf_init(&expanded);
    int rc = 0;
    if (r->options->expand)
        rc = r->options->expand(r->options->user, text, n, &expanded, &v->expanded, r->err);
    else
        buf_put(&expanded, text, n);
    if (rc == 0) {
        v->text = arena_copy(r->arena, buf_cstr(&expanded), expanded.size);
        rc = v->text && !expanded.failed ? 0 : err_set(r->err, ORIEL_ENOMEM, "out of memory");
    } else if (rc == ORIEL_EFORMAT) { /* the line is known here */
        struct oriel_err why = *r->err;
        rc = fail(r, rc, e->start_mark.line, why.text);
    }
    if (rc == 0)
        v->type = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? type_of(v->text, &v->truth)
                                                                  : YAML_STRING;
    buf_done(&expanded);
    return rc;
}

/* ---- the tree ---- */

static int read_value(struct reader *r, const yaml_event_t *e, unsigned depth,
                      struct yaml_value **out);

/* The key of a member, out of the event that begins it. */
static int read_key(struct reader *r, const yaml_event_t *e, const struct yaml_value *parent,
                    const char **out)
{
    if (e->type != YAML_SCALAR_EVENT)
        return fail(r, ORIEL_EUNSUPPORTED, e->start_mark.line, "a key that is no text");
    const char *text = (const char *)e->data.scalar.value;
    if (strcmp(text, "<<") == 0)
        return fail(r, ORIEL_EUNSUPPORTED, e->start_mark.line, "merge keys (<<) are not read");
    if (yaml_get(parent, text))
        return fail(r, ORIEL_EFORMAT, e->start_mark.line, "a key that is there already");
    *out = arena_copy(r->arena, text, e->data.scalar.length);
    return *out ? 0 : err_set(r->err, ORIEL_ENOMEM, "out of memory");
}

static int read_members(struct reader *r, struct yaml_value *parent, unsigned depth)
{
    struct yaml_value **last = &parent->first;
    bool mapping = parent->type == YAML_MAPPING;
    for (;;) {
        yaml_event_t e;
        const char *key = "";
        int rc = next_event(r, &e);
        if (rc < 0)
            return rc;
        bool end = e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT;
        if (!end && mapping) {
            rc = read_key(r, &e, parent, &key);
            yaml_event_delete(&e);
            if (rc < 0 || (rc = next_event(r, &e)) < 0)
                return rc;
        }
        if (!end)
            rc = read_value(r, &e, depth + 1, last);
        yaml_event_delete(&e);
        if (rc < 0 || end)
            return rc;
        (*last)->key = key;
        last = &(*last)->next;
        parent->count++;
    }
}

static int read_value(struct reader *r, const yaml_event_t *e, unsigned depth,
                      struct yaml_value **out)
{
    if (depth > YAML_DEPTH_MAX || ++r->values > YAML_VALUES_MAX)
        return fail(r, ORIEL_ELIMIT, e->start_mark.line, "too deep, or too many values");
    struct yaml_value *v = arena_alloc(r->arena, sizeof *v, __alignof__(struct yaml_value));
    if (!v)
        return err_set(r->err, ORIEL_ENOMEM, "out of memory");
    *v = (struct yaml_value){.key = "", .text = "", .line = (unsigned)e->start_mark.line + 1};
    int rc;
    if (e->type == YAML_SCALAR_EVENT) {
        rc = read_scalar(r, e, v);
    } else if (e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT) {
        v->type = e->type == YAML_MAPPING_START_EVENT ? YAML_MAPPING : YAML_SEQUENCE;
        rc = read_members(r, v, depth);
    } else {
        rc = fail(r, ORIEL_EUNSUPPORTED, e->start_mark.line, "aliases (*name) are not read");
    }
    if (rc == 0)
        *out = v;
    return rc;
}

static int read_document(struct reader *r, struct yaml_value **out)
{
    struct yaml_value *root = NULL;
    unsigned documents = 0;
    for (bool end = false; !end;) {
        yaml_event_t e;
        int rc = next_event(r, &e);
        if (rc < 0)
            return rc;
        end = e.type == YAML_STREAM_END_EVENT;
        documents += e.type == YAML_DOCUMENT_START_EVENT;
        if (documents > 1)
            rc = fail(r, ORIEL_EUNSUPPORTED, e.start_mark.line, "a second document");
        else if (e.type == YAML_SCALAR_EVENT || e.type == YAML_ALIAS_EVENT ||
                 e.type == YAML_MAPPING_START_EVENT || e.type == YAML_SEQUENCE_START_EVENT)
            rc = read_value(r, &e, 0, &root);
        yaml_event_delete(&e);
        if (rc < 0)
            return rc;
    }
    if (!root)
        return fail(r, ORIEL_EFORMAT, 0, "nothing in it");
    *out = root;
    return 0;
}

int yaml_read(struct arena *arena, const char *text, size_t n, const struct yaml_options *options,
              struct yaml_value **out, struct oriel_err *err)
{
    struct oriel_err own;
    struct reader r = {.arena = arena, .options = options, .err = err ? err : &own};
    assert(options && options->name);
    if (!yaml_parser_initialize(&r.parser))
        return err_set(r.err, ORIEL_ENOMEM, "out of memory");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    int rc = read_document(&r, out);
    yaml_parser_delete(&r.parser);
    return rc;
}

const struct yaml_value *yaml_get(const struct yaml_value *v, const char *key)
{
    const struct yaml_value *m = v && v->type == YAML_MAPPING ? v->first : NULL;
    while (m && strcmp(m->key, key) != 0)
        m = m->next;
    return m;
}
