/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Adds up what came since the last event of a thread and call. The texts in it
 * are those of source/syscall: "17:3 18:1" are times by size, eight parts of
 * each power of two from 32 ns on; "EAGAIN:3" are errors.
 */
#include "report/syscalls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { PARTS_SHIFT = 3, FIRST_POWER = 5, TIMES = 256 };
#define NO_THREAD UINT32_MAX

bool syscalls_is(const struct model_site *site)
{
    return site && (site->flags & ORIEL_SITE_SYSTEM) &&
           model_str_equal(site->target, MODEL_STR("oriel.syscalls"));
}

static struct model_value value_of(const struct model_event *e, const char *key)
{
    for (uint32_t i = 0; i < e->attr_count; i++)
        if (model_str_equal(e->attrs[i].key, (struct model_str){key, (uint32_t)strlen(key)}))
            return e->attrs[i];
    return (struct model_value){.type = 0};
}

static uint64_t number_of(const struct model_event *e, const char *key)
{
    const struct model_value v = value_of(e, key);
    return v.type == ORIEL_TYPE_U64 ? v.v.u64 : 0;
}

static struct model_str text_of(const struct model_event *e, const char *key)
{
    const struct model_value v = value_of(e, key);
    return v.type == ORIEL_TYPE_STR ? v.v.str : MODEL_STR("");
}

/* The index of a name, SYSCALLS_NAMES: one too many, UINT32_MAX: no memory. */
static uint32_t name_of(struct syscalls *s, struct model_str text)
{
    char name[sizeof s->names.items->text];
    snprintf(name, sizeof name, "%.*s", (int)text.n, text.p);
    for (size_t i = 0; i < s->names.count; i++)
        if (strcmp(s->names.items[i].text, name) == 0)
            return (uint32_t)i;
    if (s->names.count == SYSCALLS_NAMES)
        return SYSCALLS_NAMES;
    struct syscall_named *new = VEC_PUSH(&s->names);
    if (!new)
        return UINT32_MAX;
    memcpy(new->text, name, sizeof name);
    return (uint32_t)s->names.count - 1;
}

/* Copied by value: its parts are the row's own from then on. NULL: no memory. */
static struct syscall_row *row_at(struct syscall_rows *rows, struct map *by_key, uint64_t key)
{
    const uint64_t *known = map_get(by_key, key);
    if (known)
        return &rows->items.items[*known];
    struct syscall_row *new = VEC_PUSH(&rows->items);
    if (!new || !map_put(by_key, key, rows->items.count - 1))
        return NULL;
    return new;
}

static bool add_error(struct syscall_row *row, const char *name, size_t n, uint64_t count)
{
    n = n < sizeof row->failed.items->name - 1 ? n : sizeof row->failed.items->name - 1;
    for (size_t i = 0; i < row->failed.count; i++) {
        struct syscall_error *e = &row->failed.items[i];
        if (strlen(e->name) != n || memcmp(e->name, name, n) != 0)
            continue;
        e->count += count;
        return true;
    }
    struct syscall_error *new = VEC_PUSH(&row->failed);
    if (!new)
        return false;
    memcpy(new->name, name, n);
    new->count = count;
    return true;
}

/* The next "word:number" of a text: where it begins and how long it is; 0: none. */
static size_t next_pair(struct model_str *text, const char **out_word, uint64_t *out_number)
{
    while (text->n && *text->p == ' ')
        text->p++, text->n--;
    const char *colon = memchr(text->p, ':', text->n);
    if (!text->n || !colon)
        return 0;
    const size_t word = (size_t)(colon - text->p);
    size_t at = word + 1;
    *out_word = text->p;
    *out_number = 0;
    for (; at < text->n && text->p[at] >= '0' && text->p[at] <= '9'; at++)
        *out_number = *out_number * 10 + (uint64_t)(text->p[at] - '0');
    text->p += at;
    text->n -= (uint32_t)at;
    return word;
}

static bool add_failed(struct syscall_row *row, struct model_str text)
{
    const char *word;
    uint64_t count;
    bool good = true;
    for (size_t n; good && (n = next_pair(&text, &word, &count)) > 0;)
        good = add_error(row, word, n, count);
    return good;
}

/* The middle of a part. */
static uint64_t time_of(unsigned long part)
{
    const unsigned power = FIRST_POWER + (unsigned)(part >> PARTS_SHIFT);
    const uint64_t width = UINT64_C(1) << (power - PARTS_SHIFT);
    return ((UINT64_C(1) << PARTS_SHIFT) + (part & ((1u << PARTS_SHIFT) - 1))) * width + width / 2;
}

