/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs one source through the pipe into the outlets and keeps the books.
 * An outlet that fails is counted and never stops the others; a live source is
 * acknowledged only after the outlets of records have flushed.
 */
#include "session/session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipe/redact.h"
#include "session/books.h"
#include "session/figures.h"
#include "session/outlet_set.h"
#include "session/side.h"

#define POLL_RECORDS 16384u
#define FILE_RECORDS (2 * POLL_RECORDS) /* so that a batch of a recording fits as it was */

enum { SIDES_MAX = 4 };

struct session {
    struct model_catalog catalog;
    const struct source *source;
    void *source_state, *source_block;
    struct side sides[SIDES_MAX];
    unsigned side_count;
    uint64_t source_watermark_ns;
    uint64_t reached_ns; /* what the last round promised; 0: none did yet */
    struct pipe *pipe;
    struct model_batch records, items;
    struct outlet_set set;
    int (*on_items)(void *user, const struct model_batch *items);
    void *on_items_user;
    void (*on_close)(void *user, struct model_catalog *c);
    void *on_close_user;
    struct session_counts counts;
    struct oriel_err internal; /* first failure of pipe or callback */
    uint64_t watermark_ns;     /* last one pushed into the pipe */
    uint64_t commit_bytes, commit_delay_ns, deadline_ns, keep_ns;
    bool left_some;
    uint64_t delivery_ns;                     /* without a deadline; 0: no end */
    uint64_t pending_bytes, pending_since_ns; /* read, not yet committed */
    uint64_t committed_ns, settled_ns;
    uint64_t keep_bytes;   /* not acknowledged before the first message; 0: no more */
    uint64_t loss_changes; /* of the catalog, when outlets were last flushed */
    uint64_t items_flushed_ns;
    uint64_t step_bytes, ring_bytes; /* of all sources, of the first */
    uint64_t refused_here;           /* by outlets but receivers, when last flushed; atomic */
    bool pending, started, ended, broken, finished;
    bool source_ended, sides_over; /* of the first source; those beside it were told so */
    bool wants_records, wants_items;
    bool skips_rest;
    bool pressed; /* by the source, in the last round */
};

int session_new(struct session **out, const char *source, const char *path,
                const struct pipe_options *pipe, struct oriel_err *err)
{
    assert(source);
    const struct source *table = source_find(source);
    if (!table)
        return err_set(err, ORIEL_ENOTFOUND, "no source is called \"%s\"", source);
    return session_new_source(out, table, path, pipe, err);
}

static void give_items(void *user, const struct model_batch *items);

/* By its path, or by its options where it has some. */
static int new_session(struct session **out, const struct source *table, const void *options,
                       const char *path, const struct pipe_options *pipe, struct oriel_err *err)
{
    assert(out && table && path);
    struct session *s = mem_calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ORIEL_ENOMEM, "%s: out of memory", path);
    model_catalog_init(&s->catalog);
    outlet_set_init(&s->set);
    model_batch_init(&s->records, &s->catalog);
    model_batch_init(&s->items, &s->catalog);
    s->commit_bytes = SESSION_COMMIT_BYTES;
    s->commit_delay_ns = SESSION_COMMIT_NS;
    int rc = ORIEL_ENOMEM;
    void *state = outlet_state_new(table->state_size, &s->source_block);
    if (!state)
        err_set(err, rc, "%s: out of memory", path);
    else
        rc = options ? table->open_with(state, options, &s->catalog, err)
                     : table->open(state, path, &s->catalog, err);
    if (rc < 0)
        goto fail;
    s->source = table;
    s->source_state = state;
    rc = pipe_new(&s->pipe, pipe, &s->catalog);
    if (rc < 0) {
        err_set(err, rc, "%s: the pipeline does not start: %s", path, err_text(rc));
        goto fail;
    }
    pipe_on_items(s->pipe, give_items, s);
    *out = s;
    return 0;
fail:
    session_free(s);
    return rc;
}

int session_new_source(struct session **out, const struct source *table, const char *path,
                       const struct pipe_options *pipe, struct oriel_err *err)
{
    return new_session(out, table, NULL, path, pipe, err);
}

