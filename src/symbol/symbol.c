/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The front of the room: per module take what the cache knows, have a confined
 * child find out the rest, keep it, and turn segments into lines. Forks; reads
 * the cache; never looks into a foreign file itself. One thread.
 */
#include "symbol/symbol.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbol/cache.h"
#include "symbol/child.h"
#include "symbol/find.h"
#include "symbol/inside.h"
#include "symbol/jit.h"
#include "symbol/table.h"

struct symbols {
    struct symbols_options options; /* complete; strings are our own */
    struct symbols_stats stats;
    struct finder finder;
    struct arena strings;
};

static const char *const default_dirs[] = {"/usr/lib/debug", NULL};

bool symbols_cache_dir(const char *xdg_cache_home, const char *home, char *out, size_t n)
{
    int done = -1;
    if (xdg_cache_home && xdg_cache_home[0] == '/')
        done = snprintf(out, n, "%s/oriel/symbols", xdg_cache_home);
    else if (home && home[0] == '/')
        done = snprintf(out, n, "%s/.cache/oriel/symbols", home);
    return done > 0 && (size_t)done < n;
}

static const char *keep(struct symbols *s, const char *text, bool *good)
{
    if (!text)
        return NULL;
    const char *copy = arena_copy(&s->strings, text, strlen(text));
    *good &= copy != NULL;
    return copy;
}

static const char *const *keep_list(struct symbols *s, const char *const *list, bool *good)
{
    size_t n = 0;
    if (!list)
        return default_dirs;
    while (list[n])
        n++;
    const char **copy = arena_alloc(&s->strings, (n + 1) * sizeof *copy, _Alignof(char *));
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = keep(s, list[i], good);
    *good &= copy != NULL;
    if (copy)
        copy[n] = NULL;
    return copy;
}

int symbols_open(const struct symbols_options *options, struct symbols **out)
{
    struct symbols_options o = {.size = sizeof o};
    bool good = true;
    if (options && (options->size < sizeof options->size || options->size > sizeof o))
        return ORIEL_EINVAL;
    if (options)
        memcpy(&o, options, options->size);
    struct symbols *s = mem_calloc(1, sizeof *s);
    if (!s)
        return ORIEL_ENOMEM;
    arena_init(&s->strings);
    o.cache_dir = keep(s, o.cache_dir && *o.cache_dir ? o.cache_dir : NULL, &good);
    o.debug_dirs = keep_list(s, o.debug_dirs, &good);
    o.debuginfod_urls = keep(s, o.debuginfod_urls, &good);
    o.debuginfod_find = keep(s, o.debuginfod_find ? o.debuginfod_find : "debuginfod-find", &good);
    o.cache_max_bytes = o.cache_max_bytes ? o.cache_max_bytes : UINT64_C(256) << 20;
    o.debuginfod_ms = o.debuginfod_ms ? o.debuginfod_ms : 2000;
    o.timeout_ms = o.timeout_ms ? o.timeout_ms : 10000;
    o.memory_bytes = o.memory_bytes ? o.memory_bytes : UINT64_C(2) << 30;
    s->options = o;
    s->finder.options = &s->options;
    s->finder.stats = &s->stats;
    if (!good) {
        symbols_close(s);
        return ORIEL_ENOMEM;
    }
    *out = s;
    return 0;
}

void symbols_close(struct symbols *s)
{
    if (!s)
        return;
    finder_done(&s->finder);
    arena_done(&s->strings);
    mem_free(s);
}

const struct symbols_stats *symbols_stats(const struct symbols *s)
{
    return &s->stats;
}

struct finder *symbols_finder(struct symbols *s)
{
    return &s->finder;
}

/* ---- one module ---- */

struct asking {
    struct symbols *s;
    const struct symbols_module *module;
    struct bytes build_id;
    struct symbols_answers *answers;
    struct symbols_result *result;
    struct buf image; /* what `table` looks into */
    struct table table;
    bool known; /* there is a table */
};

