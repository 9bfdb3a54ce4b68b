/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads the words, has the symbol room find the places, and describes each to
 * the kernel: which registers to fetch as what. See probing.h for the words.
 */
#include "cli/probing.h"

#include <assert.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oriel/abi/site.h>

#include "base/buf.h"
#include "cli/binary.h"
#include "cli/cli.h"
#include "session/artifact.h"
#include "source/probe_args.h"
#include "util/num.h"

enum { TYPES_MAX = 8 };

/* One event as it was asked for. */
struct asked {
    enum point_kind kind;
    char binary[BINARY_PATH_BYTES]; /* path */
    bool named;                     /* it was given */
    char pattern[1024];
    struct point_arg types[TYPES_MAX]; /* as told by hand */
    struct point_arg result;
    unsigned type_count;
    bool typed;
};
struct work {
    struct probing *p;
    struct symbols *symbols;
    const char *program, *text; /* of the event */
    int32_t pid;                /* that runs already; 0: it is to be started */
    enum probing_returns returns;
    struct asked asked;
    struct points points;
    struct buf fetch;
};

static const char *keep(struct probing *p, const char *text, size_t n)
{
    const char *copy = arena_copy(&p->arena, text, n);
    return copy ? copy : "";
}

/* ---- words ---- */

static bool read_type(const char *word, size_t n, struct point_arg *out)
{
    *out = (struct point_arg){.type = POINT_POINTER, .bytes = 8};
    if (n == 3 && memcmp(word, "str", 3) == 0)
        out->type = POINT_STRING;
    else if (n == 4 && memcmp(word, "bool", 4) == 0)
        *out = (struct point_arg){.type = POINT_BOOL, .bytes = 1};
    else if (n != 3 || memcmp(word, "ptr", 3) != 0) {
        unsigned long bits = n >= 2 && n <= 3 ? strtoul(word + 1, NULL, 10) : 0;
        if ((word[0] != 'i' && word[0] != 'u') ||
            (bits != 8 && bits != 16 && bits != 32 && bits != 64))
            return false;
        out->type = word[0] == 'i' ? POINT_INT : POINT_UINT;
        out->bytes = (uint8_t)(bits / 8);
    }
    return true;
}

/* "str,i32->ptr". False: it is no list of types. */
static bool read_types(const char *at, struct asked *a)
{
    while (*at && strncmp(at, "->", 2) != 0) {
        size_t n = strcspn(at, ",-");
        if (a->type_count == TYPES_MAX || !read_type(at, n, &a->types[a->type_count]))
            return false;
        a->types[a->type_count].reg = (uint8_t)a->type_count;
        a->type_count++;
        at += n + (at[n] == ',');
    }
    return *at == 0 || read_type(at + 2, strlen(at + 2), &a->result);
}

/* The ':' that ends the name of a binary; "::" belongs to a function. */
static const char *separator(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at == ':' && at[1] == ':')
            at++;
        else if (*at == ':')
            return at;
    }
    return NULL;
}

static unsigned count_colons(const char *text)
{
    unsigned n = 0;
    for (const char *at = separator(text); at; at = separator(at + 1))
        n++;
    return n;
}

static int misread(const struct work *w, struct oriel_err *err)
{
    return err_set(err, ORIEL_EINVAL,
                   "event \"%.200s\": write usdt:PROVIDER:NAME, uprobe:BINARY:FUNCTION, "
                   "line:FILE:LINE or tracepoint:GROUP:NAME",
                   w->text);
}