int session_new_with(struct session **out, const struct source *table, const void *options,
                     const char *what, const struct pipe_options *pipe, struct oriel_err *err)
{
    assert(table && table->open_with && options);
    return new_session(out, table, options, what, pipe, err);
}

int session_add_source(struct session *s, const struct source *table, const void *options,
                       struct oriel_err *err)
{
    assert(s && table && table->open_with && !s->started);
    if (s->side_count == SIDES_MAX)
        return err_set(err, ORIEL_ELIMIT, "%s: no more than %u sources beside the first",
                       table->name, SIDES_MAX);
    int rc = side_open(&s->sides[s->side_count], table, options, &s->catalog, err);
    if (rc == 0)
        s->side_count++;
    return rc;
}

/* ---- outlets ---- */

/* Items that were wanted once go on being made: what is open now ends in the pipe. */
static void look_at_wants(struct session *s)
{
    s->wants_records = false;
    for (unsigned i = 0; i < s->set.count; i++) {
        const unsigned wants = s->set.live[i]->exporter->wants;
        s->wants_records |= (wants & EXPORT_RECORDS) != 0;
        s->wants_items |= (wants & EXPORT_ITEMS) != 0;
    }
}

static int add_outlet(struct session *s, const struct exporter *exporter, const void *options,
                      struct out *out, struct deliver *d, struct oriel_err *err)
{
    assert(s && exporter && (!s->started || s->set.changing));
    int rc = outlet_set_add(&s->set, exporter, options, out, d, &s->catalog, err);
    if (rc == 0 && !s->set.changing)
        look_at_wants(s);
    return rc;
}

int session_add_outlet(struct session *s, const struct exporter *exporter, const void *options,
                       struct out *out, struct oriel_err *err)
{
    return add_outlet(s, exporter, options, out, NULL, err);
}

int session_add_destination(struct session *s, const struct exporter *exporter, const void *options,
                            struct deliver *d, struct out *out, struct oriel_err *err)
{
    assert(d);
    return add_outlet(s, exporter, options, out, d, err);
}

void session_hold(struct session *s, const struct deliver *d, struct fetch *fetch)
{
    outlet_set_hold(&s->set, d, fetch);
}

bool session_awaits_vault(const struct session *s)
{
    return outlet_set_awaits_vault(&s->set);
}

void session_hurry_vault(struct session *s, uint64_t until_ns)
{
    outlet_set_hurry_vault(&s->set, until_ns);
}

int session_change_begin(struct session *s, unsigned which, struct oriel_err *err)
{
    assert(s && !s->finished);
    return outlet_set_begin(&s->set, which, err);
}

void session_change_drop(struct session *s)
{
    outlet_set_drop(&s->set);
}

int session_set_sampling(struct session *s, const struct pipe_sampling *how)
{
    return pipe_set_sampling(s->pipe, how);
}

struct deliver *session_destination(const struct session *s, unsigned i)
{
    return i < s->set.count ? s->set.live[i]->destination : NULL;
}

void session_set_delivery(struct session *s, uint64_t ns)
{
    s->delivery_ns = ns;
}

int session_wait_delivered(struct session *s, uint64_t deadline_ns)
{
    return outlet_set_wait(&s->set, deadline_ns);
}

uint64_t session_undelivered(const struct session *s)
{
    struct deliver_counts c;
    outlet_set_sent(&s->set, NULL, NULL, &c);
    return __atomic_load_n(&s->refused_here, __ATOMIC_RELAXED) + c.rejected + c.refused + c.full +
           c.expired + c.spool_lost;
}

void session_sent(const struct session *s, struct deliver_counts *out_traces,
                  struct deliver_counts *out_logs, struct deliver_counts *out_total)
{
    outlet_set_sent(&s->set, out_traces, out_logs, out_total);
}

void session_on_items(struct session *s, int (*fn)(void *user, const struct model_batch *items),
                      void *user)
{
    assert(s && fn);
    s->on_items = fn;
    s->on_items_user = user;
    s->wants_items = true;
}

