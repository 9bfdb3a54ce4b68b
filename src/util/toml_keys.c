/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys of TOML: their parts, the tables they lead through, and the rules of
 * who may add to which table. A table is defined once: by one header, by the
 * dotted keys below one header, or inline. One thread.
 */
#include <assert.h>
#include <string.h>

#include "util/toml_reader.h"

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static int read_part(struct toml_reader *r, struct toml_part *out)
{
    char what[32];
    out->at = toml_here(r);
    if (r->p < r->end && (*r->p == '"' || *r->p == '\'')) {
        int rc = toml_read_string(r, false, &out->text, &out->n);
        toml_close_place(r, &out->at);
        return rc;
    }
    const char *start = r->p;
    while (r->p < r->end && is_bare(*r->p))
        r->p++;
    if (r->p == start)
        return toml_refuse(r,
                           "a key belongs here, not %s; keys with other characters than "
                           "letters, digits, _ and - stand in quotes",
                           toml_what(r, what));
    toml_close_place(r, &out->at);
    out->n = (size_t)(r->p - start);
    out->text = arena_copy(r->arena, start, out->n);
    return out->text ? 0 : toml_no_memory(r);
}

/* ---- members ---- */

static bool has_key(const struct toml_value *v, const struct toml_part *part)
{
    return v->key_n == part->n && memcmp(v->key, part->text, part->n) == 0;
}

static uint64_t slot_of(const struct toml_value *table, const struct toml_part *part)
{
    return map_hash_bytes(part->text, part->n, (uint64_t)(uintptr_t)table);
}

/* By hash; where two keys of a table share one, the second is found by a walk. */
static struct toml_value *find(const struct toml_reader *r, const struct toml_value *table,
                               const struct toml_part *part)
{
    uint64_t *slot = map_get(&r->members, slot_of(table, part));
    struct toml_value *v = slot ? (struct toml_value *)(uintptr_t)*slot : NULL;
    if (!v || (v->parent == table && has_key(v, part)))
        return v;
    for (v = table->first; v; v = v->next)
        if (has_key(v, part))
            return v;
    return NULL;
}

int toml_add_new(struct toml_reader *r, struct toml_value *to, const struct toml_part *part,
                 struct toml_value **out)
{
    if (r->values_left == 0 || to->depth >= r->max_depth) {
        struct toml_place at = part ? part->at : toml_here(r);
        return err_set(r->err, ORIEL_ELIMIT, "%.160s:%u:%u: %s", r->name, at.line, at.column,
                       r->values_left == 0 ? "too many values" : "too much nesting");
    }
    r->values_left--;
    struct toml_value *v = toml_new(r->arena, TOML_TABLE);
    if (!v)
        return toml_no_memory(r);
    if (part) {
        v->key_at = v->at = part->at;
        if (!map_put(&r->members, slot_of(to, part), (uintptr_t)v))
            return toml_no_memory(r);
    }
    int rc = toml_add(r->arena, to, part ? part->text : NULL, part ? part->n : 0, v);
    if (rc != 0)
        return toml_no_memory(r);
    *out = v;
    return 0;
}

/* ---- which tables may be added to ---- */

static const char *describe(const struct toml_value *v)
{
    if (v->type == TOML_TABLE)
        return v->form == TOML_INLINE   ? "an inline table"
               : v->form == TOML_DOTTED ? "a table made by dotted keys"
                                        : "a table";
    if (v->type == TOML_ARRAY)
        return v->form == TOML_INLINE ? "an array" : "an array of tables";
    return "a value";
}

static int taken(struct toml_reader *r, const struct toml_part *part, const struct toml_value *v)
{
    return toml_refuse_at(r, part->at, "\"%.64s\" is %s already, since line %u", part->text,
                          describe(v), v->at.line);
}

/* Into the table that a part before the last names, made if it is not there. */
static int descend(struct toml_reader *r, struct toml_value **table, const struct toml_part *part,
                   bool header)
{
    struct toml_value *v = find(r, *table, part);
    if (!v) {
        int rc = toml_add_new(r, *table, part, &v);
        if (rc != 0)
            return rc;
        v->form = header ? TOML_IMPLICIT : TOML_DOTTED;
    } else if (v->type == TOML_ARRAY && v->form == TOML_HEADER && header) {
        v = v->last;
        assert(v && v->type == TOML_TABLE);
    } else if (v->type != TOML_TABLE || v->form == TOML_INLINE ||
               (!header && v->form == TOML_HEADER)) {
        return taken(r, part, v);
    } else if (!header) {
        v->form = TOML_DOTTED; /* only named by [a.b.c] so far, now it is defined */
    }
    *table = v;
    return 0;
}

static int read_parts(struct toml_reader *r, struct toml_value **table, struct toml_part *out,
                      bool header)
{
    for (;;) {
        toml_skip_space(r);
        int rc = read_part(r, out);
        if (rc != 0)
            return rc;
        toml_skip_space(r);
        if (!toml_take(r, '.'))
            return 0;
        rc = descend(r, table, out, header);
        if (rc != 0)
            return rc;
    }
}

int toml_read_pair_key(struct toml_reader *r, struct toml_value *table,
                       struct toml_value **out_table, struct toml_part *out)
{
    int rc = read_parts(r, &table, out, false);
    if (rc != 0)
        return rc;
    const struct toml_value *there = find(r, table, out);
    if (there)
        return taken(r, out, there);
    *out_table = table;
    return 0;
}

static int open_table(struct toml_reader *r, struct toml_value *in, const struct toml_part *part,
                      struct toml_value **out)
{
    struct toml_value *v = find(r, in, part);
    if (v && (v->type != TOML_TABLE || v->form != TOML_IMPLICIT))
        return taken(r, part, v);
    int rc = v ? 0 : toml_add_new(r, in, part, &v);
    if (rc != 0)
        return rc;
    v->form = TOML_HEADER;
    v->key_at = part->at;
    *out = v;
    return 0;
}

static int open_item(struct toml_reader *r, struct toml_value *in, const struct toml_part *part,
                     struct toml_value **out)
{
    struct toml_value *v = find(r, in, part);
    if (v && (v->type != TOML_ARRAY || v->form != TOML_HEADER))
        return taken(r, part, v);
    int rc = 0;
    if (!v) {
        rc = toml_add_new(r, in, part, &v);
        if (rc == 0)
            v->type = TOML_ARRAY;
    }
    return rc == 0 ? toml_add_new(r, v, NULL, out) : rc;
}

int toml_read_header_key(struct toml_reader *r, struct toml_value *root, bool array,
                         struct toml_value **out)
{
    struct toml_value *table = root;
    struct toml_part part;
    int rc = read_parts(r, &table, &part, true);
    if (rc != 0)
        return rc;
    return array ? open_item(r, table, &part, out) : open_table(r, table, &part, out);
}