static int read_event(struct work *w, struct oriel_err *err)
{
    static const struct {
        const char *word;
        enum point_kind kind;
        unsigned colons; /* in what follows, when no binary is named */
    } kinds[] = {
        {"usdt:", POINT_USDT, 1}, {"uprobe:", POINT_FUNCTION, 0}, {"line:", POINT_LINE, 1}};
    struct asked *a = &w->asked;
    const char *rest = NULL;
    unsigned colons = 0;
    *a = (struct asked){.kind = 0};
    for (size_t i = 0; i < 3 && !rest; i++) {
        size_t n = strlen(kinds[i].word);
        if (strncmp(w->text, kinds[i].word, n) != 0)
            continue;
        rest = w->text + n;
        a->kind = kinds[i].kind;
        colons = kinds[i].colons;
    }
    const char *colon = rest ? separator(rest) : NULL;
    if (!rest || !*rest || strlen(rest) >= sizeof a->pattern || count_colons(rest) < colons)
        return misread(w, err);
    snprintf(a->binary, sizeof a->binary, "%s", w->program);
    if (count_colons(rest) > colons) {
        char name[1024];
        snprintf(name, sizeof name, "%.*s", (int)(colon - rest), rest);
        rest = colon + 1;
        a->named = true;
        int rc = w->pid ? binary_find_running(w->pid, name, a->binary, err)
                        : binary_find(name, w->program, a->binary, err);
        if (rc < 0)
            return rc;
    }
    const char *types = a->kind == POINT_LINE ? NULL : strrchr(rest, '%');
    a->typed = types && types[1] && read_types(types + 1, a);
    snprintf(a->pattern, sizeof a->pattern, "%.*s",
             (int)(a->typed ? (size_t)(types - rest) : strlen(rest)), rest);
    return *a->pattern ? 0 : misread(w, err);
}

/* ---- fetching ---- */

static uint8_t field_type(const struct point_arg *a)
{
    switch (a->type) {
    case POINT_INT:
        return ORIEL_TYPE_I64;
    case POINT_UINT:
        return ORIEL_TYPE_U64;
    case POINT_STRING:
        return ORIEL_TYPE_STR;
    case POINT_BOOL:
        return ORIEL_TYPE_BOOL;
    default:
        return ORIEL_TYPE_PTR;
    }
}

/* "f0=%di:s32 " or, for a text, "f0=+0(%di):string " */
static void put_fetch(struct work *w, const char *name, const char *from, const struct point_arg *a)
{
    if (a->type == POINT_STRING)
        buf_printf(&w->fetch, "%s=+0(%s):string ", name, from);
    else
        buf_printf(&w->fetch, "%s=%s:%c%d ", name, from,
                   a->type == POINT_INT       ? 's'
                   : a->type == POINT_POINTER ? 'x'
                                              : 'u',
                   a->bytes * 8);
}

static struct probe_place *add_place(struct work *w, enum probe_role role, uint64_t offset)
{
    struct probing *p = w->p;
    struct probe_place *place = p->places.count < PROBE_PLACES_MAX ? VEC_PUSH(&p->places) : NULL;
    if (!place)
        return NULL;
    *place =
        (struct probe_place){.def = (uint32_t)(p->defs.count - 1),
                             .role = (uint8_t)role,
                             .path = keep(p, w->asked.binary, strlen(w->asked.binary)),
                             .offset = offset,
                             .fetch = keep(p, w->fetch.data ? w->fetch.data : "", w->fetch.size)};
    return place;
}

static struct probe_def *add_def(struct work *w, const char *name, size_t n)
{
    struct probing *p = w->p;
    struct probe_def *d = p->defs.count < PROBE_DEFS_MAX ? VEC_PUSH(&p->defs) : NULL;
    if (d)
        *d = (struct probe_def){.name = keep(p, name, n), .target = "", .file = "", .function = ""};
    return d;
}

static struct probe_field *add_fields(struct work *w, struct probe_def *d, unsigned n)
{
    struct probe_field *fields =
        arena_alloc(&w->p->arena, (n + 1) * sizeof *fields, _Alignof(struct probe_field));
    d->fields = fields;
    d->field_count = fields ? n : 0;
    return fields;
}

static int too_many(const struct work *w, struct oriel_err *err)
{
    return err_set(err, ORIEL_ELIMIT,
                   "event \"%.200s\": more than %d events or %d places: a narrower pattern helps",
                   w->text, PROBE_DEFS_MAX, PROBE_PLACES_MAX);
}

/* ---- functions ---- */