void session_on_close(struct session *s, void (*fn)(void *user, struct model_catalog *c),
                      void *user)
{
    assert(s && fn);
    s->on_close = fn;
    s->on_close_user = user;
}

void session_set_commit(struct session *s, uint64_t bytes, uint64_t delay_ns)
{
    s->commit_bytes = bytes;
    s->commit_delay_ns = delay_ns;
}

void session_keep_unsent(struct session *s, uint64_t bytes)
{
    s->keep_bytes = bytes;
}

void session_set_deadline(struct session *s, uint64_t mono_ns)
{
    s->deadline_ns = mono_ns;
}

void session_keep_until(struct session *s, uint64_t mono_ns)
{
    s->keep_ns = mono_ns;
}

bool session_has_spool(const struct session *s)
{
    return outlet_set_keeps(&s->set);
}

bool session_left_some(const struct session *s)
{
    return s->left_some;
}

void session_skip_rest(struct session *s)
{
    s->skips_rest = true;
}

/* ---- a round ---- */

static void to_outlets(struct session *s, unsigned wants, const struct model_batch *batch,
                       uint64_t count)
{
    if (count == 0 && !batch->last)
        return;
    for (unsigned i = 0; i < s->set.count; i++)
        if (s->set.live[i]->exporter->wants & wants)
            outlet_write(s->set.live[i], batch, count);
}

static void internal_failure(struct session *s, int rc, const char *who)
{
    s->counts.internal_failed++;
    if (!s->internal.code)
        err_set(&s->internal, rc, "%s: %s", who, err_text(rc));
}

static void give_items(void *user, const struct model_batch *items)
{
    struct session *s = user;
    if (s->on_items && (items->item_count || items->last)) {
        int rc = s->on_items(s->on_items_user, items);
        if (rc < 0)
            internal_failure(s, rc, "report");
    }
    to_outlets(s, EXPORT_ITEMS, items, items->item_count);
}

/* Records become items. Skipped where nobody wants items: a plain recording
 * pays for no ordering. */
static void through_pipe(struct session *s, const struct model_batch *b)
{
    if (!s->wants_items)
        return;
    if (!b->record_count && !b->last && b->watermark_ns <= s->watermark_ns)
        return;
    if (b->watermark_ns > s->watermark_ns)
        s->watermark_ns = b->watermark_ns;
    model_batch_clear(&s->items);
    int rc = pipe_push(s->pipe, b, &s->items);
    if (rc < 0)
        internal_failure(s, rc, "pipeline");
    s->items.last = b->last;
    give_items(s, &s->items);
}

/* What no source will go below any more. */
static uint64_t common_watermark(const struct session *s)
{
    uint64_t ns = s->source_watermark_ns;
    for (unsigned i = 0; i < s->side_count; i++)
        ns = s->sides[i].watermark_ns < ns ? s->sides[i].watermark_ns : ns;
    return ns;
}

static void take_batch(struct session *s, struct model_batch *b, uint64_t watermark_ns)
{
    b->watermark_ns = watermark_ns;
    const uint64_t bytes = books_add_records(&s->counts, b);
    s->step_bytes += bytes;
    s->pending_bytes += bytes;
    /* Items first: for them a secret can be taken out, in records only covered. */
    through_pipe(s, b);
    if (s->wants_records)
        s->counts.covered += redact_records(b);
    to_outlets(s, EXPORT_RECORDS, b, b->record_count);
}

void session_set_held(struct session *s, uint64_t bytes)
{
    assert(s && !s->started);
    for (unsigned i = 0; i < s->side_count; i++)
        side_hold(&s->sides[i], bytes);
}

/* One round of each. */
static int poll_sides(struct session *s)
{
    int result = SOURCE_IDLE;
    for (unsigned i = 0; i < s->side_count; i++)
        if (side_poll(&s->sides[i], POLL_RECORDS) == SOURCE_DATA)
            result = SOURCE_DATA;
    return result;
}

/* The source forgets who lost what when it is acknowledged: losses are saved
 * before, also where no record came with them. */
