/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Chrome Trace Event JSON: the file. After every flush it is complete JSON:
 * the end is written too, and taken back before the next batch. Where the
 * output cannot seek (a pipe) the end comes at close only; the array form is
 * then readable at any cut all the same, the format allows its bracket to be
 * missing. A write that fails is taken back, so a full disk leaves a valid file
 * too. Times are microseconds with three digits, counted from the start of the
 * recording: viewers read them as doubles, which hold no nanoseconds of 1970's
 * count. Runs on one thread.
 */
#include "export/chrome/chrome.h"

#include <assert.h>
#include <stddef.h>

#include "util/json.h"

enum { WRITE_BYTES = 256 * 1024 };

static const char *const form_choices[] = {"array", "object", NULL};

static const struct option_def chrome_option_defs[] = {
    {.name = "form",
     .type = OPTION_ENUM,
     .offset = offsetof(struct chrome_options, form),
     .fallback = "array",
     .choices = form_choices,
     .help = "array of events, or object that carries metadata as well"},
    {.name = "ids",
     .type = OPTION_BOOL,
     .offset = offsetof(struct chrome_options, ids),
     .fallback = "true",
     .help = "put trace, span and parent id into the args of every event"},
    {.name = "source",
     .type = OPTION_BOOL,
     .offset = offsetof(struct chrome_options, source),
     .fallback = "true",
     .help = "put file and line of the call site into the args"},
    OPTION_END,
};

static int chrome_open(void *state, const void *options, const struct export_env *env,
                       struct oriel_err *err)
{
    struct chrome *c = state;
    (void)err;
    assert(env->catalog && env->out);
    c->options = *(const struct chrome_options *)options;
    c->env = *env;
    buf_init(&c->buf);
    buf_init(&c->renamed_head);
    chrome_names_init(c);
    export_flows_init(&c->flows);
    for (unsigned i = 0; i < 1000; i++) {
        c->fractions[i][0] = '.';
        num_put_padded(c->fractions[i] + 1, i, 3);
    }
    return 0;
}

static void earliest(uint64_t *t, uint64_t candidate)
{
    if (candidate && candidate < *t)
        *t = candidate;
}

/* Nothing may begin before time 0: the start of the recording, or what the
 * first batch says began earlier. */
static uint64_t choose_base(const struct model_catalog *catalog, const struct model_batch *first)
{
    uint64_t t = catalog->start_ns ? catalog->start_ns : UINT64_MAX;
    for (size_t i = 0; first && i < first->item_count; i++) {
        const struct model_item *item = &first->items[i];
        earliest(&t, item->kind == MODEL_ITEM_SPAN ? item->u.span.start_ns : item->t_ns);
    }
    return t == UINT64_MAX ? 0 : t;
}

