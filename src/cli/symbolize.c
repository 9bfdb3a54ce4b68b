/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asks the symbol room about all modules at once, so that each file is read
 * once, by sorted address. Kernel symbols are those of the kernel that runs
 * now: right for what was recorded since it was started.
 */
#include "cli/symbolize.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/vec.h"
#include "cli/cli.h"
#include "cli/complaints.h"
#include "cli/jit_file.h"
#include "cli/kernel_symbols.h"
#include "symbol/segments.h"
#include "symbol/symbol.h"

struct wanted {
    uint64_t address; /* to look up */
    struct model_place *place;
};
typedef VEC(struct wanted) wanted_list;

static int by_address(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static bool collect(const struct model_stacks *s, uint8_t kind, uint32_t module, wanted_list *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < s->place_count; i++) {
        struct model_place *p = s->places[i];
        if (p->resolved || s->modules[p->module]->kind != kind ||
            (module != UINT32_MAX && p->module != module))
            continue;
        struct wanted *w = VEC_PUSH(out);
        if (!w)
            return false;
        *w = (struct wanted){p->address - (p->caller ? 1 : 0), p};
    }
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, by_address);
    return true;
}

/* ---- files ---- */

struct question {
    wanted_list wanted;
    uint64_t *addresses;
    char *path;
};

static struct model_str text_of(const struct symbols_result *r, uint32_t id)
{
    struct intern_str s = intern_get(&r->strings, id);
    return (struct model_str){s.p, s.n};
}

/* "zstd+0x1a2b0": nobody knows what it is called, but functions stay apart. */
static int put_start(struct model_stacks *s, struct model_place *p, const struct symbols_result *r,
                     const struct symbols_answer *a)
{
    char text[320];
    const struct model_str path = s->modules[p->module]->path;
    const struct model_str start = text_of(r, r->lines.items[a->first].name);
    const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
    const char *base = slash ? slash + 1 : path.p;
    int n = snprintf(text, sizeof text, "%.*s%.*s", (int)(path.p + path.n - base), base,
                     (int)start.n, start.p);
    if (n <= 0 || (size_t)n >= sizeof text)
        return 0; /* the module's name has to do */
    const struct model_line line = {.function = {text, (uint32_t)n}};
    return model_place_set_lines(s, p, &line, 1);
}

/* The lines of one answer into its place. */
static int put_lines(struct model_stacks *s, struct model_place *p, const struct symbols_result *r,
                     const struct symbols_answer *a)
{
    struct model_line lines[UINT8_MAX];
    if (a->how == SYMBOLS_BY_START)
        return put_start(s, p, r, a);
    uint32_t n = a->count < UINT8_MAX ? a->count : UINT8_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const struct symbols_line *l = &r->lines.items[a->first + i];
        lines[i] = (struct model_line){.function = text_of(r, l->name),
                                       .linkage = text_of(r, l->linkage),
                                       .file = text_of(r, l->file),
                                       .line = l->line,
                                       .column = l->column,
                                       .start_line = l->start_line,
                                       .inlined = l->inlined};
        if (lines[i].function.n == 0)
            lines[i].function = MODEL_STR("[unknown]");
    }
    return model_place_set_lines(s, p, lines, n);
}

static bool ask(struct question *q, const struct model_catalog *c, uint32_t module,
                struct symbols_module *out)
{
    const struct model_stacks *s = &c->stacks;
    const struct model_module *m = s->modules[module];
    uint64_t not_before_ns = 0;
    if (!collect(s, m->kind, module, &q->wanted))
        return false;
    q->addresses = mem_calloc(q->wanted.count + 1, sizeof *q->addresses);
    if (m->kind == MODEL_MODULE_JIT && q->wanted.count)
        q->path = jit_file(c, m, &not_before_ns);
    else
        q->path = mem_strndup(m->path.p, m->path.n);
    if (!q->addresses || !q->path)
        return false;
    for (size_t i = 0; i < q->wanted.count; i++)
        q->addresses[i] = q->wanted.items[i].address;
    *out = (struct symbols_module){.path = q->path,
                                   .build_id = m->build_id_bytes ? m->build_id : NULL,
                                   .build_id_bytes = m->build_id_bytes,
                                   .addresses = q->addresses,
                                   .count = q->wanted.count,
                                   .jit = m->kind == MODEL_MODULE_JIT,
                                   .not_before_ns = not_before_ns};
    return true;
}

