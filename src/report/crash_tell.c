/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The crash section: what ended whom, the spans the thread was in with their
 * lines, the last things it did. The same as JSON, and as one line for the end
 * of a recording.
 */
#include "report/crash_tell.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "report/render.h"
#include "util/num.h"
#include "util/utf8.h"

enum { STACK_MAX = 64, LINE_EVENTS = 3 };

static struct model_str name_of(const struct model_site *site)
{
    return site ? site->name : MODEL_STR("(unknown)");
}

static struct model_str text_of(const struct crash_act *a)
{
    return a->text_n ? (struct model_str){a->text, a->text_n} : name_of(a->site);
}

/* "SIGSEGV (address not mapped) at address 0x0 in thread worker-3" */
static void put_what(struct buf *out, const struct crash *c)
{
    char address[19];
    utf8_printable(out, c->signal, strlen(c->signal));
    if (c->reason[0]) {
        buf_puts(out, " (");
        utf8_printable(out, c->reason, strlen(c->reason));
        buf_putc(out, ')');
    }
    if (c->has_address) {
        report_pointer_text(address, c->address);
        buf_printf(out, " at address %s", address);
    }
    if (!c->thread)
        return;
    buf_puts(out, " in thread ");
    if (c->thread->name.n)
        utf8_printable(out, c->thread->name.p, c->thread->name.n);
    else
        buf_printf(out, "%d", c->thread->tid);
}

/* ---- for a terminal ---- */

static void put_head(const struct report *r, const struct crash *c, struct buf *out)
{
    struct buf what;
    char at[NUM_TEXT_MAX];
    buf_init(&what);
    put_what(&what, c);
    if (c->t_ns)
        buf_printf(&what, ", %s after the start", num_duration(at, report_offset(r, c->t_ns)));
    if (c->handled)
        buf_puts(&what, "; the program's own handler was called");
    out->failed |= what.failed;
    sheet_title(r, out, "crash");
    sheet_line(r, out, TABLE_RED, "  %.*s", (int)what.size, what.data ? what.data : "");
    if (!c->thread)
        sheet_line(r, out, TABLE_DIM,
                   "  which thread it was is not known: no handler ran (docs/CRASH.md)");
    buf_done(&what);
}

static void put_stack(const struct report *r, const struct crash *c, struct buf *out)
{
    static const struct sheet_column columns[] = {{"open span", TABLE_TEXT, 0, 24},
                                                  {"source", TABLE_TEXT, 0, 12},
                                                  {"open for", TABLE_NUMBER, 1, 0}};
    const struct crash_open *stack[STACK_MAX];
    struct sheet s;
    uint32_t n = crash_stack(&r->crashes, c, stack, STACK_MAX);
    if (n == 0)
        return;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < n; i++) {
        struct buf text;
        uint64_t end = c->t_ns ? c->t_ns : r->last_ns;
        buf_init(&text);
        for (uint32_t k = 0; k < 2 * i && k < r->options.width / 4; k++)
            buf_putc(&text, ' ');
        buf_put(&text, name_of(stack[i]->site).p, name_of(stack[i]->site).n);
        out->failed |= text.failed;
        sheet_cell(&s, (struct model_str){text.data, (uint32_t)text.size}, TABLE_PLAIN);
        buf_done(&text);
        sheet_source(&s, stack[i]->site);
        sheet_ns(&s, end > stack[i]->start_ns ? end - stack[i]->start_ns : 0);
    }
    sheet_put(&s, r, out);
}

static void put_last(const struct report *r, const struct crash *c, struct buf *out)
{
    static const struct sheet_column columns[] = {{"at", TABLE_NUMBER, 0, 0},
                                                  {"level", TABLE_TEXT, 2, 5},
                                                  {"last it did", TABLE_TEXT, 0, 24},
                                                  {"took", TABLE_NUMBER, 3, 0},
                                                  {"source", TABLE_TEXT, 1, 12}};
    struct sheet s;
    if (c->last_count == 0)
        return;
    buf_putc(out, '\n');
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < c->last_count; i++) {
        const struct crash_act *a = &c->last[i];
        sheet_ns(&s, report_offset(r, a->t_ns));
        sheet_text(&s, a->is_span ? "span" : model_level_text(a->site ? a->site->level : 0));
        sheet_cell(&s, text_of(a), TABLE_PLAIN);
        if (a->is_span)
            sheet_ns(&s, a->duration_ns);
        else
            sheet_none(&s);
        sheet_source(&s, a->site);
    }
    sheet_put(&s, r, out);
}

void report_text_crashes(const struct report *r, struct buf *out)
{
    for (size_t i = 0; i < r->crashes.items.count; i++) {
        const struct crash *c = r->crashes.items.items[i];
        if (!crash_ended_something(c, r->catalog))
            continue;
        put_head(r, c, out);
        put_stack(r, c, out);
        put_last(r, c, out);
    }
}

