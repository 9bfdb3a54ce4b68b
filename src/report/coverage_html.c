/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coverage as one page that needs nothing else, no script either: the files as
 * a table, each one unfolding to its source.
 */
#include <assert.h>

#include "report/coverage.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>coverage</title>\n<style>\n"
    ":root{color-scheme:light dark;--red:#fdd;--some:#ffefc2;--dim:#777;--bar:#2a2}\n"
    "@media(prefers-color-scheme:dark){:root{--red:#5a1f24;--some:#54431a;--dim:#999;--bar:#3b3}}\n"
    "body{font:14px/1.5 system-ui,sans-serif;margin:1.5em auto;max-width:80em;padding:0 1em}\n"
    "summary,.top{display:grid;grid-template-columns:1fr 9em 7em 9em 9em;gap:1em;cursor:pointer;"
    "padding:.15em 0;border-top:1px solid #8884}\n.top{font-weight:600;cursor:default;border:0}\n"
    "b{font-weight:400;text-align:right;font-variant-numeric:tabular-nums}.top b{font-weight:600}\n"
    "meter{width:100%}pre{margin:.5em 0 1.5em;overflow-x:auto;font:13px/1.45 "
    "ui-monospace,monospace;"
    "tab-size:4}\ni{font-style:normal;color:var(--dim)}u{text-decoration:none;background:var(--red)"
    "}\n"
    "s{text-decoration:none;background:var(--some)}\n</style></head><body>\n<h1>Coverage</h1>\n";

/* Control characters and bytes that are no UTF-8 do no harm here: browsers show a mark. */
static void put_escaped(struct buf *out, struct model_str s)
{
    for (uint32_t i = 0; i < s.n; i++) {
        char byte = s.p[i];
        if (byte == '<')
            buf_puts(out, "&lt;");
        else if (byte == '&')
            buf_puts(out, "&amp;");
        else if (byte == '"')
            buf_puts(out, "&quot;");
        else if (byte != 0 && byte != '\r')
            buf_putc(out, byte);
    }
}

static void put_part(struct buf *out, uint64_t hit, uint64_t all)
{
    if (all)
        buf_printf(out, "<b>%.1f %% <i>%llu/%llu</i></b>", 100.0 * (double)hit / (double)all,
                   (unsigned long long)hit, (unsigned long long)all);
    else
        buf_puts(out, "<b></b>");
}

static void put_sum(struct buf *out, const struct coverage_sum *s)
{
    buf_printf(out, "<meter min=\"0\" max=\"%llu\" value=\"%llu\"></meter>",
               (unsigned long long)(s->lines ? s->lines : 1), (unsigned long long)s->lines_hit);
    put_part(out, s->lines_hit, s->lines);
    put_part(out, s->functions_hit, s->functions);
    put_part(out, s->branches_hit, s->branches);
}

static void put_count(struct buf *out, const struct coverage *c, const struct coverage_line *l)
{
    if (!l)
        buf_puts(out, "            ");
    else if (c->reached_only)
        buf_printf(out, "%11s ", l->count ? "+" : "-");
    else
        buf_printf(out, "%11llu ", (unsigned long long)l->count);
}

static void put_line(struct buf *out, const struct coverage *c, const struct coverage_file *f,
                     uint32_t line, struct model_str text)
{
    const struct coverage_line *l = coverage_find_line(f, line);
    uint32_t taken, all;
    bool some = l && l->count && coverage_line_branches(f, line, &taken, &all) && taken < all;
    const char *tag = l && !l->count ? "u" : some ? "s" : NULL;
    buf_puts(out, "<i>");
    put_count(out, c, l);
    buf_printf(out, "%6u </i>", line);
    if (tag)
        buf_printf(out, "<%s>", tag);
    put_escaped(out, text);
    if (tag)
        buf_printf(out, "</%s>", tag);
    if (some)
        buf_printf(out, " <i>%u of %u branches</i>", taken, all);
    buf_putc(out, '\n');
}

static void put_source(struct buf *out, const struct coverage *c, const struct coverage_file *f,
                       const struct coverage_view *v)
{
    struct model_str path = coverage_string(c, f->name), text;
    buf_puts(out, "<pre>");
    for (uint32_t line = 1; v->line && line <= COVERAGE_LINE_MAX; line++) {
        if (!v->line(v->user, path, line, &text))
            break;
        put_line(out, c, f, line, text);
    }
    buf_puts(out, "</pre>");
}

void coverage_html(const struct coverage *c, const struct coverage_view *v, struct buf *out)
{
    struct coverage_sum all = coverage_sum_all(c);
    assert(c->finished);
    buf_puts(out, head);
    buf_puts(out, "<div class=\"top\"><span>file</span><span></span><b>lines</b><b>functions</b>"
                  "<b>branches</b></div>\n<div class=\"top\"><span>all</span>");
    put_sum(out, &all);
    buf_puts(out, "</div>\n");
    for (size_t i = 0; i < c->files.count; i++) {
        const struct coverage_file *f = &c->files.items[i];
        struct coverage_sum s = coverage_sum_file(f);
        buf_puts(out, "<details><summary><span>");
        put_escaped(out, coverage_path(v, coverage_string(c, f->name)));
        buf_puts(out, "</span>");
        put_sum(out, &s);
        buf_puts(out, "</summary>");
        put_source(out, c, f, v);
        buf_puts(out, "</details>\n");
    }
    buf_puts(out, "</body></html>\n");
}