static void put_sp(struct work *w, bool fast)
{
    buf_printf(&w->fetch, "sp=%s:u64", probe_stack_register);
    /* Tells a tail call from a slot that is used again; where returns go through
     * the kernel. */
    if (fast)
        buf_printf(&w->fetch, " ra=+0(%s):u64", probe_stack_register);
}

static int add_ends(struct work *w, const struct point *point, const struct point_arg *result,
                    bool fast)
{
    buf_clear(&w->fetch);
    if (result->type != POINT_NONE)
        put_fetch(w, "r", fast ? "$retval" : probe_result_register, result);
    put_sp(w, false);
    if (fast) {
        struct probe_place *end = add_place(w, PROBE_END, point->offset);
        if (end)
            end->returns = true;
        return end ? 0 : ORIEL_ELIMIT;
    }
    for (uint32_t i = 0; i < point->exit_count; i++)
        if (!add_place(w, PROBE_END, w->points.exits[point->first_exit + i]))
            return ORIEL_ELIMIT;
    w->p->stepped += point->exit_count;
    return 0;
}

/* Names and types of the fields, and what the kernel fetches for them. */
static void fetch_args(struct work *w, struct probe_field *fields, const struct point_arg *args,
                       unsigned n)
{
    buf_clear(&w->fetch);
    for (unsigned i = 0; i < n; i++) {
        char numbered[16], field[16];
        const char *from = probe_arg_register(args[i].reg);
        const char *name = w->asked.typed ? "" : points_text(&w->points, args[i].name);
        snprintf(field, sizeof field, "f%u", i);
        snprintf(numbered, sizeof numbered, "arg%u", i + 1);
        name = *name ? name : numbered;
        fields[i] = (struct probe_field){.name = keep(w->p, name, strlen(name)),
                                         .type = field_type(&args[i])};
        if (from)
            put_fetch(w, field, from, &args[i]);
    }
}

static bool is_fast(const struct work *w)
{
    return w->returns == PROBING_FAST ||
           (w->returns == PROBING_AUTO && !w->p->throws && !w->points.throws);
}

static int add_function(struct work *w, const struct point *point, struct oriel_err *err)
{
    const struct asked *a = &w->asked;
    struct point_arg result = {0};
    const char *name = points_text(&w->points, point->name);
    bool fast = is_fast(w), span = fast || point->exit_count > 0;
    unsigned n = a->typed ? a->type_count : point->arg_count;
    struct probe_def *d = add_def(w, name, points_plain_bytes(name, strlen(name)));
    struct probe_field *fields = d ? add_fields(w, d, n) : NULL;
    if (!fields)
        return too_many(w, err);
    if (a->typed)
        result = a->result;
    else if (point->flags & POINT_RETURNS)
        result = point->result;
    d->target = "uprobe";
    d->function = d->name;
    d->span = span;
    d->result = span && result.type != POINT_NONE ? field_type(&result) : 0;
    fetch_args(w, fields, a->typed ? a->types : &w->points.args[point->first_arg], n);
    if (span)
        put_sp(w, fast);
    if (!add_place(w, span ? PROBE_BEGIN : PROBE_EVENT, point->offset))
        return too_many(w, err);
    w->p->stepped += !(point->flags & POINT_CHEAP);
    w->p->endless += !span;
    return !span || add_ends(w, point, &result, fast) == 0 ? 0 : too_many(w, err);
}

/* ---- USDT ---- */

/* Types of all places of a probe as one: signed where any is, a text where told so. */
static void unite_types(struct probe_field *fields, const struct probe_arg *args, unsigned n,
                        const struct asked *a)
{
    for (unsigned i = 0; i < n; i++)
        fields[i].type = i < a->type_count     ? field_type(&a->types[i])
                         : args[i].is_signed   ? ORIEL_TYPE_I64
                         : fields[i].type == 0 ? ORIEL_TYPE_U64
                                               : fields[i].type;
}