static void save_records(struct session *s)
{
    bool always = s->ended || s->loss_changes != s->catalog.loss_changes;
    s->loss_changes = s->catalog.loss_changes;
    for (unsigned i = 0; i < s->set.count; i++)
        if (s->set.live[i]->exporter->wants & EXPORT_RECORDS)
            outlet_flush(s->set.live[i], always);
}

static void acknowledge(struct session *s, uint64_t now)
{
    if (s->source->commit)
        s->source->commit(s->source_state);
    s->pending = false;
    s->pending_bytes = 0;
    s->committed_ns = now;
}

static void commit(struct session *s, uint64_t now)
{
    save_records(s);
    acknowledge(s, now);
}

static void flush_items(struct session *s, uint64_t now)
{
    for (unsigned i = 0; i < s->set.count; i++)
        if (s->set.live[i]->exporter->wants & EXPORT_ITEMS)
            outlet_flush(s->set.live[i], false);
    s->items_flushed_ns = now;
}

/* Receivers have delays of their own; files are to be readable now and then. */
static void tick_items(struct session *s, uint64_t now)
{
    bool flush = now - s->items_flushed_ns >= OUTLET_FLUSH_NS;
    for (unsigned i = 0; i < s->set.count; i++)
        if ((s->set.live[i]->exporter->wants & EXPORT_ITEMS) && !outlet_tick(s->set.live[i], now) &&
            flush)
            outlet_flush(s->set.live[i], false);
    if (flush)
        s->items_flushed_ns = now;
}

void session_flush(struct session *s)
{
    assert(s && !s->finished);
    uint64_t now = clock_mono_ns();
    commit(s, now);
    flush_items(s, now);
    uint64_t refused = 0;
    for (unsigned i = 0; i < s->set.count; i++)
        refused += s->set.live[i]->destination ? 0 : s->set.live[i]->refused;
    __atomic_store_n(&s->refused_here, refused, __ATOMIC_RELAXED); /* read by who waits for this */
}

/* There are receivers, and none was given anything. */
static bool is_unsent(const struct session *s)
{
    struct deliver_counts c;
    unsigned receivers = 0;
    for (unsigned i = 0; i < s->set.count; i++)
        receivers += s->set.live[i]->destination != NULL;
    outlet_set_sent(&s->set, NULL, NULL, &c);
    return receivers && c.given == 0;
}

/* Whoever reads on, should this process be gone, then finds what nobody has sent. */
static bool keeps(struct session *s)
{
    if (!s->keep_bytes || (!s->pressed && s->pending_bytes < s->keep_bytes && is_unsent(s)))
        return s->keep_bytes != 0;
    s->keep_bytes = 0;
    return false;
}

/* Live sources only: a file needs neither acknowledgement nor early flushes.
 * A source that says nothing is acknowledged too, so that it can tidy up. */
static void settle(struct session *s)
{
    if (!s->source->commit)
        return;
    uint64_t now = clock_mono_ns();
    if (s->step_bytes && !s->pending) {
        s->pending = true;
        s->pending_since_ns = s->settled_ns ? s->settled_ns : now; /* it may be as old as that */
    }
    s->settled_ns = now;
    uint64_t waited = now - (s->pending ? s->pending_since_ns : s->committed_ns);
    bool pressed = s->source->pressed && s->source->pressed(s->source_state);
    s->pressed = pressed;
    if (!keeps(s) && (waited >= s->commit_delay_ns || pressed ||
                      (s->pending && (!s->wants_records || s->pending_bytes >= s->commit_bytes))))
        commit(s, now);
    if (s->wants_items)
        tick_items(s, now);
    if (s->keep_bytes && !keeps(s))
        commit(s, now); /* it is on its way now */
    if (s->set.past_count)
        outlet_set_tend(&s->set, now);
}

static int poll_source(struct session *s, struct oriel_err *err)
{
    model_batch_clear(&s->records);
    s->source_watermark_ns = UINT64_MAX;
    if (s->source_ended)
        return SOURCE_END;
    int result = s->source->poll(s->source_state, &s->records,
                                 s->source->commit ? POLL_RECORDS : FILE_RECORDS, err);
    /* Out of memory may pass; anything else is the end of this source. */
    s->broken |= result < 0 && result != ORIEL_ENOMEM;
    s->source_ended = s->records.last || result == SOURCE_END;
    s->source_watermark_ns = s->records.watermark_ns;
    return result;
}