static int take_answers(struct model_stacks *s, const struct question *q,
                        const struct symbols_result *r, const struct symbols_answers *a)
{
    for (size_t i = 0; i < a->count && i < q->wanted.count; i++) {
        const struct model_place *p = q->wanted.items[i].place;
        if (a->items[i].count == 0 && s->modules[p->module]->kind == MODEL_MODULE_JIT)
            continue; /* it may be told yet */
        int rc = put_lines(s, q->wanted.items[i].place, r, &a->items[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What could not be read: a line for each kind of trouble, not for each file. */
static void complain(const struct symbols_module *modules, const struct symbols_result *r)
{
    struct complaints all = {0};
    char line[sizeof r->modules->text + 64];
    for (size_t i = 0; i < r->module_count; i++) {
        const char *text = r->modules[i].text;
        if (text[0] && !complaints_add(&all, modules[i].path, text))
            cli_note("%s", text);
    }
    for (size_t i = 0; i < all.items.count; i++) {
        complaints_line(&all.items.items[i], line, sizeof line);
        cli_note("%s", line);
    }
    complaints_done(&all);
}

/* How long the user lets debuginfod clients wait, as elfutils' own read it; 0: not said. */
static uint32_t debuginfod_ms(void)
{
    const char *text = getenv("DEBUGINFOD_TIMEOUT");
    long seconds = text ? strtol(text, NULL, 10) : 0;
    return seconds > 0 && seconds <= 3600 ? (uint32_t)seconds * 1000 : 0;
}

static int resolve(struct model_stacks *s, struct question *q, struct symbols_module *modules,
                   size_t n, bool say)
{
    char cache[4096];
    struct symbols_options o = {.size = sizeof o,
                                .debuginfod_urls = getenv("DEBUGINFOD_URLS"),
                                .debuginfod_ms = debuginfod_ms()};
    struct symbols *symbols = NULL;
    struct symbols_result result;
    if (symbols_cache_dir(getenv("XDG_CACHE_HOME"), getenv("HOME"), cache, sizeof cache))
        o.cache_dir = cache;
    int rc = symbols_open(&o, &symbols);
    if (rc == 0)
        rc = symbols_resolve(symbols, modules, n, &result);
    if (rc == 0) {
        for (size_t i = 0; rc == 0 && i < result.module_count; i++)
            rc = take_answers(s, &q[i], &result, &result.modules[i]);
        if (say)
            complain(modules, &result);
        symbols_result_done(&result);
    }
    symbols_close(symbols);
    return rc;
}

static int symbolize_files(struct model_catalog *c, bool say)
{
    struct model_stacks *s = &c->stacks;
    struct question *q = mem_calloc(s->module_count + 1, sizeof *q);
    struct symbols_module *modules = mem_calloc(s->module_count + 1, sizeof *modules);
    size_t n = 0;
    int rc = q && modules ? 0 : ORIEL_ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < s->module_count; i++) {
        if (s->modules[i]->kind != MODEL_MODULE_FILE && s->modules[i]->kind != MODEL_MODULE_JIT)
            continue;
        if (!ask(&q[n], c, i, &modules[n]))
            rc = ORIEL_ENOMEM;
        else if (q[n].wanted.count)
            n++;
        else
            mem_free(q[n].addresses), mem_free(q[n].path);
    }
    if (rc == 0 && n)
        rc = resolve(s, q, modules, n, say);
    for (size_t i = 0; q && i < s->module_count; i++) {
        VEC_DONE(&q[i].wanted);
        if (i < n) {
            mem_free(q[i].addresses);
            mem_free(q[i].path);
        }
    }
    mem_free(q);
    mem_free(modules);
    return rc;
}

/* ---- the kernel ---- */

/* The kernel lies elsewhere after every start, and on every machine. */
static bool is_this_kernel(const struct model_catalog *c)
{
    struct model_str host = model_catalog_resource(c, "host.name");
    struct utsname here;
    struct timespec up;
    if (uname(&here) != 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return false;
    uint64_t up_ns = (uint64_t)up.tv_sec * 1000000000u + (uint64_t)up.tv_nsec;
    return host.n == strlen(here.nodename) && memcmp(host.p, here.nodename, host.n) == 0 &&
           c->start_ns > clock_unix_ns() - up_ns;
}

static int symbolize_kernel(struct model_catalog *c, const struct kernel_symbols_while *meanwhile)
{
    struct model_stacks *s = &c->stacks;
    wanted_list w = {0};
    if (!is_this_kernel(c))
        return 0; /* unnamed is better than misnamed */
    if (!collect(s, MODEL_MODULE_KERNEL, UINT32_MAX, &w))
        return ORIEL_ENOMEM;
    struct kernel_symbol *found = mem_calloc(w.count + 1, sizeof *found);
    uint64_t *addresses = mem_calloc(w.count + 1, sizeof *addresses);
    int rc = found && addresses ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < w.count; i++)
        addresses[i] = w.items[i].address;
    if (rc == 0)
        kernel_symbols_read("/proc/kallsyms", addresses, w.count, found, meanwhile);
    for (size_t i = 0; rc == 0 && i < w.count; i++) {
        struct model_line l = {.function = {found[i].name, (uint32_t)strlen(found[i].name)}};
        if (l.function.n)
            rc = model_place_set_lines(s, w.items[i].place, &l, 1);
    }
    mem_free(found);
    mem_free(addresses);
    VEC_DONE(&w);
    return rc;
}

int symbolize(struct model_catalog *c, bool say)
{
    assert(c);
    int rc = symbolize_files(c, say);
    int kernel = symbolize_kernel(c, NULL);
    return rc < 0 ? rc : kernel;
}

int symbolize_while(struct model_catalog *c, const struct kernel_symbols_while *meanwhile)
{
    assert(c && meanwhile);
    int rc = symbolize_files(c, false);
    int kernel = symbolize_kernel(c, meanwhile);
    return rc < 0 ? rc : kernel;
}

/* ---- segments ---- */

static int set_segments(struct model_catalog *c, struct symbols *symbols, struct model_module *m)
{
    struct segment found[SEGMENTS_MAX];
    struct model_segment segments[SEGMENTS_MAX];
    uint32_t n = 0;
    char *path = mem_strndup(m->path.p, m->path.n);
    if (!path)
        return ORIEL_ENOMEM;
    int rc = segments_find(symbols, path, m->build_id_bytes ? m->build_id : NULL, m->build_id_bytes,
                           found, &n);
    mem_free(path);
    if (rc < 0)
        return rc == ORIEL_ENOMEM ? rc : 0;
    for (uint32_t i = 0; i < n; i++)
        segments[i] = (struct model_segment){found[i].address, found[i].offset, found[i].bytes};
    return model_module_set_segments(&c->stacks, m, segments, n);
}

/* The kernel is moved as a whole: where its text begins says how far. */
static int set_kernel(struct model_catalog *c, struct model_module *m)
{
    uint64_t text = is_this_kernel(c) ? kernel_symbols_address("/proc/kallsyms", "_text") : 0;
    const struct model_segment segment = {text, text, 1};
    return text ? model_module_set_segments(&c->stacks, m, &segment, 1) : 0;
}

int symbolize_segments(struct model_catalog *c)
{
    assert(c);
    const struct symbols_options o = {.size = sizeof o};
    struct symbols *symbols = NULL;
    int rc = symbols_open(&o, &symbols);
    for (uint32_t i = 0; rc == 0 && i < c->stacks.module_count; i++) {
        struct model_module *m = c->stacks.modules[i];
        if (m->kind == MODEL_MODULE_FILE && !m->segment_count)
            rc = set_segments(c, symbols, m);
        if (m->kind == MODEL_MODULE_KERNEL && !m->segment_count)
            rc = set_kernel(c, m);
    }
    symbols_close(symbols);
    return rc;
}