/* ---- one line ---- */

static void put_source(struct buf *out, const struct model_site *site)
{
    if (!site || !site->file.n)
        return;
    const char *slash = memrchr(site->file.p, '/', site->file.n);
    const char *file = slash ? slash + 1 : site->file.p;
    buf_puts(out, " (");
    utf8_printable(out, file, (size_t)(site->file.p + site->file.n - file));
    buf_printf(out, ":%u)", site->line);
}

static void put_line(const struct report *r, const struct crash *c, struct buf *out)
{
    const struct crash_open *stack[STACK_MAX];
    uint32_t n = crash_stack(&r->crashes, c, stack, STACK_MAX), said = 0;
    put_what(out, c);
    if (n) {
        buf_puts(out, ", in span ");
        utf8_printable(out, name_of(stack[n - 1]->site).p, name_of(stack[n - 1]->site).n);
        put_source(out, stack[n - 1]->site);
    }
    for (uint32_t i = c->last_count; i > 0 && said < LINE_EVENTS; i--) {
        const struct crash_act *a = &c->last[i - 1];
        if (a->is_span)
            continue;
        buf_puts(out, said++ ? ", before that " : "; last event ");
        utf8_printable(out, text_of(a).p, text_of(a).n);
        if (said == 1)
            put_source(out, a->site);
    }
}

int report_crash(struct report *r, struct buf *out)
{
    int settled = report_settle(r);
    assert(out);
    for (size_t i = 0; i < r->crashes.items.count; i++) {
        const struct crash *c = r->crashes.items.items[i];
        if (!crash_ended_something(c, r->catalog))
            continue;
        put_line(r, c, out);
        break;
    }
    return settled == 0 && out->failed ? ORIEL_ENOMEM : settled;
}

/* ---- JSON ---- */

static void json_site(struct json *j, const struct model_site *site)
{
    report_json_str(j, "name", name_of(site));
    report_json_str(j, "file", site ? site->file : MODEL_STR(""));
    json_pair_u64(j, "line", site ? site->line : 0);
}

static void json_stack(struct json *j, const struct report *r, const struct crash *c)
{
    const struct crash_open *stack[STACK_MAX];
    uint32_t n = crash_stack(&r->crashes, c, stack, STACK_MAX);
    json_key(j, "open_spans");
    json_array(j);
    for (uint32_t i = 0; i < n; i++) {
        json_object(j);
        json_site(j, stack[i]->site);
        json_pair_u64(j, "offset_ns", report_offset(r, stack[i]->start_ns));
        json_object_end(j);
    }
    json_array_end(j);
}

static void json_last(struct json *j, const struct report *r, const struct crash *c)
{
    json_key(j, "last");
    json_array(j);
    for (uint32_t i = 0; i < c->last_count; i++) {
        const struct crash_act *a = &c->last[i];
        json_object(j);
        json_key(j, "kind");
        json_string(j, a->is_span ? "span" : "event");
        json_site(j, a->site);
        report_json_str(j, "message", text_of(a));
        json_pair_u64(j, "offset_ns", report_offset(r, a->t_ns));
        json_pair_u64(j, "duration_ns", a->duration_ns);
        json_object_end(j);
    }
    json_array_end(j);
}

static void json_pointer(struct json *j, const char *key, bool known, uint64_t p)
{
    char text[19];
    report_pointer_text(text, p);
    json_key(j, key);
    json_string(j, known ? text : NULL);
}

static void json_crash(struct json *j, const struct report *r, const struct crash *c)
{
    json_object(j);
    json_key(j, "signal");
    json_string(j, c->signal);
    json_key(j, "reason");
    json_string(j, c->reason[0] ? c->reason : NULL);
    json_key(j, "code");
    json_i64(j, c->code);
    json_pointer(j, "address", c->has_address, c->address);
    json_pointer(j, "code_address", c->ip != 0, c->ip);
    json_key(j, "handled");
    json_bool(j, c->handled);
    json_key(j, "offset_ns");
    if (c->t_ns)
        json_u64(j, report_offset(r, c->t_ns));
    else
        json_null(j);
    json_key(j, "thread");
    if (c->thread) {
        json_object(j);
        json_key(j, "tid");
        json_i64(j, c->thread->tid);
        report_json_str(j, "name", c->thread->name);
        json_object_end(j);
    } else {
        json_null(j);
    }
    json_stack(j, r, c);
    json_last(j, r, c);
    json_object_end(j);
}

void report_json_crashes(struct json *j, const struct report *r)
{
    bool any = false;
    for (size_t i = 0; i < r->crashes.items.count; i++) {
        const struct crash *c = r->crashes.items.items[i];
        if (!crash_ended_something(c, r->catalog))
            continue;
        if (!any) {
            json_key(j, "crashes");
            json_array(j);
        }
        any = true;
        json_crash(j, r, c);
    }
    if (any)
        json_array_end(j);
}
