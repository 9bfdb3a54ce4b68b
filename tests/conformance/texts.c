/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Texts that break careless writers: every control character, every way in
 * which bytes can fail to be UTF-8, and what JSON, protobuf, terminals, logs,
 * spreadsheets, folded stacks and templates take for their own.
 */
#include <stdlib.h>
#include <string.h>

#include "fixtures.h"

#define T(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

const struct model_str nasty_texts[] = {
    T(""),
    T(" "),
    T("  two  spaces  "),
    T("\t"),
    T("\n"),
    T("\r\n"),
    T("line one\nline two\n"),
    /* quotes, escapes, and JSON */
    T("\""),
    T("\\"),
    T("\\\""),
    T("\"\\"),
    T("\\\\"),
    T("\\n"),
    T("\\u0000"),
    T("\\x1b"),
    T("/"),
    T("\",\"injected\":\"yes"),
    T("\"}],\"x\":[{\""),
    T("{\"a\":1}"),
    T("[1,2]"),
    T("null"),
    T("true"),
    T("-0"),
    T("NaN"),
    T("1e999"),
    T("\xef\xbb\xbf{}"),
    T("// comment"),
    T("/* x */"),
    /* NUL */
    T("\0"),
    T("\0\0\0"),
    T("before\0after"),
    T("ends with\0"),
    T("\0starts"),
    /* not UTF-8 */
    T("\x80"),
    T("\xbf"),
    T("\xff"),
    T("\xfe\xff"),
    T("\xc0\x80"),
    T("\xc1\xbf"),
    T("\xc2"),
    T("\xc2 "),
    T("a\xe2"),
    T("a\xe2\x82"),
    T("\xe2\x82z"),
    T("\xe0\x80\x80"),
    T("\xe0\x9f\xbf"),
    T("\xed\xa0\x80"),
    T("\xed\xbf\xbf"),
    T("x\xed\xa0\xbd\xed\xb8\x80y"),
    T("\xf0\x9f"),
    T("\xf0\x9f\x98"),
    T("\xf0\x80\x80\x80"),
    T("\xf0\x8f\xbf\xbf"),
    T("\xf4\x90\x80\x80"),
    T("\xf5\x80\x80\x80"),
    T("\xf8\x88\x80\x80\x80"),
    T("\xfc\x84\x80\x80\x80\x80"),
    T("\xc3\xa9\xc3"),
    T("\xe9t\xe9"),
    T("caf\xe9"),
    T("\x80\x80\x80\x80\x80\x80\x80\x80\x80"),
    T("abcdefg\xff"),
    T("abcdefgh\xff"),
    T("abcdefghi\xff"),
    T("\xf1\x80\x80\xc0"),
    /* UTF-8 that is more than it seems */
    T("\xc3\xa9"),
    T("e\xcc\x81"),
    T("\xf0\x9f\x98\x80"),
    T("\xe2\x82\xac"),
    T("\xef\xbf\xbd"),
    T("\xef\xbf\xbe"),
    T("\xef\xbf\xbf"),
    T("\xf4\x8f\xbf\xbf"),
    T("\xed\x9f\xbf"),
    T("\xee\x80\x80"),
    T("\xef\xbb\xbf"),
    T("\xe2\x80\xa8"),
    T("\xe2\x80\xa9"),
    T("\xc2\x85"),
    T("\xc2\xa0"),
    T("\xc2\xad"),
    T("\xe2\x80\x8b"),
    T("\xe2\x80\x8d"),
    T("\xe2\x81\xa0"),
    T("\xe2\x80\xaegpj.exe"),
    T("\xe2\x81\xa6x\xe2\x81\xa9"),
    T("\xe2\x80\x8fx"),
    T("\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85"),
    T("\xe4\xb8\xad\xe6\x96\x87"),
    T("\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"),
    T("\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa"),
    T("Z\xcd\xa7\xcc\x91\xcc\x93\xcc\xa4"),
    T("\xe2\x90\x80"),
    /* terminals and logs */
    T("\x1b[31mred\x1b[0m"),
    T("\x1b]0;title\a"),
    T("\x1b]8;;http://x\x1b\\link"),
    T("\x1b[2J"),
    T("\x9b"
      "31m"),
    T("\xc2\x9b"
      "31m"),
    T("\b\b\b"),
    T("\r overwritten"),
    T("\x7f"),
    T("\a"),
    T("2026-01-01T00:00:00Z ERROR forged: line"),
    T("x\n2026-01-01T00:00:00Z ERROR forged: line"),
    T("key=value"),
    T("a=b c=\"d\""),
    T("trace_id=00000000000000000000000000000000"),
    T("="),
    T("%s%n%x"),
    T("%"),
    T("{}"),
    T("{0}"),
    T("${HOME}"),
    T("$(reboot)"),
    T("`id`"),
    /* markup, spreadsheets, stacks, metrics, queries */
    T("<script>alert(1)</script>"),
    T("</script>"),
    T("<!--"),
    T("]]>"),
    T("&amp;"),
    T("'"),
    T("=1+1"),
    T("+1"),
    T("@SUM(A1)"),
    T("a;b;c 12"),
    T("a{b=\"c\"} 1"),
    T("# HELP x y"),
    T("'; DROP TABLE spans; --"),
    T("../../etc/passwd"),
    T("C:\\temp\\new"),
    T("http://u:p@h/?q=1#f"),
    T("a.b.c"),
    T("a[0]"),
    T("a[0].b"),
    T("."),
    T(".."),
    T("debug."),
    T("args."),
    T("_"),
    T("trace_id"),
    T("span_id"),
    T("name"),
    T("ts"),
    T("__proto__"),
    T("constructor"),
    T("id"),
    T("level"),
    T("message"),
    T("src"),
    T("links"),
    T("parent_span_id"),
    T("oriel.unfinished"),
    T("fields"),
    T("timestamp"),
    T("duration_ms"),
};
const unsigned nasty_text_count = sizeof nasty_texts / sizeof *nasty_texts;