int session_step(struct session *s, struct oriel_err *err)
{
    assert(s && !s->finished);
    if (s->ended)
        return SOURCE_END;
    s->started = true;
    s->step_bytes = 0;
    int result = poll_source(s, err);
    if (result < 0 && !s->records.record_count)
        return result;
    int beside = s->side_count ? poll_sides(s) : SOURCE_IDLE;
    /* It is over when those beside have given all that they hold, too. */
    s->ended = s->source_ended && (!s->side_count || (s->sides_over && beside == SOURCE_IDLE));
    s->records.last = s->ended;
    /* What a round promises holds with its last batch; until then, what the one before did. */
    const uint64_t before = s->reached_ns, now = common_watermark(s);
    s->reached_ns = now > before ? now : before;
    for (unsigned i = 0; i < s->side_count; i++)
        take_batch(s, &s->sides[i].records, before ? before : MODEL_NO_PROMISE_YET);
    s->ring_bytes = s->step_bytes;
    take_batch(s, &s->records, s->reached_ns);
    s->ring_bytes = s->step_bytes - s->ring_bytes;
    settle(s);
    return result == SOURCE_IDLE || (result == SOURCE_END && !s->ended) ? beside : result;
}

void session_look(struct session *s)
{
    assert(s && !s->finished);
    for (unsigned i = 0; i < s->side_count; i++)
        side_look(&s->sides[i], POLL_RECORDS);
    if (s->set.past_count)
        outlet_set_tend(&s->set, clock_mono_ns());
}

int session_run(struct session *s, struct oriel_err *err)
{
    int result;
    do
        result = session_step(s, err);
    while (result == SOURCE_DATA);
    return result;
}

/* ---- the end ---- */

static void drain(struct session *s)
{
    const uint64_t until = s->keep_ns > s->deadline_ns ? s->keep_ns : s->deadline_ns;
    while (!s->ended && !s->broken && !s->skips_rest) {
        s->left_some = s->deadline_ns && clock_mono_ns() >= until;
        if (s->left_some)
            return;
        if (session_step(s, NULL) != SOURCE_DATA)
            return;
    }
}

static void summarize(const struct session *s, struct export_summary *end)
{
    struct session_counts c;
    session_get_counts(s, &c);
    books_summary(&c, end);
}

/* What is held so far is the old ones': they end with it whole. */
void session_change_take(struct session *s)
{
    struct export_summary end;
    session_flush(s);
    summarize(s, &end);
    outlet_set_take(&s->set, &end);
    look_at_wants(s);
}

static void close_outlets(struct session *s)
{
    struct export_summary end;
    summarize(s, &end);
    for (unsigned i = 0; i < s->set.count; i++)
        outlet_close(s->set.live[i], &end);
}

/* All of them begin to end before one is waited for: one deadline holds for all. */
static void finish_outlets(struct session *s)
{
    uint64_t deadline = s->deadline_ns;
    if (!deadline)
        deadline = s->delivery_ns ? clock_mono_ns() + s->delivery_ns : UINT64_MAX;
    outlet_set_finish(&s->set, deadline, false);
    outlet_set_finish(&s->set, deadline, true);
    outlet_set_leave_vault(&s->set);
}

static uint64_t samples_overwritten(const struct session *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->side_count; i++)
        n += s->sides[i].samples_overwritten;
    return n;
}

/* Samples are no records of the program: how many are gone is said apart. */
static void note_overwritten(struct session *s)
{
    char text[24];
    const uint64_t n = samples_overwritten(s);
    const int bytes = snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    if (n)
        (void)model_catalog_set_resource(&s->catalog,
                                         (struct model_str)MODEL_STR("oriel.sample.overwritten"),
                                         (struct model_str){text, (uint32_t)bytes});
}

/* For captures, whose readers may ask how the recorder fared. */
static void note_figures(struct session *s)
{
    uint64_t figures[FIGURES];
    figures_of(s, figures);
    (void)figures_note(figures, &s->catalog);
}

