/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as TOML. What is accepted has statements that put
 * together are the text, places inside it, and depth and number of values
 * within the limits; written and read again it is the same tree, and an edit
 * of a value leaves a document.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/toml.h"

enum { DEPTH = 24, VALUES = 5000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct toml_read_options limits = {
    .size = sizeof limits, .max_depth = DEPTH, .max_values = VALUES};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const struct toml_value *member(const struct toml_value *table, const struct toml_value *of)
{
    for (const struct toml_value *v = table->first; v; v = v->next)
        if (v->key_n == of->key_n && memcmp(v->key, of->key, v->key_n) == 0)
            return v;
    return NULL;
}

static bool same_plain(const struct toml_value *a, const struct toml_value *b)
{
    if (a->type == TOML_STRING)
        return a->text_n == b->text_n && memcmp(a->text, b->text, a->text_n) == 0;
    if (a->type == TOML_INTEGER)
        return a->integer == b->integer;
    if (a->type == TOML_FLOAT)
        return a->number == b->number || (isnan(a->number) && isnan(b->number));
    if (a->type == TOML_BOOL)
        return a->boolean == b->boolean;
    return memcmp(&a->time, &b->time, sizeof a->time) == 0;
}

/* The writer puts tables behind plain pairs, so members are found by key. */
static void same(const struct toml_value *a, const struct toml_value *b)
{
    require(a->type == b->type && a->count == b->count);
    const struct toml_value *item = b->first;
    for (const struct toml_value *v = a->first; v; v = v->next) {
        const struct toml_value *other = a->type == TOML_TABLE ? member(b, v) : item;
        require(other != NULL);
        same(v, other);
        item = item ? item->next : NULL;
    }
    require(a->type == TOML_ARRAY || a->type == TOML_TABLE || same_plain(a, b));
}

static void check_statements(const struct toml_doc *doc)
{
    size_t at = doc->text_n >= 3 && memcmp(doc->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (const struct toml_statement *s = doc->statements; s; s = s->next) {
        require(s->at.offset == at && s->at.size > 0);
        at += s->at.size;
        require((s->value != NULL) == (s->kind == TOML_PAIR || s->kind == TOML_TABLE_HEADER));
    }
    require(at == doc->text_n);
}

static size_t check_tree(const struct toml_doc *doc, const struct toml_value *v)
{
    size_t values = 1;
    require(v->depth <= DEPTH && (v->key != NULL) == (v->parent && v->parent->type == TOML_TABLE));
    require(v->at.offset + (size_t)v->at.size <= doc->text_n);
    for (const struct toml_value *item = v->first; item; item = item->next) {
        require(item->parent == v && item->depth == v->depth + 1);
        values += check_tree(doc, item);
    }
    return values;
}

/* The value of one pair becomes a table of its own. */
static void check_edit(struct arena *arena, const struct toml_doc *doc, size_t pick)
{
    const struct toml_statement *s = doc->statements;
    struct toml_edits edits;
    struct toml_doc *again;
    struct buf text;
    for (; s && (s->kind != TOML_PAIR || pick--); s = s->next)
        ;
    if (!s)
        return;
    toml_edits_init(&edits, arena);
    buf_init(&text);
    const struct toml_place *at = &s->value->at;
    require(toml_edits_replace(&edits, at->offset, at->size, "{ x = '' }", 10) == 0);
    require(toml_edits_replace(&edits, s->at.offset, 0, "# new\n", 6) == 0);
    toml_edits_apply(&edits, doc, &text);
    if (s->value->depth < DEPTH)
        require(toml_read(arena, buf_cstr(&text), text.size, &limits, &again, NULL) !=
                ORIEL_EFORMAT);
    toml_edits_done(&edits);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct toml_doc *doc, *again;
    struct oriel_err err;
    arena_init(&arena);
    if (toml_read(&arena, (const char *)data, size, &limits, &doc, &err) == 0) {
        struct buf text;
        buf_init(&text);
        check_statements(doc);
        require(check_tree(doc, doc->root) <= VALUES + 1);
        check_edit(&arena, doc, size % 5);
        toml_write(&text, doc->root);
        require(!text.failed);
        require(toml_read(&arena, buf_cstr(&text), text.size, &limits, &again, &err) == 0);
        same(doc->root, again->root);
        buf_done(&text);
    }
    arena_done(&arena);
    return 0;
}