enum { CONTROLS = 34, LONG = 6, RANDOM = 60 };

unsigned nasty_total(void)
{
    return nasty_text_count + CONTROLS + LONG + RANDOM;
}

static char *room(struct arena *a, size_t n)
{
    char *p = arena_alloc(a, n + 1, 1);
    if (!p)
        abort();
    return p;
}

/* Every control character, one at a time, inside a text. */
static struct model_str control(struct arena *a, unsigned i)
{
    char *p = room(a, 3);
    p[0] = 'a';
    p[1] = i < 32 ? (char)i : i == 32 ? 0x7f : (char)0x80;
    p[2] = 'z';
    return (struct model_str){p, 3};
}

/* Lengths around the steps in which writers copy, with something at the end. */
static struct model_str long_text(struct arena *a, unsigned i)
{
    static const uint32_t lengths[LONG] = {127, 128, 4095, 4096, 4097, 20000};
    char *p = room(a, lengths[i]);
    memset(p, 'x', lengths[i]);
    p[lengths[i] - 1] = '"';
    p[lengths[i] / 2] = '\n';
    return (struct model_str){p, lengths[i]};
}

/* Bytes without a plan, the same ones every time. */
static struct model_str random_text(struct arena *a, unsigned i)
{
    uint32_t n = i % 41, state = 2463534242u + i * 2654435761u;
    char *p = room(a, n);
    for (uint32_t k = 0; k < n; k++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        p[k] = (char)(state >> 9);
    }
    return (struct model_str){p, n};
}

struct model_str nasty_text(struct arena *a, unsigned i)
{
    if (i < nasty_text_count)
        return nasty_texts[i];
    i -= nasty_text_count;
    if (i < CONTROLS)
        return control(a, i);
    i -= CONTROLS;
    return i < LONG ? long_text(a, i) : random_text(a, i - LONG);
}