static void fetch_usdt(struct work *w, const struct probe_arg *args, unsigned n)
{
    const struct asked *a = &w->asked;
    buf_clear(&w->fetch);
    for (unsigned i = 0; i < n; i++) {
        char field[16];
        struct point_arg type = {.type = args[i].is_signed ? POINT_INT : POINT_UINT,
                                 .bytes = args[i].bytes};
        if (i < a->type_count) /* the width is the note's, unless it is a text */
            type.type = a->types[i].type;
        snprintf(field, sizeof field, "f%u", i);
        if (args[i].fetch[0])
            put_fetch(w, field, args[i].fetch, &type);
    }
}

static bool same_probe(const struct points *p, const struct point *a, const struct point *b)
{
    return strcmp(points_text(p, a->provider), points_text(p, b->provider)) == 0 &&
           strcmp(points_text(p, a->name), points_text(p, b->name)) == 0;
}

/* All places of the probe whose first one is `first`. */
static int add_usdt(struct work *w, uint32_t first, struct oriel_err *err)
{
    const struct points *points = &w->points;
    const struct point *like = &points->items[first];
    struct probe_arg args[PROBE_ARGS_MAX];
    unsigned n = probe_args_parse(points_text(points, like->spec), args);
    char name[512];
    int bytes = snprintf(name, sizeof name, "%s:%s", points_text(points, like->provider),
                         points_text(points, like->name));
    struct probe_def *d = add_def(w, name, bytes < 512 ? (size_t)bytes : 511);
    struct probe_field *fields = d ? add_fields(w, d, n) : NULL;
    if (!fields)
        return too_many(w, err);
    d->target = "usdt";
    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof name, "arg%u", i + 1);
        fields[i] = (struct probe_field){.name = keep(w->p, name, strlen(name))};
    }
    for (uint32_t i = first; i < points->count; i++) {
        const struct point *point = &points->items[i];
        if (point->kind != POINT_USDT || !same_probe(points, like, point))
            continue;
        unsigned here = probe_args_parse(points_text(points, point->spec), args);
        here = here < n ? here : n;
        unite_types(fields, args, here, &w->asked);
        fetch_usdt(w, args, here);
        struct probe_place *place = add_place(w, PROBE_EVENT, point->offset);
        if (!place)
            return too_many(w, err);
        place->semaphore = point->semaphore;
    }
    return 0;
}

static bool seen_before(const struct points *p, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (p->items[k].kind == POINT_USDT && same_probe(p, &p->items[k], &p->items[i]))
            return true;
    return false;
}

/* ---- lines ---- */

static int add_line(struct work *w, const struct point *point, struct oriel_err *err)
{
    const char *file = points_text(&w->points, point->file), *slash = strrchr(file, '/');
    const char *function = points_text(&w->points, point->name);
    char name[512];
    snprintf(name, sizeof name, "%.480s:%u", slash ? slash + 1 : file, point->line);
    struct probe_def *d = add_def(w, name, strlen(name));
    buf_clear(&w->fetch);
    if (!d || !add_place(w, PROBE_EVENT, point->offset))
        return too_many(w, err);
    d->target = "line";
    d->file = keep(w->p, file, strlen(file));
    d->function = keep(w->p, function, points_plain_bytes(function, strlen(function)));
    d->line = point->line;
    w->p->stepped += !(point->flags & POINT_CHEAP);
    return 0;
}

/* ---- events ---- */

/* Aliases of one function lie at one place: one of them says it. */
static int add_points(struct work *w, struct oriel_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < w->points.count && rc == 0; i++) {
        const struct point *point = &w->points.items[i];
        bool alias = i > 0 && point[-1].kind == POINT_FUNCTION && point[-1].addr == point->addr;
        if (point->kind == POINT_FUNCTION)
            rc = alias ? 0 : add_function(w, point, err);
        else if (point->kind == POINT_LINE)
            rc = add_line(w, point, err);
        else if (!seen_before(&w->points, i))
            rc = add_usdt(w, i, err);
    }
    return rc;
}

/* A mark that is not in the program: in a library. Those of a program that runs are known;
 * else it may be that of C++. */
