/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The capture outlet: records as they came, in the file that `oriel report`
 * and `oriel export` read later. Everything it writes stays readable whatever
 * happens next; nothing is patched at close but the last words. One thread.
 */
#include "export/capture/capture.h"

#include <assert.h>
#include <stddef.h>

#include "base/err.h"

extern const struct exporter export_capture;

static const char *const compressions[] = {"zstd", "none", NULL};

#define FIELD(name) offsetof(struct capture_options, name)
static const struct option_def options[] = {
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = FIELD(compression),
     .fallback = "zstd",
     .help = "how chunks are compressed",
     .choices = compressions},
    {.name = "level",
     .type = OPTION_INT,
     .offset = FIELD(level),
     .fallback = "1",
     .help = "zstd level: 1 is fastest",
     .min = 1,
     .max = 19},
    {.name = "chunk_bytes",
     .type = OPTION_SIZE,
     .offset = FIELD(chunk_bytes),
     .fallback = "256KiB",
     .help = "size of a chunk before compression",
     .min = ENCODE_CHUNK_MIN,
     .max = ENCODE_CHUNK_MAX},
    {.name = "flush_interval",
     .type = OPTION_DURATION,
     .offset = FIELD(flush_ns),
     .fallback = "200ms",
     .help = "write a chunk after this much recorded time"},
    {.name = "schema_interval",
     .type = OPTION_SIZE,
     .offset = FIELD(schema_bytes),
     .fallback = "16MiB",
     .help = "repeat the description of the recording after this many bytes",
     .min = 1 << 16,
     .max = 1e15},
    {.name = "append",
     .type = OPTION_BOOL,
     .offset = FIELD(append),
     .fallback = "false",
     .help = "continue an existing file, leaving out what it holds"},
    {.name = "symbols",
     .type = OPTION_BOOL,
     .offset = FIELD(symbols),
     .fallback = "true",
     .help = "keep the names and lines of functions in the file, so that it can be read without "
             "the programs it is of"},
    OPTION_END,
};

static void release(struct capture *c)
{
    encoder_done(&c->encoder);
    zip_free(c->zip);
    buf_done(&c->tables);
    buf_done(&c->chunk);
}

/* A new file: what it is, then room for how it will have ended. */
static int begin_file(struct capture *c)
{
    int rc = capture_write_schema(c);
    if (rc == 0)
        rc = capture_write_last_words_block(c);
    return rc;
}

static int capture_open(void *state, const void *given, const struct export_env *env,
                        struct oriel_err *err)
{
    struct capture *c = state;
    const char *path = env->out->path[0] ? env->out->path : "capture";
    c->env = *env;
    c->options = *(const struct capture_options *)given;
    c->words_at = UINT64_MAX;
    buf_init(&c->tables);
    buf_init(&c->chunk);
    int rc = encoder_init(&c->encoder, c->options.chunk_bytes, env->catalog);
    if (rc == 0 && c->options.compression == CAPTURE_ZSTD)
        rc = zip_new(&c->zip, (int)c->options.level);
    if (rc < 0) {
        err_set(err, rc, "%s: %s", path, err_text(rc));
    } else if (c->options.append && env->out->bytes > 0) {
        rc = capture_append(c, err);
        if (rc == 0 && c->words_at == UINT64_MAX)
            capture_write_last_words_block(c); /* a full disk must not stop a rescue */
    } else {
        rc = begin_file(c);
        if (rc == 0)
            rc = out_sync(env->out); /* the description is safe before any data */
        if (rc < 0)
            err_set(err, rc, "%s: nothing can be recorded here: %s", path, err_text(rc));
    }
    if (rc < 0)
        release(c);
    return rc;
}

/* A failure is told once per call, with the total so far. */
static int answer(struct capture *c, int rc, struct oriel_err *err)
{
    return rc < 0 ? err_set(err, rc, "%s", c->loss.text) : 0;
}

static int capture_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct capture *c = state;
    size_t at = 0, n = batch->record_count;
    int first = 0;
    while (at < n) {
        int rc = encoder_add(&c->encoder, batch, &at);
        if (rc == 0)
            break;
        if (rc == ORIEL_ELIMIT && c->encoder.records) {
            rc = capture_write_records(c, false);
            capture_update_last_words(c);
        } else {
            enum model_origin whose = model_record_origin(&batch->records[at]);
            capture_lose(c, rc, whose == MODEL_SAID, whose == MODEL_SEEN);
            at++;
        }
        first = first ? first : rc;
    }
    const struct encoder *e = &c->encoder;
    if (e->records && e->last_ns > e->first_ns && e->last_ns - e->first_ns >= c->options.flush_ns) {
        int rc = capture_write_records(c, false);
        capture_update_last_words(c);
        first = first ? first : rc;
    }
    return answer(c, first, err);
}

static int capture_flush(void *state, struct oriel_err *err)
{
    struct capture *c = state;
    bool news = c->encoder.records || c->loss_changes != c->env.catalog->loss_changes;
    int rc = news ? capture_write_records(c, false) : 0;
    capture_update_last_words(c);
    return answer(c, rc, err);
}

static int capture_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct capture *c = state;
    int rc = capture_write_records(c, true);
    if (c->options.symbols)
        (void)capture_write_symbols(c); /* names can be looked up later, too */
    c->words.damaged += end ? end->damaged : 0;
    c->words.clamped += end ? end->clamped : 0;
    c->words.unfinished += end ? end->unfinished : 0;
    capture_update_last_words(c); /* sums losses up a last time */
    for (unsigned i = 0; end && i < ORIEL_LOST_CAUSES; i++)
        if (end->lost[i] > c->words.lost[i])
            c->words.lost[i] = end->lost[i];
    c->words.closed = 1;
    if (c->words_at == UINT64_MAX)
        capture_write_last_words_block(c);
    else
        capture_update_last_words(c);
    if (c->loss.code)
        rc = err_set(err, c->loss.code, "%s", c->loss.text);
    release(c);
    return rc;
}

static uint64_t capture_unwritten(const void *state)
{
    return ((const struct capture *)state)->lost_here;
}

static uint64_t capture_unwritten_seen(const void *state)
{
    return ((const struct capture *)state)->seen_here;
}

const struct exporter export_capture = {
    .name = "capture",
    .help = "Oriel's own file: everything, compact, readable while it grows",
    .suffix = ".oriel",
    .wants = EXPORT_RECORDS | EXPORT_SYMBOLS,
    .options = options,
    .options_size = sizeof(struct capture_options),
    .state_size = sizeof(struct capture),
    .open = capture_open,
    .write = capture_write,
    .flush = capture_flush,
    .close = capture_close,
    .unwritten = capture_unwritten,
    .unwritten_seen = capture_unwritten_seen,
};
