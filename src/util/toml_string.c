/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The four kinds of TOML strings: basic and literal, on one line or several.
 * What is decoded goes through the reader's scratch buffer into the arena. The
 * text is known to be UTF-8. One thread.
 */
#include <assert.h>
#include <string.h>

#include "util/toml_reader.h"
#include "util/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int read_unicode(struct toml_reader *r, unsigned digits)
{
    uint32_t c = 0;
    char bytes[4];
    struct toml_place at = toml_here(r);
    for (unsigned i = 0; i < digits; i++, r->p++) {
        int d = r->p < r->end ? hex_digit(*r->p) : -1;
        if (d < 0)
            return toml_refuse(r, "\\%c wants %u hex digits", digits == 4 ? 'u' : 'U', digits);
        c = c << 4 | (unsigned)d;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return toml_refuse_at(r, at, "U+%04X is no character", c);
    buf_put(&r->scratch, bytes, (size_t)(utf8_put(bytes, c) - bytes));
    return 0;
}

/* A backslash at the end of a line takes all white space up to the next word
 * with it. r->p stands behind the backslash; false where it is none of those. */
static bool join_lines(struct toml_reader *r)
{
    const char *start = r->p;
    toml_skip_space(r);
    if (!toml_take_newline(r)) {
        r->p = start;
        return false;
    }
    do
        toml_skip_space(r);
    while (toml_take_newline(r));
    return true;
}

static int read_escape(struct toml_reader *r, bool lines)
{
    static const char from[] = "\"\\bfnrt", to[] = "\"\\\b\f\n\r\t";
    char c = r->p < r->end ? *r->p : 0, what[32];
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        r->p++;
        buf_putc(&r->scratch, to[at - from]);
        return 0;
    }
    if (c == 'u' || c == 'U') {
        r->p++;
        return read_unicode(r, c == 'u' ? 4 : 8);
    }
    if (lines && join_lines(r))
        return 0;
    return toml_refuse(r, "\\ cannot stand before %s; a backslash itself is \\\\",
                       toml_what(r, what));
}

/* Plain bytes of a string up to something special. */
static void copy_plain(struct toml_reader *r, char quote)
{
    const char *start = r->p;
    while (r->p < r->end) {
        unsigned char c = (unsigned char)*r->p;
        if (c == (unsigned char)quote || (c == '\\' && quote == '"') || (c < 0x20 && c != '\t') ||
            c == 0x7f)
            break;
        r->p++;
    }
    buf_put(&r->scratch, start, (size_t)(r->p - start));
}

/* Quotes inside or at the end of a string of several lines: up to two belong
 * to the text, also right before the three that end it. True at the end. */
static bool closes(struct toml_reader *r, char quote)
{
    size_t n = 0;
    while (r->p < r->end && *r->p == quote && n < 5) {
        r->p++;
        n++;
    }
    for (size_t i = n >= 3 ? 3 : 0; i < n; i++)
        buf_putc(&r->scratch, quote);
    return n >= 3;
}

static int not_closed(struct toml_reader *r, struct toml_place at, char quote, bool lines)
{
    return toml_refuse_at(r, at, "the string that begins here has no %s at its end%s",
                          !lines         ? quote == '"' ? "\"" : "'"
                          : quote == '"' ? "\"\"\""
                                         : "'''",
                          lines ? "" : " on the same line");
}

static int read_special(struct toml_reader *r, struct toml_place at, char quote, bool lines)
{
    const char *start = r->p;
    char what[32];
    if (*r->p == '\\') {
        r->p++;
        return read_escape(r, lines);
    }
    if (!toml_take_newline(r))
        return toml_refuse(r, "a string cannot have %s in it%s",
                           *r->p == '\r' ? "a carriage return alone" : toml_what(r, what),
                           quote == '"' ? "; write it as \\uXXXX" : "");
    if (!lines)
        return not_closed(r, at, quote, lines);
    buf_put(&r->scratch, start, (size_t)(r->p - start));
    return 0;
}

int toml_read_string(struct toml_reader *r, bool multiline, const char **out, size_t *out_n)
{
    struct toml_place at = toml_here(r);
    char quote = *r->p;
    assert(quote == '"' || quote == '\'');
    bool lines = multiline && r->end - r->p >= 3 && r->p[1] == quote && r->p[2] == quote;
    r->p += lines ? 3 : 1;
    buf_clear(&r->scratch);
    if (lines)
        (void)toml_take_newline(r); /* right behind the quotes it is not part of the text */
    for (;;) {
        copy_plain(r, quote);
        if (r->p >= r->end)
            return not_closed(r, at, quote, lines);
        if (*r->p != quote) {
            int rc = read_special(r, at, quote, lines);
            if (rc != 0)
                return rc;
        } else if (!lines || closes(r, quote)) {
            break;
        }
    }
    r->p += lines ? 0 : 1;
    *out_n = r->scratch.size;
    *out = r->scratch.failed ? NULL : arena_copy(r->arena, r->scratch.data, r->scratch.size);
    return *out ? 0 : toml_no_memory(r);
}
