/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Renders option tables for `--help`: names in one column, help wrapped in
 * another. A name that is too long for its column gets a line of its own.
 */
#include "util/option_help.h"

#include <assert.h>

#include "util/utf8.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 40, NAME_COLUMN_MAX = 28, GAP = 2 };

void option_help_arg(const struct option_def *def, struct buf *out)
{
    static const char *const by_type[] = {
        [OPTION_BOOL] = "",         [OPTION_INT] = "N",     [OPTION_FLOAT] = "X",
        [OPTION_STRING] = "TEXT",   [OPTION_ENUM] = "WORD", [OPTION_SIZE] = "SIZE",
        [OPTION_DURATION] = "TIME",
    };
    assert(def->name);
    if (def->arg) {
        buf_puts(out, def->arg);
    } else if (def->type == OPTION_ENUM && def->choices) {
        for (const char *const *c = def->choices; *c; c++)
            buf_printf(out, "%s%s", c == def->choices ? "" : "|", *c);
    } else {
        buf_puts(out, by_type[def->type]);
    }
}

static void put_name(const struct option_def *def, struct buf *out)
{
    if (def->letter)
        buf_printf(out, "  -%c, --", def->letter);
    else
        buf_puts(out, "      --");
    for (const char *p = def->name; *p; p++)
        buf_putc(out, *p == '_' ? '-' : *p);
    size_t before = out->size;
    buf_putc(out, ' ');
    option_help_arg(def, out);
    if (out->size == before + 1)
        out->size = before; /* a flag takes nothing */
}

static void pad_to(struct buf *out, unsigned at, unsigned column)
{
    for (; at < column; at++)
        buf_putc(out, ' ');
}

void option_help_wrap(struct buf *out, const char *text, unsigned at, unsigned indent,
                      unsigned width)
{
    bool line_empty = true;
    while (*text) {
        size_t n = strcspn(text, " \n");
        unsigned columns = (unsigned)utf8_width(text, n);
        if (!line_empty && at + 1 + columns > width) {
            buf_putc(out, '\n');
            pad_to(out, 0, indent);
            at = indent;
            line_empty = true;
        }
        if (!line_empty && n) {
            buf_putc(out, ' ');
            at++;
        }
        buf_put(out, text, n);
        at += columns;
        line_empty = line_empty && n == 0;
        text += n + (text[n] != 0);
    }
}

/* The help line with what else there is to know about the option. */
static void put_help(const struct option_def *def, struct buf *text)
{
    buf_puts(text, def->help ? def->help : "");
    if (def->type == OPTION_ENUM && def->choices && def->arg) {
        buf_puts(text, ": ");
        for (const char *const *c = def->choices; *c; c++)
            buf_printf(text, "%s%s", c == def->choices ? "" : ", ", *c);
    }
    bool off = def->type == OPTION_BOOL && def->fallback && strcmp(def->fallback, "false") == 0;
    if (def->fallback && def->fallback[0] && !off && !def->secret)
        buf_printf(text, " (default: %s)", def->fallback);
}

/* Starts the scratch anew; that it had failed is passed on, not forgotten. */
static void restart(struct buf *scratch, struct buf *out)
{
    if (scratch->failed)
        out->failed = true;
    buf_clear(scratch);
}

static unsigned name_column(const struct option_def *defs, struct buf *scratch, struct buf *out)
{
    unsigned widest = 0;
    for (; defs->name; defs++) {
        restart(scratch, out);
        put_name(defs, scratch);
        unsigned width = (unsigned)utf8_width(scratch->data, scratch->size);
        if (width > widest && width <= NAME_COLUMN_MAX)
            widest = width;
    }
    return widest;
}

void option_help(const struct option_def *defs, unsigned width, struct buf *out)
{
    struct buf text;
    width = width == 0 ? WIDTH_DEFAULT : width < WIDTH_MIN ? WIDTH_MIN : width;
    buf_init(&text);
    unsigned indent = name_column(defs, &text, out) + GAP;
    for (; defs->name; defs++) {
        restart(&text, out);
        put_name(defs, &text);
        unsigned at = (unsigned)utf8_width(text.data, text.size);
        buf_put(out, text.data, text.size);
        if (at + GAP > indent) {
            buf_putc(out, '\n');
            at = 0;
        }
        pad_to(out, at, indent);
        restart(&text, out);
        put_help(defs, &text);
        option_help_wrap(out, buf_cstr(&text), indent, indent, width);
        buf_putc(out, '\n');
    }
    restart(&text, out);
    buf_done(&text);
}