static int find_elsewhere(struct work *w, const struct points_query *q, struct oriel_err *err)
{
    uint64_t at = 0;
    int rc = 0;
    bool more = w->pid ? binary_next_mapped(w->pid, &at, w->asked.binary)
                       : binary_find("libstdc++.so.6", NULL, w->asked.binary, NULL) == 0;
    while (more && w->points.count == 0) {
        points_done(&w->points);
        rc = points_find(w->symbols, w->asked.binary, q, &w->points, err);
        if (rc < 0)
            memset(&w->points, 0, sizeof w->points);
        more = w->pid && w->points.count == 0 && binary_next_mapped(w->pid, &at, w->asked.binary);
    }
    return w->pid ? 0 : rc; /* files that cannot be read have no marks */
}

static int find_points(struct work *w, struct oriel_err *err)
{
    const struct points_query q = {.kinds = 1u << w->asked.kind,
                                   .pattern = w->asked.pattern,
                                   .details = w->asked.kind == POINT_FUNCTION};
    int rc = points_find(w->symbols, w->asked.binary, &q, &w->points, err);
    if (rc == 0 && w->points.count == 0 && w->asked.kind == POINT_USDT && !w->asked.named)
        rc = find_elsewhere(w, &q, err);
    if (rc == 0 && w->points.count == 0) {
        points_done(&w->points);
        return err_set(
            err, ORIEL_ENOTFOUND,
            "event \"%.200s\": nothing of that name in %.200s; oriel probes BINARY lists "
            "what there is",
            w->text, w->asked.named ? w->asked.binary : w->program);
    }
    return rc;
}

static int add_tracepoint(struct work *w, const char *name, struct oriel_err *err)
{
    struct probe_def *d = add_def(w, name, strlen(name));
    struct probe_place *place = d ? VEC_PUSH(&w->p->places) : NULL;
    if (!place)
        return too_many(w, err);
    d->target = "tracepoint";
    d->tracepoint = d->name;
    *place = (struct probe_place){.def = (uint32_t)(w->p->defs.count - 1), .fetch = ""};
    return 0;
}

/* GROUP:NAME, both with * and ? where tracefs can be read. */
static int add_tracepoints(struct work *w, const char *name, struct oriel_err *err)
{
    char pattern[512];
    glob_t found = {0};
    const char *colon = strchr(name, ':');
    if (!colon || colon == name || !colon[1] || strchr(name, '/') || strlen(name) > 256)
        return misread(w, err);
    if (!strpbrk(name, "*?"))
        return add_tracepoint(w, name, err);
    snprintf(pattern, sizeof pattern, "/sys/kernel/tracing/events/%.*s/%s/id", (int)(colon - name),
             name, colon + 1);
    int rc = glob(pattern, 0, NULL, &found) == 0
                 ? 0
                 : err_set(err, ORIEL_ENOTFOUND,
                           "event \"%.200s\": no such tracepoint, or this user may not see them "
                           "(root does)",
                           w->text);
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
        char *path = found.gl_pathv[i] + strlen("/sys/kernel/tracing/events/");
        path[strlen(path) - 3] = 0; /* "/id" */
        *strchr(path, '/') = ':';
        rc = add_tracepoint(w, path, err);
    }
    globfree(&found);
    return rc;
}

static int add_event(struct work *w, struct oriel_err *err)
{
    if (strncmp(w->text, "tracepoint:", 11) == 0)
        return add_tracepoints(w, w->text + 11, err);
    int rc = read_event(w, err);
    if (rc == 0)
        rc = find_points(w, err);
    if (rc < 0)
        return rc;
    rc = add_points(w, err);
    points_done(&w->points);
    return rc;
}

/* Whether exceptions are at home in the program: then return addresses stay alone. */
static void look_at_program(struct work *w)
{
    const struct points_query q = {.kinds = 0, .pattern = ""};
    if ((w->pid && binary_throws(w->pid)) ||
        points_find(w->symbols, w->program, &q, &w->points, NULL) < 0) {
        w->p->throws = true; /* or nobody knows */
        return;
    }
    w->p->throws = w->points.throws;
    points_done(&w->points);
}

