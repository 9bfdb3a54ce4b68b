/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel probes: what `record -e` can be told to watch in a program or library.
 * Writes nothing, starts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/binary.h"
#include "cli/cli.h"
#include "source/probe_args.h"
#include "util/json.h"
#include "util/num.h"
#include "util/table.h"
#include "util/tty.h"

enum { FORMAT_TEXT = 0, FORMAT_JSON = 1 };

struct probes_options {
    int format;
};

static const char *const formats[] = {"text", "json", NULL};

static const struct option_def options[] = {
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct probes_options, format),
     .fallback = "text",
     .choices = formats,
     .arg = "FORMAT",
     .help = "a table to read, or JSON"},
    OPTION_END,
};

struct listing {
    const char *path;
    struct points points;
    struct symbols_result lines; /* where functions begin; one module */
    bool has_lines;
    unsigned width;
    bool colour;
};

/* ---- words ---- */

static const char *cost_of(const struct point *p)
{
    return p->flags & POINT_NOP5 ? "call" : p->flags & POINT_CHEAP ? "trap" : "step";
}

static void type_text(const struct point_arg *a, char out[16])
{
    static const char *const names[] = {"", "i", "u", "ptr", "str", "bool"};
    if (a->type == POINT_INT || a->type == POINT_UINT)
        snprintf(out, 16, "%s%d", names[a->type], a->bytes * 8);
    else
        snprintf(out, 16, "%s", names[a->type]);
}

/* "pStmt ptr, n i32 -> i32" */
static void put_args(const struct points *p, const struct point *point, struct buf *out)
{
    char type[16];
    for (uint32_t i = 0; i < point->arg_count; i++) {
        const struct point_arg *a = &p->args[point->first_arg + i];
        type_text(a, type);
        buf_printf(out, "%s%s%s%s", i ? ", " : "", points_text(p, a->name),
                   *points_text(p, a->name) ? " " : "", type);
    }
    if (point->flags & POINT_RETURNS) {
        type_text(&point->result, type);
        buf_printf(out, "%s-> %s", out->size ? " " : "", type);
    }
}

/* "arg1 i32, arg2 u64" */
static void put_usdt_args(const char *spec, struct buf *out)
{
    struct probe_arg args[PROBE_ARGS_MAX];
    unsigned n = probe_args_parse(spec, args);
    for (unsigned i = 0; i < n; i++)
        buf_printf(out, "%sarg%u %s%d%s", i ? ", " : "", i + 1,
                   args[i].is_float    ? "f"
                   : args[i].is_signed ? "i"
                                       : "u",
                   args[i].bytes * 8, args[i].fetch[0] ? "" : " (not fetched)");
}

/* "file.c:12" of a function; "" unknown. */
static void put_place(const struct listing *l, uint32_t index, bool whole, struct buf *out)
{
    const struct symbols_answers *a = l->has_lines ? &l->lines.modules[0] : NULL;
    if (!a || index >= a->count || a->items[index].count == 0)
        return;
    const struct symbols_line *line =
        &l->lines.lines.items[a->items[index].first + a->items[index].count - 1];
    struct intern_str file = intern_get(&l->lines.strings, line->file);
    uint32_t number = line->start_line ? line->start_line : line->line;
    const char *slash = whole || !file.n ? NULL : memrchr(file.p, '/', file.n);
    size_t skip = slash ? (size_t)(slash + 1 - file.p) : 0;
    if (file.n && number)
        buf_printf(out, "%.*s:%u", (int)(file.n - skip), file.p + skip, number);
}

static uint32_t count(const struct points *p, enum point_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->count; i++)
        n += p->items[i].kind == kind;
    return n;
}

/* ---- text ---- */

static void cell_of(struct table *t, struct buf *b)
{
    table_cell_n(t, b->data ? b->data : "", b->size, TABLE_PLAIN);
    buf_clear(b);
}

static void put_row(const struct listing *l, uint32_t i, struct table *t, struct buf *b)
{
    const struct points *p = &l->points;
    const struct point *point = &p->items[i];
    switch (point->kind) {
    case POINT_USDT:
        buf_printf(b, "  usdt:%s:%s", points_text(p, point->provider), points_text(p, point->name));
        cell_of(t, b);
        put_usdt_args(points_text(p, point->spec), b);
        cell_of(t, b);
        break;
    case POINT_FUNCTION:
        buf_printf(b, "  %s", points_text(p, point->name));
        cell_of(t, b);
        put_args(p, point, b);
        cell_of(t, b);
        put_place(l, i, false, b);
        break;
    default:
        buf_printf(b, "  %s:%u", points_text(p, point->file), point->line);
        cell_of(t, b);
        buf_printf(b, "in %s", points_text(p, point->name));
        cell_of(t, b);
        break;
    }
    cell_of(t, b);
    table_cell(t, cost_of(point));
    table_end_row(t);
}

