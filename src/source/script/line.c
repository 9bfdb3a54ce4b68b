/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The lines of `perf script`:
 *
 *   comm  pid/tid [cpu] seconds.micros:  period event:     pid, cpu and period
 *         7f12 function+0x12 (/lib/x.so)                   may be missing
 *         inlined_function (inlined)
 *
 * A comm may hold anything but a line's end, so the time is what is looked
 * for. Pure.
 */
#include <string.h>

#include "source/script/script.h"
#include "util/num.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static struct model_str trim(struct model_str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The next word of `s`, which becomes what is behind it. */
static struct model_str first_word(struct model_str *s)
{
    *s = trim(*s);
    struct model_str word = {s->p, 0};
    while (word.n < s->n && s->p[word.n] != ' ' && s->p[word.n] != '\t')
        word.n++;
    s->p += word.n;
    s->n -= word.n;
    return word;
}

static struct model_str last_word(struct model_str *s)
{
    *s = trim(*s);
    uint32_t n = 0;
    while (n < s->n && s->p[s->n - 1 - n] != ' ' && s->p[s->n - 1 - n] != '\t')
        n++;
    s->n -= n;
    return (struct model_str){s->p + s->n, n};
}

/* "12345.678901:" in ns. */
static bool read_time(struct model_str word, uint64_t *out)
{
    const char *dot = word.n > 3 ? memchr(word.p, '.', word.n) : NULL;
    uint64_t seconds, fraction, scale = 1000000000u;
    if (!dot || word.p[word.n - 1] != ':' || !is_digit(word.p[0]))
        return false;
    size_t digits = (size_t)(word.p + word.n - 1 - (dot + 1));
    if (digits == 0 || digits > 9 || num_parse_u64(word.p, (size_t)(dot - word.p), &seconds) < 0 ||
        num_parse_u64(dot + 1, digits, &fraction) < 0 || seconds > UINT64_MAX / 2000000000u)
        return false;
    for (size_t i = 0; i < digits; i++)
        scale /= 10;
    *out = seconds * 1000000000u + fraction * scale;
    return true;
}

static bool read_ids(struct model_str word, struct script_head *out)
{
    const char *slash = word.n ? memchr(word.p, '/', word.n) : NULL;
    int64_t pid, tid;
    size_t first = slash ? (size_t)(slash - word.p) : word.n;
    if (num_parse_i64(word.p, first, &pid) < 0)
        return false;
    tid = pid;
    if (slash && num_parse_i64(slash + 1, word.n - first - 1, &tid) < 0)
        return false;
    if (pid < -1 || pid > INT32_MAX || tid < -1 || tid > INT32_MAX)
        return false;
    out->pid = (int32_t)pid;
    out->tid = (int32_t)tid;
    return true;
}

/* Behind the time: an optional number, then the event's name and a colon. */
static bool read_event(struct model_str rest, struct script_head *out)
{
    struct model_str word = first_word(&rest);
    out->period = 1;
    if (num_parse_u64(word.p, word.n, &out->period) == 0)
        word = first_word(&rest);
    if (word.n < 2 || word.p[word.n - 1] != ':')
        return false;
    out->event = (struct model_str){word.p, word.n - 1};
    out->rest = trim(rest);
    return true;
}

bool script_read_head(struct model_str line, struct script_head *out)
{
    memset(out, 0, sizeof *out);
    if (!line.n || line.p[0] == ' ' || line.p[0] == '\t' || line.p[0] == '#')
        return false;
    struct model_str rest = line;
    while (rest.n) {
        struct model_str word = first_word(&rest), before = {line.p, 0};
        if (!word.n || !read_time(word, &out->t_ns))
            continue;
        before.n = (uint32_t)(word.p - line.p);
        struct model_str ids = last_word(&before);
        if (ids.n > 2 && ids.p[0] == '[')
            ids = last_word(&before);
        if (!read_ids(ids, out) || !read_event(rest, out))
            continue;
        out->comm = trim(before);
        return true;
    }
    return false;
}

/* "name+0x12" without what is added. */
static struct model_str without_offset(struct model_str s)
{
    const char *plus = s.n ? memrchr(s.p, '+', s.n) : NULL;
    if (plus && (size_t)(s.p + s.n - plus) > 3 && plus[1] == '0' && plus[2] == 'x')
        s.n = (uint32_t)(plus - s.p);
    return s;
}

/* The module in brackets at the end; names may hold brackets too. */
static bool cut_module(struct model_str *s, struct model_str *module)
{
    *s = trim(*s);
    if (s->n < 2 || s->p[s->n - 1] != ')')
        return false;
    uint32_t open = s->n - 1, depth = 0;
    for (;; open--) {
        depth += s->p[open] == ')';
        depth -= s->p[open] == '(';
        if (depth == 0)
            break;
        if (open == 0)
            return false;
    }
    *module = (struct model_str){s->p + open + 1, s->n - open - 2};
    s->n = open;
    *s = trim(*s);
    return true;
}

static bool starts(struct model_str s, const char *with)
{
    size_t n = strlen(with);
    return s.n >= n && memcmp(s.p, with, n) == 0;
}

bool script_read_frame(struct model_str line, struct script_frame *out)
{
    memset(out, 0, sizeof *out);
    struct model_str s = line;
    if (!cut_module(&s, &out->module))
        return false;
    out->inlined = model_str_equal(out->module, MODEL_STR("inlined"));
    struct model_str rest = s, address = first_word(&rest);
    bool hex = address.n > 0;
    for (uint32_t i = 0; i < address.n; i++)
        hex = hex && is_hex(address.p[i]);
    rest = trim(rest);
    if (hex && (rest.n || !out->inlined)) /* "add" alone may be a name */
        s = rest;
    else if (!out->inlined)
        return false;
    out->name = without_offset(s);
    if (model_str_equal(out->name, MODEL_STR("[unknown]")))
        out->name.n = 0;
    out->kernel = starts(out->module, "[kernel") || starts(out->module, "[guest.kernel") ||
                  starts(out->module, "[bpf]") ||
                  (out->module.n > 2 && out->module.p[0] == '[' && !starts(out->module, "[vdso") &&
                   !starts(out->module, "[unknown") && !starts(out->module, "[stack") &&
                   !starts(out->module, "[heap") && !starts(out->module, "[vsyscall"));
    return true;
}