int probing_make(struct probing *p, const char *events, const char *program, int32_t pid,
                 int returns, struct oriel_err *err)
{
    char text[2048], running[BINARY_PATH_BYTES];
    struct work w = {.p = p,
                     .program = pid ? running : program,
                     .pid = pid,
                     .text = text,
                     .returns = (enum probing_returns)returns};
    memset(p, 0, sizeof *p);
    arena_init(&p->arena);
    if (!events || !*events)
        return 0;
    int rc = pid ? binary_find_running(pid, NULL, running, err) : 0;
    if (rc < 0)
        return rc;
    buf_init(&w.fetch);
    rc = binary_symbols(&w.symbols);
    if (rc < 0)
        return err_set(err, rc, "probes: out of memory");
    look_at_program(&w);
    while (rc == 0 && *events) {
        size_t n = strcspn(events, "\n");
        if (n >= sizeof text)
            rc = err_set(err, ORIEL_EINVAL, "event of %zu characters: too long", n);
        snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : 0), events);
        if (rc == 0 && n)
            rc = add_event(&w, err);
        events += n + (events[n] == '\n');
    }
    symbols_close(w.symbols);
    if (rc == 0 && w.fetch.failed)
        rc = err_set(err, ORIEL_ENOMEM, "probes: out of memory");
    buf_done(&w.fetch);
    p->options = (struct probe_options){.defs = p->defs.items,
                                        .def_count = (uint32_t)p->defs.count,
                                        .places = p->places.items,
                                        .place_count = (uint32_t)p->places.count,
                                        .ability = &p->ability};
    assert(rc <= 0);
    return rc;
}

void probing_start(struct probing *p, struct session *s, int32_t pid, bool running)
{
    struct oriel_err err = {0};
    const char *who = running ? "attach" : "record";
    if (p->places.count == 0)
        return;
    p->options.pid = pid;
    p->options.running = running;
    int rc = session_add_source(s, &source_probe, &p->options, &err);
    if (rc < 0) {
        cli_note("%s: no probes: %s", who, err.text);
        (void)artifact_set(session_catalog(s), "oriel.probe.missing", err.text);
    } else if (p->stepped) {
        cli_note("%s: %u of %zu probes are single-stepped, which costs some 20 times a trap "
                 "(docs/PROBES.md)",
                 who, p->stepped, p->places.count);
    }
    if (rc == 0 && p->ability.lower_bound) {
        static const char why[] =
            "this kernel, before 6.13, may keep hits to itself where threads of "
            "a process end: their count is a lower bound";
        cli_note("%s: %s", who, why);
        (void)artifact_set(session_catalog(s), "oriel.probe.missing", why);
    }
    if (rc == 0 && p->endless)
        cli_note("%s: the ends of %u %s are not known: they are seen as events", who, p->endless,
                 num_noun(p->endless, "function", "functions"));
}

void probing_say(const struct probing *p, const char *command)
{
    const struct probe_ability *can = &p->ability;
    const uint64_t full = can->lost > can->missing_hits ? can->lost - can->missing_hits : 0;
    const uint64_t larger = can->room_bytes >> 18; /* four times that, in MiB */
    char hits[NUM_TEXT_MAX], room[NUM_TEXT_MAX];
    if (full)
        cli_note("%s: %s hits of probes lost, the kernel's buffer of %s for each CPU had no room "
                 "for them; --probe-ring %uMiB has, or watch less",
                 command, num_count(hits, full), num_bytes(room, can->room_bytes),
                 larger < 1      ? 1
                 : larger > 1024 ? 1024
                                 : (unsigned)larger);
    if (p->ability.missing_hits)
        cli_note("%s: %llu hits of probes were counted by the kernel and not handed over: they are "
                 "told as lost",
                 command, (unsigned long long)p->ability.missing_hits);
}

void probing_done(struct probing *p)
{
    VEC_DONE(&p->defs);
    VEC_DONE(&p->places);
    arena_done(&p->arena);
    memset(p, 0, sizeof *p);
}