static void put_section(const struct listing *l, enum point_kind kind, const char *title,
                        const char *second, struct buf *out)
{
    const struct table_column columns[] = {{title, TABLE_TEXT},
                                           {second, TABLE_TEXT},
                                           {kind == POINT_FUNCTION ? "line" : "", TABLE_TEXT},
                                           {"cost", TABLE_TEXT}};
    struct table t;
    struct buf b;
    if (count(&l->points, kind) == 0)
        return;
    table_init(&t, columns, 4);
    buf_init(&b);
    for (uint32_t i = 0; i < l->points.count; i++)
        if (l->points.items[i].kind == kind)
            put_row(l, i, &t, &b);
    buf_puts(out, "\n");
    table_put(&t, 0, l->width, l->colour, out);
    buf_done(&b);
    table_done(&t);
}

static void put_text(const struct listing *l, struct buf *out)
{
    const struct points *p = &l->points;
    const uint32_t lines = count(p, POINT_LINE), usdt = count(p, POINT_USDT);
    const uint32_t functions = count(p, POINT_FUNCTION);
    buf_printf(out, "%s: %u %s, %u %s%s", l->path, usdt,
               num_noun(usdt, "USDT probe", "USDT probes"), functions,
               num_noun(functions, "function", "functions"),
               p->has_dwarf ? "" : ", no debug information");
    if (lines)
        buf_printf(out, ", %u %s of lines", lines, num_noun(lines, "place", "places"));
    if (p->refused)
        buf_printf(out, "; %u left out, no instruction begins there", p->refused);
    buf_puts(out, "\n");
    put_section(l, POINT_USDT, "USDT probe", "arguments", out);
    put_section(l, POINT_FUNCTION, "function", "arguments", out);
    put_section(l, POINT_LINE, "line", "function", out);
    if (p->count)
        buf_puts(out, "\ncost: call = a nop that becomes a call, trap = emulated, step = "
                      "single-stepped, some 20 times a trap (docs/PROBES.md)\n"
                      "next: oriel record -e usdt:PROVIDER:NAME -e uprobe:BINARY:FUNCTION -- "
                      "PROGRAM\n");
}

/* ---- JSON ---- */

static void json_arg(struct json *j, const struct points *p, const struct point_arg *a)
{
    char type[16];
    type_text(a, type);
    json_object(j);
    if (*points_text(p, a->name)) {
        json_key(j, "name");
        json_string(j, points_text(p, a->name));
    }
    json_key(j, "type");
    json_string(j, type);
    json_key(j, "bytes");
    json_u64(j, a->bytes);
    json_object_end(j);
}

static void json_usdt(struct json *j, const struct points *p, const struct point *point)
{
    struct probe_arg args[PROBE_ARGS_MAX];
    unsigned n = probe_args_parse(points_text(p, point->spec), args);
    json_key(j, "provider");
    json_string(j, points_text(p, point->provider));
    json_key(j, "name");
    json_string(j, points_text(p, point->name));
    json_key(j, "semaphore");
    json_bool(j, point->semaphore != 0);
    json_key(j, "arguments");
    json_array(j);
    for (unsigned i = 0; i < n; i++) {
        json_object(j);
        json_key(j, "bytes");
        json_u64(j, args[i].bytes);
        json_key(j, "signed");
        json_bool(j, args[i].is_signed);
        json_key(j, "where");
        json_string(j, args[i].where);
        json_key(j, "fetched");
        json_bool(j, args[i].fetch[0] != 0);
        json_object_end(j);
    }
    json_array_end(j);
}

static void json_function(struct json *j, const struct listing *l, uint32_t index)
{
    const struct points *p = &l->points;
    const struct point *point = &p->items[index];
    struct buf place;
    json_key(j, "name");
    json_string(j, points_text(p, point->name));
    json_key(j, "linkage");
    json_string(j, points_text(p, point->linkage));
    json_key(j, "bytes");
    json_u64(j, point->size);
    json_key(j, "arguments");
    json_array(j);
    for (uint32_t i = 0; i < point->arg_count; i++)
        json_arg(j, p, &p->args[point->first_arg + i]);
    json_array_end(j);
    if (point->flags & POINT_RETURNS) {
        json_key(j, "result");
        json_arg(j, p, &point->result);
    }
    json_key(j, "exits");
    json_u64(j, point->exit_count);
    json_key(j, "exits_known");
    json_bool(j, (point->flags & POINT_EXITS) != 0);
    buf_init(&place);
    put_place(l, index, true, &place);
    if (place.size) {
        json_key(j, "line");
        json_string_n(j, place.data, place.size);
    }
    buf_done(&place);
}