static void say(struct asking *a, int code, const char *text)
{
    if (a->answers->text[0])
        return;
    a->answers->code = code;
    snprintf(a->answers->text, sizeof a->answers->text, "%.240s: %.250s", a->module->path, text);
}

/* What is on disk, when it is whole, of this build, and could not be better now. */
static void load(struct asking *a)
{
    const struct symbols_options *o = &a->s->options;
    if (!cache_load(o->cache_dir, a->build_id, CACHE_TABLE, &a->image) ||
        table_open(&a->table, a->image.data, a->image.size) != 0)
        return;
    const struct table_header *h = a->table.header;
    a->known = h->build_id_bytes == a->build_id.n &&
               memcmp(h->build_id, a->build_id.p, a->build_id.n) == 0 &&
               ((h->flags & TABLE_HAS_DWARF) || !(finder_has_debug(o, a->build_id) ||
                                                  finder_would_fetch(&a->s->finder, a->build_id)));
}

/* Addresses that no segment holds. NULL: out of memory; *out_count: how many. */
static uint64_t *unknown_addresses(const struct asking *a, size_t *out_count)
{
    const struct symbols_module *m = a->module;
    uint64_t *list = mem_calloc(m->count + 1, sizeof *list);
    size_t n = 0, at = SIZE_MAX, hint = 0;
    for (size_t i = 0; list && i < m->count; i++) {
        if (i && m->addresses[i] == m->addresses[i - 1])
            continue;
        at = a->known ? table_find(&a->table, m->addresses[i], hint) : SIZE_MAX;
        if (at == SIZE_MAX)
            list[n++] = m->addresses[i];
        else
            hint = at;
    }
    *out_count = n;
    return list;
}

/* Both tables as one, in a->image; the new one alone when there was none. */
static int merge(struct asking *a, struct buf *fresh, const struct table *table)
{
    struct table_maker maker;
    struct buf both;
    if (!a->known) {
        struct buf old = a->image;
        a->image = *fresh;
        *fresh = old;
        return table_open(&a->table, a->image.data, a->image.size);
    }
    buf_init(&both);
    int rc = table_maker_init(&maker);
    if (rc != 0)
        return rc;
    rc = table_maker_add_table(&maker, &a->table);
    if (rc == 0)
        rc = table_maker_add_table(&maker, table);
    if (rc == 0)
        rc = table_maker_finish(&maker, table->header->flags, a->build_id, &both);
    table_maker_done(&maker);
    if (rc == 0)
        rc = table_open(&a->table, both.data, both.size);
    if (rc != 0) {
        buf_done(&both);
        return rc;
    }
    buf_done(&a->image);
    a->image = both;
    return 0;
}

static void count_outcome(struct asking *a, const struct child_outcome *outcome, int fd)
{
    struct symbols_stats *stats = &a->s->stats;
    stats->mismatched += outcome->result.mismatch;
    stats->unconfined += outcome->unconfined;
    if (fd < 0 || outcome->result.mismatch)
        say(a, ORIEL_ENOTFOUND, outcome->result.note);
    else if (outcome->result.note[0])
        say(a, outcome->code ? outcome->code : ORIEL_EDAMAGED, outcome->result.note);
    else if (outcome->code != 0)
        say(a, outcome->code, err_text(outcome->code));
    if (outcome->unconfined)
        say(a, ORIEL_EUNSUPPORTED, "was read without a system call filter: this kernel has none");
}