static void begin(struct chrome *c, const struct model_batch *first)
{
    if (c->begun)
        return;
    c->begun = true;
    c->base_ns = choose_base(c->env.catalog, first);
    if (c->options.form == CHROME_OBJECT)
        JSON_PUT(&c->buf, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    else
        JSON_PUT(&c->buf, "[\n");
    chrome_put_session(c);
}

static void put_tail(struct chrome *c, const struct export_summary *end)
{
    JSON_PUT(&c->buf, "\n]");
    if (c->options.form == CHROME_OBJECT) {
        JSON_PUT(&c->buf, ",\"metadata\":");
        chrome_put_metadata(c, end);
        JSON_PUT(&c->buf, "}");
    }
    JSON_PUT(&c->buf, "\n");
}

static int fail(struct chrome *c, int code, struct oriel_err *err)
{
    const char *path = c->env.out->path;
    return err_set(err, code, "%s: writing the Chrome trace: %s", *path ? path : "memory",
                   err_text(code));
}

/* Appends what closes the file for now and says how long it is. */
static size_t add_tail(struct chrome *c, const struct export_summary *end)
{
    const size_t before = c->buf.size;
    put_tail(c, end);
    return c->buf.size - before;
}

/* Something did not fit: what is there is closed, so that it can be read; without what a tail has
 * to say, if need be. A file with nothing in it gets its head, if there is room for that. */
static void close_again(struct chrome *c, const struct export_summary *end)
{
    struct out *out = c->env.out;
    const uint64_t keep = out->bytes;
    c->begun = keep > 0;
    for (int bare = 0; bare < 2 && !c->tail; bare++) {
        begin(c, NULL);
        const size_t before = c->buf.size;
        if (bare)
            buf_puts(&c->buf, c->options.form == CHROME_OBJECT ? "\n]}\n" : "\n]\n");
        else
            put_tail(c, end);
        const size_t tail = c->buf.size - before;
        if (export_waiting_write(&c->waiting, &c->buf, out, 0) == 0)
            c->tail = tail;
        else
            c->begun = keep > 0;
    }
}

/* The buffer goes to the end of the file, in place of a tail, and a new tail behind it. When it
 * cannot, the file has what fits of it, or is what it was, tail included. `last`: there will be
 * no more, so that a tail is due where none could be taken back. */
static int drain(struct chrome *c, bool last, const struct export_summary *end,
                 struct oriel_err *err)
{
    struct out *out = c->env.out;
    const bool seals = out_can_seek(out);
    assert(out->bytes >= c->tail);
    int rc = c->tail ? out_truncate(out, out->bytes - c->tail) : 0;
    c->tail = 0;
    const size_t tail = seals || last ? add_tail(c, end) : 0;
    if (rc == 0)
        rc = export_waiting_write(&c->waiting, &c->buf, out, tail);
    else
        export_waiting_lose(&c->waiting, &c->buf);
    if (rc == 0) {
        c->tail = seals ? tail : 0;
        return 0;
    }
    chrome_names_forget(c);
    if (seals && !out->failed)
        close_again(c, end);
    return fail(c, rc, err);
}

static bool same_interval(const struct model_item *a, const struct model_item *b)
{
    return b->kind == MODEL_ITEM_SPAN && a->u.span.thread == b->u.span.thread &&
           a->u.span.start_ns == b->u.span.start_ns && a->u.span.end_ns == b->u.span.end_ns;
}

/* Viewers sort by time, the longer first; what is left equal keeps the order of
 * the file, where the outer span must stand first. Items come inner first: the
 * number of items from `i` on that have to be turned round. */
static size_t tied_run(const struct model_batch *batch, size_t i)
{
    const struct model_item *at = &batch->items[i];
    size_t n = 1;
    while (i + n < batch->item_count && at[n - 1].kind == MODEL_ITEM_SPAN &&
           (at[n - 1].u.span.flags & MODEL_SPAN_TIED) && same_interval(&at[n - 1], &at[n]))
        n++;
    return n;
}

/* What cannot be written is counted; the rest of the batch has its chance. */
static int chrome_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct chrome *c = state;
    int rc = 0;
    for (size_t i = 0, n; i < batch->item_count; i += n) {
        begin(c, batch);
        n = tied_run(batch, i);
        for (size_t k = n; k > 0; k--) {
            const size_t before = c->buf.size;
            chrome_put_item(c, &batch->items[i + k - 1]);
            if (c->buf.size != before || c->buf.failed)
                export_waiting_add(&c->waiting, &c->buf);
        }
        if (c->buf.size >= WRITE_BYTES || c->buf.failed) {
            const int one = drain(c, false, NULL, rc ? NULL : err);
            rc = rc ? rc : one;
        }
    }
    return rc;
}

static int chrome_flush(void *state, struct oriel_err *err)
{
    struct chrome *c = state;
    if (c->begun && c->buf.size == 0 && (c->tail || !out_can_seek(c->env.out)))
        return 0;
    begin(c, NULL);
    return drain(c, false, NULL, err);
}

static int chrome_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct chrome *c = state;
    begin(c, NULL);
    if (c->options.form == CHROME_ARRAY) {
        /* The last event of the array says what the object form says in its metadata. */
        JSON_PUT(&c->buf, ",\n{\"ph\":\"M\",\"name\":\"oriel_summary\",\"args\":");
        chrome_put_metadata(c, end);
        JSON_PUT(&c->buf, "}");
    }
    int rc = drain(c, true, end, err);
    chrome_names_done(c);
    export_flows_done(&c->flows);
    export_waiting_done(&c->waiting);
    buf_done(&c->buf);
    buf_done(&c->renamed_head);
    return rc;
}

static uint64_t chrome_unwritten(const void *state)
{
    return ((const struct chrome *)state)->waiting.unwritten;
}

const struct exporter export_chrome = {
    .name = "chrome",
    .help = "Chrome Trace Event JSON, for ui.perfetto.dev and chrome://tracing",
    .suffix = ".json",
    .wants = EXPORT_ITEMS,
    .options = chrome_option_defs,
    .options_size = sizeof(struct chrome_options),
    .state_size = sizeof(struct chrome),
    .open = chrome_open,
    .write = chrome_write,
    .flush = chrome_flush,
    .close = chrome_close,
    .unwritten = chrome_unwritten,
};