static void json_point(struct json *j, const struct listing *l, uint32_t index)
{
    const struct points *p = &l->points;
    const struct point *point = &p->items[index];
    json_object(j);
    if (point->kind == POINT_USDT) {
        json_usdt(j, p, point);
    } else if (point->kind == POINT_FUNCTION) {
        json_function(j, l, index);
    } else {
        json_key(j, "file");
        json_string(j, points_text(p, point->file));
        json_key(j, "line");
        json_u64(j, point->line);
        json_key(j, "function");
        json_string(j, points_text(p, point->name));
    }
    json_key(j, "address");
    json_u64(j, point->addr);
    json_key(j, "offset");
    json_u64(j, point->offset);
    json_key(j, "cost");
    json_string(j, cost_of(point));
    json_object_end(j);
}

static void put_json(const struct listing *l, struct buf *out)
{
    static const char *const keys[] = {"usdt", "functions", "lines"};
    const struct points *p = &l->points;
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key(&j, "binary");
    json_string(&j, l->path);
    json_key(&j, "debug_information");
    json_bool(&j, p->has_dwarf);
    json_key(&j, "left_out");
    json_u64(&j, p->refused);
    for (unsigned kind = POINT_USDT; kind <= POINT_LINE; kind++) {
        json_key(&j, keys[kind - 1]);
        json_array(&j);
        for (uint32_t i = 0; i < p->count; i++)
            if (p->items[i].kind == kind)
                json_point(&j, l, i);
        json_array_end(&j);
    }
    json_object_end(&j);
    buf_puts(out, "\n");
}

/* ---- */

/* Where the functions stand in the source; without it the list is still right. Points
 * are sorted by kind: their addresses only within one. */
static void find_lines(struct listing *l, struct symbols *s)
{
    const struct points *p = &l->points;
    uint64_t *addresses = mem_calloc(p->count + 1, sizeof *addresses);
    if (addresses && p->has_dwarf) {
        /* Ascending, whatever the kind: others are asked for the last function's. */
        uint64_t last = 0;
        for (uint32_t i = 0; i < p->count; i++) {
            if (p->items[i].kind == POINT_FUNCTION)
                last = p->items[i].addr;
            addresses[i] = last;
        }
        const struct symbols_module m = {
            .path = l->path, .addresses = addresses, .count = p->count};
        l->has_lines = symbols_resolve(s, &m, 1, &l->lines) == 0;
    }
    mem_free(addresses);
}

static bool is_line_pattern(const char *pattern)
{
    const char *colon = pattern ? strrchr(pattern, ':') : NULL;
    return colon && colon > pattern && colon[-1] != ':' &&
           (strcmp(colon + 1, "*") == 0 ||
            (colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1)));
}

static int run(const struct cli_call *call)
{
    const struct probes_options *o = call->options;
    const char *pattern = call->arg_count > 1 ? call->args[1] : NULL;
    char path[BINARY_PATH_BYTES];
    struct listing l = {.path = path};
    struct symbols *s = NULL;
    struct oriel_err err = {0};
    struct points_query query = {
        .kinds = 1u << POINT_USDT | 1u << POINT_FUNCTION, .pattern = pattern, .details = true};
    if (is_line_pattern(pattern))
        query.kinds |= 1u << POINT_LINE;
    int rc = binary_find(call->args[0], NULL, path, &err);
    if (rc == 0 && (rc = binary_symbols(&s)) < 0)
        err_set(&err, rc, "probes: out of memory");
    if (rc == 0)
        rc = points_find(s, path, &query, &l.points, &err);
    if (rc < 0) {
        symbols_close(s);
        return cli_fail("%s", err.text);
    }
    struct buf out;
    struct tty tty;
    tty_look(&tty, STDOUT_FILENO, TTY_AUTO);
    l.width = tty.width;
    l.colour = tty.colour;
    buf_init(&out);
    find_lines(&l, s);
    if (o->format == FORMAT_JSON)
        put_json(&l, &out);
    else
        put_text(&l, &out);
    if (l.points.note[0])
        cli_note("%s: %s", path, l.points.note);
    int status =
        l.points.count == 0 && pattern
            ? cli_fail("%s: nothing matches \"%s\"; without a pattern everything is listed", path,
                       pattern)
            : cli_print(&out);
    buf_done(&out);
    if (l.has_lines)
        symbols_result_done(&l.lines);
    points_done(&l.points);
    symbols_close(s);
    return status;
}

const struct cli_command cli_command_probes = {
    .name = "probes",
    .summary = "list where probes can be set in a program or library",
    .args = "BINARY [PATTERN]",
    .description =
        "Reads BINARY (a path, a library such as libc.so.6, or a command) and lists its USDT "
        "probes with their arguments and its functions with those arguments that debug "
        "information places in registers. PATTERN, with * and ?, chooses by provider:name or by "
        "function name; as FILE:LINE or FILE:* it lists lines of the source. What is listed can be "
        "watched with record -e. Needs no privileges.",
    .examples = "oriel probes ./server 'db_*'\n"
                "oriel probes libc.so.6 malloc\n"
                "oriel probes ./server parse.c:88 --format json",
    .options = options,
    .options_size = sizeof(struct probes_options),
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
