/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The TOML reader's frame: lines, comments, headers, and what is said of a
 * file that is wrong. Input may be hostile: size, depth and number of values
 * are bounded, and time grows with the size. One thread per arena.
 */
#include "util/toml.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/toml_reader.h"
#include "util/utf8.h"

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_VALUES ((size_t)1000000)

/* Columns are counted on from the last one asked for, or a long line with many
 * values would be counted from its start for each. */
struct toml_place toml_here(struct toml_reader *r)
{
    if (r->counted < r->line_start || r->counted > r->p) {
        r->counted = r->line_start;
        r->counted_column = 1;
    }
    r->counted_column += (uint32_t)utf8_count(r->counted, (size_t)(r->p - r->counted));
    r->counted = r->p;
    return (struct toml_place){
        .offset = (uint32_t)(r->p - r->start), .line = r->line, .column = r->counted_column};
}

void toml_close_place(const struct toml_reader *r, struct toml_place *at)
{
    at->size = (uint32_t)(r->p - r->start) - at->offset;
}

static int refuse(struct toml_reader *r, int code, struct toml_place at, const char *format,
                  va_list args)
{
    char what[320];
    vsnprintf(what, sizeof what, format, args);
    return err_set(r->err, code, "%.160s:%u:%u: %s", r->name, at.line, at.column, what);
}

int toml_refuse_at(struct toml_reader *r, struct toml_place at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = refuse(r, ORIEL_EFORMAT, at, format, args);
    va_end(args);
    return rc;
}

int toml_refuse(struct toml_reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = refuse(r, ORIEL_EFORMAT, toml_here(r), format, args);
    va_end(args);
    return rc;
}

int toml_no_memory(struct toml_reader *r)
{
    return err_set(r->err, ORIEL_ENOMEM, "%.160s: out of memory reading it", r->name);
}

const char *toml_what(const struct toml_reader *r, char out[32])
{
    uint32_t c = 0;
    unsigned n = r->p < r->end ? utf8_next(r->p, (size_t)(r->end - r->p), &c) : 0;
    if (r->p >= r->end)
        snprintf(out, 32, "the end of the file");
    else if (c == '\n' || c == '\r')
        snprintf(out, 32, "the end of the line");
    else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        snprintf(out, 32, "the control character U+%04X", c);
    else
        snprintf(out, 32, "%.*s", (int)n, r->p);
    return out;
}

/* ---- lines ---- */