int session_finish(struct session *s, struct oriel_err *err)
{
    assert(s && !s->finished);
    for (unsigned i = 0; i < s->side_count; i++)
        side_over(&s->sides[i]);
    s->sides_over = true;
    drain(s);
    if (!s->ended) { /* a live source never says so itself */
        s->started = s->ended = true;
        model_batch_clear(&s->records);
        s->records.last = true;
        to_outlets(s, EXPORT_RECORDS, &s->records, 0);
        through_pipe(s, &s->records);
    }
    /* A process may end before its receivers were told the first of it. */
    const bool kept = keeps(s);
    save_records(s);
    if (!kept)
        acknowledge(s, 0);
    note_overwritten(s);
    if (s->source->commit) /* a recording, not somebody who reads one */
        note_figures(s);
    if (s->on_close)
        s->on_close(s->on_close_user, &s->catalog);
    close_outlets(s);
    finish_outlets(s);
    if (kept)
        acknowledge(s, 0);
    s->finished = true;
    for (unsigned i = 0; i < s->set.count; i++)
        if (s->set.live[i]->first.code)
            return err_set(err, s->set.live[i]->first.code, "%s", s->set.live[i]->first.text);
    if (s->set.first.code)
        return err_set(err, s->set.first.code, "%s", s->set.first.text);
    if (s->internal.code)
        return err_set(err, s->internal.code, "%s", s->internal.text);
    return 0;
}

struct model_catalog *session_catalog(struct session *s)
{
    return &s->catalog;
}

uint64_t session_watermark(const struct session *s)
{
    return s->wants_items ? s->watermark_ns : common_watermark(s);
}

uint64_t session_due(const struct session *s, uint64_t *out_delay_ns)
{
    uint64_t due = UINT64_MAX;
    *out_delay_ns = UINT64_MAX;
    for (unsigned i = 0; i < s->set.count; i++) {
        uint64_t delay;
        const uint64_t one = outlet_due(s->set.live[i], &delay);
        due = one < due ? one : due;
        *out_delay_ns = delay < *out_delay_ns ? delay : *out_delay_ns;
    }
    return due;
}

bool session_wants_records(const struct session *s)
{
    assert(s);
    return s->wants_records;
}

uint64_t session_step_bytes(const struct session *s, bool *out_more)
{
    *out_more = s->pressed || s->records.record_count >= POLL_RECORDS;
    return s->ring_bytes;
}

bool session_file(const struct session *s, unsigned i, struct session_file *out)
{
    return outlet_set_file(&s->set, i, out);
}

void session_file_told(struct session *s, unsigned i)
{
    if (i < s->set.count)
        s->set.live[i]->told = true;
}

const char *session_outlet_failure(const struct session *s, unsigned i)
{
    return i < s->set.count && s->set.live[i]->first.code ? s->set.live[i]->first.text : NULL;
}

const char *session_outlet_note(const struct session *s, unsigned i)
{
    if (!s->finished || i >= s->set.count || !s->set.live[i]->exporter->note)
        return "";
    return s->set.live[i]->exporter->note(s->set.live[i]->state);
}

void session_get_counts(const struct session *s, struct session_counts *out)
{
    assert(s && out);
    *out = s->counts;
    books_put_outlets(out, &s->set);
    books_put_catalog(out, &s->catalog);
    out->samples_overwritten = samples_overwritten(s);
    pipe_counts(s->pipe, &out->pipe);
    out->damage = (struct source_damage){.first_offset = UINT64_MAX};
    if (s->source->damage)
        s->source->damage(s->source_state, &out->damage);
}

void session_free(struct session *s)
{
    if (!s)
        return;
    outlet_set_done(&s->set, s->finished);
    pipe_free(s->pipe);
    model_batch_done(&s->items);
    model_batch_done(&s->records);
    for (unsigned i = 0; i < s->side_count; i++)
        side_close(&s->sides[i]);
    if (s->source_state)
        s->source->close(s->source_state);
    mem_free(s->source_block);
    model_catalog_done(&s->catalog);
    mem_free(s);
}