static bool add_times(struct syscall_row *row, struct model_str text)
{
    const char *word;
    uint64_t count;
    bool good = true;
    while (good && next_pair(&text, &word, &count) > 0) {
        const unsigned long part = strtoul(word, NULL, 10);
        if (part < TIMES)
            good = hist_add_times(&row->hist, time_of(part), count);
    }
    return good;
}

int syscalls_add(struct syscalls *s, const struct model_event *e)
{
    const uint64_t count = number_of(e, "count");
    const uint32_t name = name_of(s, text_of(e, "call"));
    if (name == UINT32_MAX)
        return ORIEL_ENOMEM;
    s->count += count;
    s->errors += number_of(e, "errors");
    s->total_ns += number_of(e, "total_ns");
    if (name == SYSCALLS_NAMES) {
        s->left_out += count;
        return 0;
    }
    const uint32_t thread =
        e->thread && s->rows.items.count < SYSCALLS_ROWS ? e->thread->index : NO_THREAD;
    const uint64_t key = (uint64_t)name << 32 | (e->thread ? e->thread->index : NO_THREAD);
    struct syscall_row *row = row_at(
        &s->rows, &s->by_key, map_get(&s->by_key, key) ? key : (uint64_t)name << 32 | thread);
    if (!row)
        return ORIEL_ENOMEM;
    if (row->count == 0)
        *row = (struct syscall_row){.name = name, .thread = thread == NO_THREAD ? NULL : e->thread};
    row->count += count;
    row->errors += number_of(e, "errors");
    row->total_ns += number_of(e, "total_ns");
    row->max_ns = number_of(e, "max_ns") > row->max_ns ? number_of(e, "max_ns") : row->max_ns;
    return add_failed(row, text_of(e, "failed")) && add_times(row, text_of(e, "times"))
               ? 0
               : ORIEL_ENOMEM;
}

/* ---- sums ---- */

static bool merge(struct syscall_row *to, const struct syscall_row *from)
{
    to->count += from->count;
    to->errors += from->errors;
    to->total_ns += from->total_ns;
    to->max_ns = from->max_ns > to->max_ns ? from->max_ns : to->max_ns;
    bool good = hist_merge(&to->hist, &from->hist);
    for (size_t i = 0; good && i < from->failed.count; i++)
        good = add_error(to, from->failed.items[i].name, strlen(from->failed.items[i].name),
                         from->failed.items[i].count);
    return good;
}

static int most_first(const void *a, const void *b)
{
    const struct syscall_row *x = a, *y = b;
    if (x->total_ns != y->total_ns)
        return x->total_ns < y->total_ns ? 1 : -1;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->name > y->name) - (x->name < y->name);
}

static int sum_up(const struct syscalls *s, bool by_thread, struct syscall_rows *out)
{
    struct map known = {0};
    struct map most = {0}; /* thread -> time of the call it has most of */
    bool good = true;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; good && i < s->rows.items.count; i++) {
        const struct syscall_row *from = &s->rows.items.items[i];
        const uint64_t key = !by_thread     ? from->name
                             : from->thread ? from->thread->index
                                            : NO_THREAD;
        const bool first = !map_get(&known, key);
        struct syscall_row *to = row_at(out, &known, key);
        uint64_t *best = to ? map_put(&most, key, 0) : NULL;
        good = to && best;
        if (good && (first || from->total_ns > *best)) {
            to->name = from->name;
            *best = from->total_ns;
        }
        if (good && by_thread)
            to->thread = from->thread;
        good = good && merge(to, from);
    }
    map_done(&known);
    map_done(&most);
    qsort(out->items.items, out->items.count, sizeof *out->items.items, most_first);
    return good ? 0 : ORIEL_ENOMEM;
}

int syscalls_by_call(const struct syscalls *s, struct syscall_rows *out)
{
    return sum_up(s, false, out);
}

int syscalls_by_thread(const struct syscalls *s, struct syscall_rows *out)
{
    return sum_up(s, true, out);
}

void syscall_rows_done(struct syscall_rows *rows)
{
    for (size_t i = 0; i < rows->items.count; i++) {
        hist_done(&rows->items.items[i].hist);
        VEC_DONE(&rows->items.items[i].failed);
    }
    VEC_DONE(&rows->items);
}

void syscalls_done(struct syscalls *s)
{
    assert(s->rows.items.count <= SYSCALLS_ROWS + SYSCALLS_NAMES);
    syscall_rows_done(&s->rows);
    map_done(&s->by_key);
    VEC_DONE(&s->names);
}