static int run_child(struct asking *a, struct asked asked, struct buf *out,
                     struct child_outcome *outcome)
{
    struct symbols *s = a->s;
    struct oriel_err err = {0};
    struct child_options options = {.timeout_ms = s->options.timeout_ms,
                                    .memory_bytes = s->options.memory_bytes,
                                    .open = finder_open,
                                    .ctx = &s->finder,
                                    .run = a->module->jit ? jit_run : NULL};
    int fd = a->module->jit ? jit_open(a->module->path, a->module->not_before_ns)
                            : finder_open_file(a->module->path);
    if (fd < 0 && a->module->jit)
        return ORIEL_ENOTFOUND; /* few tell what they make */
    int rc = finder_start(&s->finder, a->module->path);
    s->stats.missing += fd < 0;
    if (rc == 0)
        rc = child_run(fd, a->build_id, asked, &options, out, outcome, &err);
    if (rc != 0) {
        s->stats.failed++;
        say(a, rc, err.text[0] ? err.text : err_text(rc));
    } else {
        count_outcome(a, outcome, fd);
        rc = outcome->code;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Have the unknown addresses found out and added to the table. */
static void find_out(struct asking *a, struct asked asked)
{
    struct child_outcome outcome = {0};
    struct table table;
    struct buf fresh;
    buf_init(&fresh);
    int rc = run_child(a, asked, &fresh, &outcome);
    if (rc == 0 && table_open(&table, fresh.data, fresh.size) != 0) {
        a->s->stats.failed++;
        say(a, ORIEL_EDAMAGED, "made its reader talk nonsense: not used");
        rc = ORIEL_EDAMAGED;
    }
    uint32_t flags = rc == 0 ? table.header->flags : 0;
    if (rc == 0 && merge(a, &fresh, &table) == 0) {
        a->known = true;
        if (!(flags & TABLE_INCOMPLETE))
            cache_store(a->s->options.cache_dir, a->build_id, CACHE_TABLE,
                        (struct bytes){(const uint8_t *)a->image.data, a->image.size},
                        a->s->options.cache_max_bytes);
    }
    buf_done(&fresh);
}

/* ---- from segments to lines ---- */

/* Strings of the table that were already interned: offset to id. */
struct words {
    const struct table *table;
    struct intern *strings;
    struct map ids;
    bool no_memory;
};

static uint32_t word(struct words *w, uint32_t offset)
{
    if (offset == 0)
        return 0;
    uint64_t *id = map_put(&w->ids, offset, UINT64_MAX);
    if (!id) {
        w->no_memory = true;
        return 0;
    }
    if (*id == UINT64_MAX) {
        const char *p = w->table->strings + offset;
        uint32_t added = intern_add(w->strings, p, strlen(p));
        w->no_memory |= added == UINT32_MAX;
        *id = added == UINT32_MAX ? 0 : added;
    }
    return (uint32_t)*id;
}

static bool add_lines(struct symbols_result *r, struct words *w, size_t segment,
                      struct symbols_answer *answer)
{
    const struct table *t = w->table;
    uint32_t node = t->node[segment], file = t->file[segment], line = t->line[segment];
    uint32_t column = t->column[segment];
    *answer = (struct symbols_answer){.first = (uint32_t)r->lines.count, .how = SYMBOLS_UNKNOWN};
    if (node == TABLE_NONE && line == 0 && file == 0)
        return true;
    answer->how = SYMBOLS_BY_DWARF;
    do {
        struct symbols_line *to = VEC_PUSH(&r->lines);
        if (!to || r->lines.count >= UINT32_MAX)
            return false;
        *to = (struct symbols_line){.file = word(w, file), .line = line, .column = column};
        answer->count++;
        if (node == TABLE_NONE)
            break;
        const struct table_node *from = &t->nodes[node];
        to->name = word(w, from->name);
        to->linkage = word(w, from->linkage);
        to->start_line = from->start_line;
        to->inlined = from->parent != TABLE_NONE;
        if (!(from->flags & TABLE_NODE_DWARF) && line == 0)
            answer->how = from->flags & TABLE_NODE_START ? SYMBOLS_BY_START : SYMBOLS_BY_SYMBOL;
        assert(from->parent == TABLE_NONE || from->parent < node);
        node = from->parent;
        file = from->call_file;
        line = from->call_line;
        column = from->call_column;
    } while (node != TABLE_NONE);
    return !w->no_memory;
}

static int answer_from_table(struct asking *a)
{
    struct words w = {.table = &a->table, .strings = &a->result->strings};
    size_t last = SIZE_MAX, hint = 0;
    bool good = true;
    for (size_t i = 0; i < a->module->count && good; i++) {
        struct symbols_answer *answer = &a->answers->items[i];
        size_t at = table_find(&a->table, a->module->addresses[i], hint);
        if (at == SIZE_MAX)
            continue;
        hint = at;
        if (at == last)
            *answer = answer[-1];
        else
            good = add_lines(a->result, &w, at, answer);
        last = at;
        /* An address nobody knows in between has no answer to share. */
        if (i + 1 < a->module->count &&
            a->module->addresses[i + 1] - a->table.start[at] >= a->table.length[at])
            last = SIZE_MAX;
    }
    map_done(&w.ids);
    return good ? 0 : ORIEL_ENOMEM;
}

static void count_answers(struct symbols_stats *stats, const struct symbols_answers *answers)
{
    stats->modules++;
    stats->addresses += answers->count;
    for (size_t i = 0; i < answers->count; i++)
        switch (answers->items[i].how) {
        case SYMBOLS_UNKNOWN:
        case SYMBOLS_BY_START:
            stats->unknown++;
            break;
        case SYMBOLS_BY_SYMBOL:
            stats->by_symbol++;
            break;
        case SYMBOLS_BY_DWARF:
            stats->by_dwarf++;
            break;
        }
}

static int resolve_module(struct symbols *s, const struct symbols_module *module,
                          struct symbols_answers *answers, struct symbols_result *result)
{
    struct asking a = {.s = s, .module = module, .answers = answers, .result = result};
    size_t unknown;
    answers->items = mem_calloc(module->count + 1, sizeof *answers->items);
    answers->count = module->count;
    if (!answers->items)
        return ORIEL_ENOMEM;
    if (module->build_id)
        a.build_id = (struct bytes){module->build_id, module->build_id_bytes};
    buf_init(&a.image);
    load(&a);
    uint64_t *list = unknown_addresses(&a, &unknown);
    int rc = list ? 0 : ORIEL_ENOMEM;
    if (rc == 0 && unknown)
        find_out(&a, (struct asked){list, unknown});
    else if (rc == 0)
        s->stats.from_cache += module->count > 0;
    mem_free(list);
    if (rc == 0 && a.known)
        rc = answer_from_table(&a);
    buf_done(&a.image);
    if (rc == 0)
        count_answers(&s->stats, answers);
    return rc;
}

static bool is_sorted(const struct symbols_module *m)
{
    for (size_t i = 1; i < m->count; i++)
        if (m->addresses[i - 1] > m->addresses[i])
            return false;
    return m->path && m->count < UINT32_MAX && (m->addresses || !m->count);
}

int symbols_resolve(struct symbols *s, const struct symbols_module *modules, size_t count,
                    struct symbols_result *out)
{
    struct symbols_result r = {0};
    for (size_t i = 0; i < count; i++)
        if (!is_sorted(&modules[i]))
            return ORIEL_EINVAL;
    int rc = intern_init(&r.strings);
    if (rc != 0)
        return rc;
    r.modules = mem_calloc(count + 1, sizeof *r.modules);
    r.module_count = r.modules ? count : 0;
    rc = r.modules ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = resolve_module(s, &modules[i], &r.modules[i], &r);
    if (rc != 0) {
        symbols_result_done(&r);
        return rc;
    }
    *out = r;
    return 0;
}

void symbols_result_done(struct symbols_result *r)
{
    for (size_t i = 0; i < r->module_count; i++)
        mem_free(r->modules[i].items);
    mem_free(r->modules);
    r->modules = NULL;
    r->module_count = 0;
    VEC_DONE(&r->lines);
    intern_done(&r->strings);
}
