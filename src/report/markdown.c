/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as a piece of Markdown that a release note or an issue can hold or
 * link to: what was recorded, of which commit, and the text as it is in a
 * terminal, fenced so that nothing in it is taken for markup. Pure.
 */
#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "report/report.h"
#include "report/state.h"

/* A code span in a list. What would end it is shown as a quote. */
static void put_fact(const struct report *r, const char *name, const char *key, struct buf *out)
{
    struct model_str value = model_catalog_resource(r->catalog, key);
    if (value.n == 0)
        return;
    buf_printf(out, "- %s: `", name);
    for (uint32_t i = 0; i < value.n; i++)
        buf_putc(out, value.p[i] == '`'                 ? '\''
                      : (unsigned char)value.p[i] < ' ' ? ' '
                                                        : value.p[i]);
    buf_puts(out, "`");
    if (strcmp(key, "vcs.ref.head.revision") == 0 &&
        model_str_equal(model_catalog_resource(r->catalog, "oriel.vcs.dirty"), MODEL_STR("true")))
        buf_puts(out, ", with changes");
    buf_putc(out, '\n');
}

static void put_time(uint64_t unix_ns, struct buf *out)
{
    time_t seconds = (time_t)(unix_ns / 1000000000u);
    struct tm when;
    char text[32];
    if (unix_ns && gmtime_r(&seconds, &when) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &when) > 0)
        buf_printf(out, "- recorded: %s\n", text);
}

/* More backticks than the text has in a row, at least three. */
static unsigned fence_of(const struct buf *text)
{
    unsigned longest = 2, now = 0;
    for (size_t i = 0; i < text->size; i++) {
        now = text->data[i] == '`' ? now + 1 : 0;
        longest = now > longest ? now : longest;
    }
    return longest + 1;
}

int report_markdown(struct report *r, const struct report_facts *facts, struct buf *out)
{
    struct buf text;
    struct model_str name = model_catalog_resource(r->catalog, "service.name");
    assert(out);
    buf_init(&text);
    int rc = report_text(r, facts, &text);
    unsigned fence = fence_of(&text);
    buf_puts(out, "### Profile");
    if (name.n) {
        buf_puts(out, " of `");
        for (uint32_t i = 0; i < name.n; i++)
            buf_putc(out, name.p[i] == '`' || (unsigned char)name.p[i] < ' ' ? '\'' : name.p[i]);
        buf_putc(out, '`');
    }
    buf_puts(out, "\n\n");
    put_time(r->catalog->start_ns, out);
    put_fact(r, "command", "process.command_args", out);
    put_fact(r, "commit", "vcs.ref.head.revision", out);
    put_fact(r, "compiler", "oriel.build.compiler", out);
    put_fact(r, "host", "host.name", out);
    put_fact(r, "processor", "host.cpu.model.name", out);
    buf_putc(out, '\n');
    for (unsigned i = 0; i < fence; i++)
        buf_putc(out, '`');
    buf_puts(out, "text\n");
    buf_put(out, text.data, text.size);
    for (unsigned i = 0; i < fence; i++)
        buf_putc(out, '`');
    buf_putc(out, '\n');
    bool failed = text.failed || out->failed;
    buf_done(&text);
    return rc < 0 ? rc : failed ? ORIEL_ENOMEM : 0;
}