bool toml_take(struct toml_reader *r, char c)
{
    if (r->p >= r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

void toml_skip_space(struct toml_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t'))
        r->p++;
}

bool toml_take_newline(struct toml_reader *r)
{
    size_t n = r->p < r->end && *r->p == '\r' ? 1 : 0;
    if ((size_t)(r->end - r->p) <= n || r->p[n] != '\n')
        return false;
    r->p += n + 1;
    r->line++;
    r->line_start = r->p;
    return true;
}

int toml_skip_comment(struct toml_reader *r)
{
    if (!toml_take(r, '#'))
        return 0;
    while (r->p < r->end && *r->p != '\n' && *r->p != '\r') {
        unsigned char c = (unsigned char)*r->p;
        char what[32];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return toml_refuse(r, "a comment cannot have %s in it", toml_what(r, what));
        r->p++;
    }
    return 0;
}

/* What may follow a statement: a comment, and the line has to end. */
static int end_line(struct toml_reader *r)
{
    char what[32];
    toml_skip_space(r);
    int rc = toml_skip_comment(r);
    if (rc != 0 || r->p == r->end || toml_take_newline(r))
        return rc;
    if (*r->p == '\r')
        return toml_refuse(r, "a carriage return without a line feed");
    return toml_refuse(r, "the line should end here, not go on with %s", toml_what(r, what));
}

/* ---- statements ---- */

static int read_header(struct toml_reader *r, struct toml_doc *doc, struct toml_value **out)
{
    struct toml_place at = toml_here(r);
    char what[32];
    r->p++;
    bool array = toml_take(r, '[');
    int rc = toml_read_header_key(r, doc->root, array, out);
    if (rc != 0)
        return rc;
    if (!toml_take(r, ']') || (array && !toml_take(r, ']')))
        return toml_refuse(r, "a header ends with %s, not with %s", array ? "]]" : "]",
                           toml_what(r, what));
    toml_close_place(r, &at);
    (*out)->at = at;
    return 0;
}

static int read_statement(struct toml_reader *r, struct toml_doc *doc, struct toml_value **table,
                          struct toml_statement *s)
{
    int rc = 0;
    s->at = toml_here(r);
    toml_skip_space(r);
    char c = r->p < r->end ? *r->p : '\n';
    if (c == '[') {
        s->kind = TOML_TABLE_HEADER;
        rc = read_header(r, doc, table);
        s->value = *table;
    } else if (c == '#' || c == '\n' || c == '\r') {
        s->kind = c == '#' ? TOML_COMMENT : TOML_BLANK;
    } else {
        s->kind = TOML_PAIR;
        rc = toml_read_pair(r, *table, &s->value);
    }
    s->table = *table;
    if (rc == 0)
        rc = end_line(r);
    toml_close_place(r, &s->at);
    return rc;
}

static int read_statements(struct toml_reader *r, struct toml_doc *doc)
{
    struct toml_statement **link = &doc->statements;
    struct toml_value *table = doc->root;
    while (r->p < r->end) {
        struct toml_statement *s =
            arena_alloc(r->arena, sizeof *s, _Alignof(struct toml_statement));
        if (!s)
            return toml_no_memory(r);
        memset(s, 0, sizeof *s);
        int rc = read_statement(r, doc, &table, s);
        if (rc != 0)
            return rc;
        assert(s->at.size > 0 && s->table);
        *link = s;
        link = &s->next;
    }
    return 0;
}

/* The whole text has to be UTF-8: checked once, so nobody has to check again. */
static int check_utf8(struct toml_reader *r)
{
    if (utf8_valid(r->start, (size_t)(r->end - r->start)))
        return 0;
    for (uint32_t c; r->p < r->end;) {
        unsigned n = utf8_next(r->p, (size_t)(r->end - r->p), &c);
        if (n == 0)
            break;
        r->p += n;
        if (c == '\n') {
            r->line++;
            r->line_start = r->p;
        }
    }
    return toml_refuse(r, "not UTF-8: the byte 0x%02x", (unsigned)(unsigned char)*r->p);
}

static struct toml_doc *new_doc(struct arena *arena, const char *text, size_t n)
{
    struct toml_doc *doc = arena_alloc(arena, sizeof *doc, _Alignof(struct toml_doc));
    if (!doc)
        return NULL;
    *doc = (struct toml_doc){.root = toml_new(arena, TOML_TABLE), .text = text, .text_n = n};
    return doc->root ? doc : NULL;
}

static int read_document(struct toml_reader *r, struct toml_doc **out)
{
    int rc = check_utf8(r);
    struct toml_doc *doc =
        rc == 0 ? new_doc(r->arena, r->start, (size_t)(r->end - r->start)) : NULL;
    if (rc == 0 && !doc)
        rc = toml_no_memory(r);
    if (rc == 0 && r->end - r->p >= 3 && memcmp(r->p, "\xef\xbb\xbf", 3) == 0)
        r->p = r->line_start = r->p + 3; /* a byte order mark, as some editors write */
    if (rc == 0)
        rc = read_statements(r, doc);
    if (rc == 0)
        *out = doc;
    return rc;
}

int toml_read(struct arena *arena, const char *text, size_t n,
              const struct toml_read_options *options, struct toml_doc **out, struct oriel_err *err)
{
    static const struct toml_read_options defaults = {.size = sizeof defaults};
    const struct toml_read_options *o = options ? options : &defaults;
    struct toml_reader r = {
        .arena = arena,
        .start = text,
        .p = text,
        .end = text + n,
        .line = 1,
        .line_start = text,
        .counted = text,
        .counted_column = 1,
        .values_left = o->max_values ? o->max_values : MAX_VALUES,
        .max_depth = o->max_depth && o->max_depth < TOML_DEPTH_MAX ? o->max_depth : TOML_DEPTH_MAX,
        .name = o->name ? o->name : "TOML",
        .err = err};
    if (o->size != sizeof *o)
        return err_set(err, ORIEL_EINVAL, "options of another size");
    size_t most = o->max_bytes ? o->max_bytes : MAX_BYTES;
    if (n > most || n > UINT32_MAX / 2)
        return err_set(err, ORIEL_ELIMIT, "%.160s: %zu bytes are more than the %zu allowed", r.name,
                       n, most);
    buf_init(&r.scratch);
    int rc = read_document(&r, out);
    buf_done(&r.scratch);
    map_done(&r.members);
    return rc;
}
