/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The composition, between a source and outlets that do what the test says.
 */
#include "session/session.h"

#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "test.h"

/* ---- a source of events ---- */

struct script {
    int batches;      /* how many batches ... */
    size_t per_batch; /* ... of so many events */
    bool live;        /* says IDLE at the end, not END */
    int silent;       /* so many rounds promise nothing yet */
    int fail_at;      /* this poll answers with a code; 0 never */
    int fail_code;
};
static struct script script;
static struct {
    int polls, commits, closes;
    uint64_t commited_after; /* outlet flushes seen at the first commit */
} seen;

struct fake_source {
    struct model_catalog *catalog;
    struct model_thread *thread;
    struct model_site *site;
    uint64_t t_ns;
    int at;
};

static int source_open(void *state, const char *path, struct model_catalog *c,
                       struct oriel_err *err)
{
    struct fake_source *f = state;
    if (strcmp(path, "missing") == 0)
        return err_set(err, ORIEL_ENOTFOUND, "%s: not there", path);
    struct model_site site = {.id = 2,
                              .kind = ORIEL_SITE_EVENT,
                              .level = ORIEL_LEVEL_INFO,
                              .name = MODEL_STR("said"),
                              .target = MODEL_STR("test")};
    struct model_process *p = model_catalog_add_process(c, 7, MODEL_STR("/x"), MODEL_STR("x"));
    f->catalog = c;
    f->thread = p ? model_catalog_add_thread(c, p->index, 7, 1) : NULL;
    f->site = model_catalog_add_site(c, &site);
    if (!f->thread || !f->site)
        return ORIEL_ENOMEM;
    f->thread->lost[ORIEL_LOST_RING_FULL] = 3;
    c->lost[ORIEL_LOST_NO_THREAD] = 2;
    f->t_ns = 1000;
    return 0;
}

static bool add_event(struct fake_source *f, struct model_batch *b)
{
    uint64_t *raw = arena_alloc(&b->arena, 16, 8);
    struct model_record *r = raw ? model_batch_add_record(b) : NULL;
    if (!r)
        return false;
    raw[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_EVENT, 0, 2);
    raw[1] = f->t_ns;
    *r = (struct model_record){.t_ns = f->t_ns++,
                               .position = f->t_ns * 16,
                               .raw = raw,
                               .site = f->site,
                               .thread = f->thread,
                               .words = 2,
                               .type = ORIEL_REC_EVENT,
                               .stream = 1};
    return true;
}

static int source_poll(void *state, struct model_batch *b, size_t max, struct oriel_err *err)
{
    struct fake_source *f = state;
    (void)max;
    seen.polls++;
    if (script.fail_at && seen.polls == script.fail_at)
        return err_set(err, script.fail_code, "the source failed");
    if (f->at == script.batches)
        return script.live ? SOURCE_IDLE : SOURCE_END;
    for (size_t i = 0; i < script.per_batch; i++)
        if (!add_event(f, b))
            return b->record_count ? SOURCE_DATA : ORIEL_ENOMEM;
    b->watermark_ns = f->t_ns;
    f->at++;
    return SOURCE_DATA;
}

static uint64_t unflushed; /* records that outlets took since their last flush */

static void source_commit(void *state)
{
    (void)state;
    CHECK_EQ(unflushed, 0); /* flushed first, acknowledged after */
    seen.commits++;
}
static void source_close(void *state)
{
    (void)state;
    seen.closes++;
}

static const struct source file_like = {.name = "fake",
                                        .state_size = sizeof(struct fake_source),
                                        .open = source_open,
                                        .poll = source_poll,
                                        .close = source_close};
static const struct source ring_like = {.name = "fake",
                                        .state_size = sizeof(struct fake_source),
                                        .open = source_open,
                                        .poll = source_poll,
                                        .commit = source_commit,
                                        .close = source_close};

/* Beside the ring: a sample of the same thread at every tenth time, its promise
 * five behind, and all of it only when it is told that the program is over. */
struct fake_side {
    struct model_catalog *catalog;
    uint64_t t_ns;
    int left;
    int most; /* in one poll */
    bool over;
};
static int side_most = INT_MAX;
static uint64_t side_count = 1; /* of each sample */
enum { SIDE_SAMPLES = 20, SIDE_SERIAL = 90 };

static int side_open(void *state, const void *options, struct model_catalog *c,
                     struct oriel_err *err)
{
    struct fake_side *f = state;
    if (!options)
        return err_set(err, ORIEL_EPERM, "side: not permitted");
    *f = (struct fake_side){.catalog = c, .t_ns = 1005, .left = SIDE_SAMPLES, .most = side_most};
    return model_catalog_alias_thread(c, SIDE_SERIAL, 0);
}

static int side_poll(void *state, struct model_batch *b, size_t max, struct oriel_err *err)
{
    struct fake_side *f = state;
    int result = SOURCE_IDLE;
    const int all = f->left < f->most ? f->left : f->most;
    for (int n = f->over ? all : 1; n > 0 && f->left > 0; n--, f->left--, f->t_ns += 10) {
        uint64_t *raw = arena_alloc(&b->arena, 48, 8);
        struct model_record *r = raw ? model_batch_add_record(b) : NULL;
        if (!r)
            return ORIEL_ENOMEM;
        const uint64_t words[6] = {ORIEL_RECORD_HEADER(6, ORIEL_REC_SAMPLE, ORIEL_SAMPLE_CPU, 0),
                                   f->t_ns,
                                   0,
                                   1000,
                                   side_count,
                                   0};
        memcpy(raw, words, sizeof words);
        *r = (struct model_record){.t_ns = f->t_ns,
                                   .position = f->t_ns * 48,
                                   .raw = raw,
                                   .thread = f->catalog->threads[0],
                                   .words = 6,
                                   .type = ORIEL_REC_SAMPLE,
                                   .flags = ORIEL_SAMPLE_CPU,
                                   .stream = SIDE_SERIAL};
        result = SOURCE_DATA;
    }
    b->watermark_ns = f->over && f->left == 0 ? UINT64_MAX : f->t_ns - 5;
    return result;
}

static void side_over(void *state)
{
    ((struct fake_side *)state)->over = true;
}

static const struct source side = {.name = "side",
                                   .state_size = sizeof(struct fake_side),
                                   .open_with = side_open,
                                   .poll = side_poll,
                                   .over = side_over,
                                   .close = source_close};

/* ---- outlets that count ---- */

struct told {
    int opens, writes, flushes, closes;
    uint64_t records, items, last;
    int fail_open, fail_write_from, fail_flush_from, fail_close; /* call number, 0 never */
    struct export_summary end;
    char option[32];
};
static struct told told[4];

struct outlet_options {
    const char *which; /* "0".."2": the entry of `told` */
    const char *secret;
    int64_t number;
};
static const struct option_def outlet_options[] = {
    {.name = "which",
     .type = OPTION_STRING,
     .offset = offsetof(struct outlet_options, which),
     .fallback = "0"},
    {.name = "secret",
     .type = OPTION_STRING,
     .offset = offsetof(struct outlet_options, secret),
     .secret = true},
    {.name = "number",
     .type = OPTION_INT,
     .offset = offsetof(struct outlet_options, number),
     .fallback = "5"},
    OPTION_END,
};

struct fake_outlet {
    struct told *told;
    char *memory; /* what close must free */
};

static int outlet_open(void *state, const void *options, const struct export_env *env,
                       struct oriel_err *err)
{
    struct fake_outlet *o = state;
    const struct outlet_options *given = options;
    CHECK_EQ((uintptr_t)state % 64, 0); /* whatever the state holds is aligned */
    o->told = &told[given->which[0] - '0'];
    CHECK(env->catalog && env->service_name && env->version);
    if (o->told->fail_open)
        return err_set(err, ORIEL_EPERM, "outlet %s will not open", given->which);
    snprintf(o->told->option, sizeof o->told->option, "%s/%lld", given->secret ? given->secret : "",
             (long long)given->number);
    o->memory = mem_alloc(10);
    o->told->opens++;
    return 0;
}

static int outlet_write(void *state, const struct model_batch *b, struct oriel_err *err)
{
    struct told *t = ((struct fake_outlet *)state)->told;
    t->writes++;
    if (t->fail_write_from && t->writes >= t->fail_write_from)
        return err_set(err, ORIEL_ENOSPC, "no space for write %d", t->writes);
    t->records += b->record_count;
    unflushed += b->record_count;
    t->items += b->item_count;
    t->last += b->last;
    return 0;
}

static int outlet_flush(void *state, struct oriel_err *err)
{
    struct told *t = ((struct fake_outlet *)state)->told;
    t->flushes++;
    unflushed = 0;
    if (t->fail_flush_from && t->flushes >= t->fail_flush_from)
        return err_set(err, ORIEL_ENOSPC, "no space for flush %d", t->flushes);
    return 0;
}

static int outlet_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct fake_outlet *o = state;
    o->told->closes++;
    o->told->end = *end;
    mem_free(o->memory);
    return o->told->fail_close ? err_set(err, ORIEL_EIO, "the close failed") : 0;
}

#define OUTLET(label, kind)                                                                        \
    {                                                                                              \
        .name = label, .suffix = ".x", .wants = kind, .options = outlet_options,                   \
        .options_size = sizeof(struct outlet_options), .state_size = sizeof(struct fake_outlet),   \
        .open = outlet_open, .write = outlet_write, .flush = outlet_flush, .close = outlet_close   \
    }
static const struct exporter of_records = OUTLET("records", EXPORT_RECORDS);
static const struct exporter of_items = OUTLET("items", EXPORT_ITEMS);

/* ---- helpers ---- */

static struct session *s;
static struct oriel_err err;

static void begin(const struct source *source, int batches, size_t per_batch)
{
    script =
        (struct script){.batches = batches, .per_batch = per_batch, .live = source == &ring_like};
    REQUIRE(session_new_source(&s, source, "x", NULL, &err) == 0);
}

static void add(const struct exporter *e, const char *which)
{
    struct outlet_options o = {.which = which, .number = 5};
    REQUIRE(session_add_outlet(s, e, &o, NULL, &err) == 0);
}

static struct session_counts counts(void)
{
    struct session_counts c;
    session_get_counts(s, &c);
    return c;
}

/* ---- tests ---- */

TEST(session_hands_every_record_and_every_item_on)
{
    begin(&file_like, 5, 100);
    add(&of_records, "0");
    add(&of_items, "1");
    CHECK_EQ(session_run(s, &err), SOURCE_END);
    CHECK_EQ(session_finish(s, &err), 0);
    struct session_counts c = counts();
    CHECK_EQ(c.records, 500);
    CHECK_EQ(c.bytes, 8000);
    CHECK_EQ(c.by_type[ORIEL_REC_EVENT], 500);
    CHECK_EQ(told[0].records, 500);
    CHECK_EQ(c.delivered[0], 500);
    CHECK_EQ(told[1].items, c.pipe.items_out);
    CHECK_EQ(c.delivered[1], c.pipe.items_out);
    CHECK(c.pipe.items_out >= 500);
    CHECK_EQ(told[0].last, 1);
    CHECK_EQ(told[1].last, 1);
    session_free(s);
    CHECK_EQ(seen.closes, 1);
    CHECK_EQ(told[0].closes, 1);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(session_sums_losses_of_threads_and_of_nobody)
{
    begin(&file_like, 1, 1);
    add(&of_records, "0");
    session_run(s, &err);
    session_finish(s, &err);
    CHECK_EQ(counts().lost[ORIEL_LOST_RING_FULL], 3);
    CHECK_EQ(counts().lost[ORIEL_LOST_NO_THREAD], 2);
    CHECK_EQ(told[0].end.lost[ORIEL_LOST_RING_FULL], 3);
    CHECK_EQ(told[0].end.records, 1);
    CHECK_EQ(counts().threads, 1);
    session_free(s);
}

TEST(losses_are_flushed_before_a_silent_source_is_acknowledged)
{
    begin(&ring_like, 1, 1);
    script.live = true;
    add(&of_records, "0");
    CHECK_EQ(session_step(s, &err), SOURCE_DATA);
    session_flush(s);
    int flushes = told[0].flushes, commits = seen.commits;
    session_flush(s);
    CHECK_EQ(told[0].flushes, flushes); /* nothing new */
    session_catalog(s)->loss_changes++;
    session_flush(s);
    CHECK_EQ(told[0].flushes, flushes + 1);
    session_flush(s);
    CHECK_EQ(told[0].flushes, flushes + 1);
    CHECK_EQ(seen.commits, commits + 3);
    session_finish(s, &err);
    session_free(s);
}

TEST(session_counts_for_a_failing_outlet_and_serves_the_others)
{
    begin(&file_like, 4, 10);
    told[0].fail_write_from = 3;
    add(&of_records, "0");
    add(&of_records, "1");
    CHECK_EQ(session_run(s, &err), SOURCE_END);
    CHECK_EQ(session_finish(s, &err), ORIEL_ENOSPC);
    CHECK_STR(err.text, "no space for write 3"); /* the first failure is the one that is told */
    struct session_counts c = counts();
    CHECK_EQ(c.delivered[0] + c.refused[0], c.records);
    CHECK_EQ(c.delivered[0], 20);
    CHECK(c.outlet_failed[0] >= 2);
    CHECK_EQ(c.delivered[1], 40);
    CHECK_EQ(c.refused[1], 0);
    CHECK_STR(session_outlet_failure(s, 0), "no space for write 3");
    CHECK(session_outlet_failure(s, 1) == NULL);
    CHECK(session_outlet_failure(s, 2) == NULL);
    session_free(s);
}

TEST(session_takes_back_what_a_failed_flush_did_not_write)
{
    begin(&ring_like, 3, 10);
    told[0].fail_flush_from = 2;
    add(&of_records, "0");
    session_set_commit(s, 0, 0);
    session_run(s, &err);
    CHECK_EQ(session_finish(s, &err), ORIEL_ENOSPC);
    struct session_counts c = counts();
    CHECK_EQ(c.delivered[0], 10);
    CHECK_EQ(c.refused[0], 20);
    session_free(s);
}

TEST(session_acknowledges_after_enough_bytes)
{
    begin(&ring_like, 10, 100); /* 1,600 bytes each */
    add(&of_records, "0");
    CHECK(session_wants_records(s));
    session_set_commit(s, 4000, UINT64_C(3600000000000));
    for (int i = 0; i < 9; i++)
        CHECK_EQ(session_step(s, &err), SOURCE_DATA);
    CHECK_EQ(seen.commits, 3);
    CHECK_EQ(told[0].flushes, 3);
    session_flush(s);
    CHECK_EQ(seen.commits, 4);
    session_free(s);
}

TEST(session_acknowledges_at_once_when_nobody_keeps_records)
{
    begin(&ring_like, 2, 1);
    add(&of_items, "0");
    CHECK(!session_wants_records(s));
    session_set_commit(s, 1 << 20, UINT64_C(3600000000000));
    session_step(s, &err);
    CHECK_EQ(seen.commits, 1);
    session_free(s);
}

TEST(session_finish_drains_a_live_source_first)
{
    begin(&ring_like, 7, 10);
    add(&of_records, "0");
    CHECK_EQ(session_step(s, &err), SOURCE_DATA);
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(told[0].records, 70);
    CHECK(seen.commits >= 1);
    session_free(s);
}

TEST(session_finish_stops_draining_at_the_deadline)
{
    begin(&ring_like, 1000000000, 1);
    add(&of_records, "0");
    session_set_deadline(s, clock_mono_ns() + 20000000);
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(told[0].closes, 1);
    CHECK_EQ(counts().delivered[0], counts().records);
    session_free(s);
}

TEST(session_goes_on_after_a_moment_without_memory)
{
    begin(&ring_like, 2, 10);
    script.fail_at = 1;
    script.fail_code = ORIEL_ENOMEM;
    add(&of_records, "0");
    CHECK_EQ(session_step(s, &err), ORIEL_ENOMEM);
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(told[0].records, 20);
    session_free(s);
}

TEST(session_keeps_what_came_before_a_broken_source)
{
    begin(&file_like, 3, 10);
    script.fail_at = 3;
    script.fail_code = ORIEL_EDAMAGED;
    add(&of_records, "0");
    CHECK_EQ(session_run(s, &err), ORIEL_EDAMAGED);
    CHECK_STR(err.text, "the source failed");
    int polls = seen.polls;
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(seen.polls, polls); /* not asked again */
    CHECK_EQ(told[0].records, 20);
    session_free(s);
}

TEST(session_refuses_what_cannot_be_opened)
{
    CHECK_EQ(session_new(&s, "telepathy", "x", NULL, &err), ORIEL_ENOTFOUND);
    CHECK_EQ(session_new_source(&s, &file_like, "missing", NULL, &err), ORIEL_ENOTFOUND);
    CHECK_STR(err.text, "missing: not there");
    begin(&file_like, 1, 1);
    told[0].fail_open = 1;
    struct outlet_options o = {.which = "0"};
    CHECK_EQ(session_add_outlet(s, &of_records, &o, NULL, &err), ORIEL_EPERM);
    CHECK_STR(err.text, "outlet 0 will not open");
    for (unsigned i = 0; i < SESSION_OUTLETS_MAX; i++)
        add(&of_records, "1");
    o.which = "1";
    CHECK_EQ(session_add_outlet(s, &of_records, &o, NULL, &err), ORIEL_ELIMIT);
    session_free(s);
    CHECK_EQ(told[1].closes, SESSION_OUTLETS_MAX); /* freed, though never finished */
    CHECK_EQ(mem_live_blocks(), 0);
}

/* What is given before the change is the old one's, what comes behind it the new one's; the
 * books of both add up to all that was read. */
TEST(session_outlets_are_replaced_between_two_steps)
{
    begin(&ring_like, 4, 10);
    add(&of_records, "0");
    add(&of_items, "1");
    session_step(s, &err);
    REQUIRE(session_change_begin(s, SESSION_FILES, &err) == 0);
    add(&of_records, "2");
    session_change_drop(s); /* never were */
    CHECK(told[2].closes == 1 && told[0].closes == 0);
    session_step(s, &err);
    REQUIRE(session_change_begin(s, SESSION_FILES, &err) == 0);
    add(&of_records, "3");
    CHECK_EQ(told[0].closes, 0);
    session_change_take(s);
    CHECK(told[0].closes == 1 && told[1].closes == 1 && told[3].closes == 0);
    CHECK_EQ(counts().replaced.given, counts().pipe.items_out + 20);
    CHECK_EQ(counts().replaced.delivered, counts().replaced.given);
    CHECK_EQ(session_run(s, &err), SOURCE_IDLE);
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(told[0].records, 20);
    CHECK_EQ(told[3].records, 20);
    CHECK_EQ(counts().given[0], 20);
    CHECK_EQ(counts().delivered[0] + counts().refused[0], counts().given[0]);
    session_free(s);
    CHECK(told[0].closes == 1 && told[3].closes == 1);
    CHECK_EQ(mem_live_blocks(), 0);
}

/* Only the new ones count against the limit: as many as there were fit beside them. */
TEST(session_replaces_as_many_outlets_as_it_may_have)
{
    begin(&ring_like, 2, 10);
    for (unsigned i = 0; i < SESSION_OUTLETS_MAX; i++)
        add(&of_records, "0");
    session_step(s, &err);
    told[0].fail_close = true;
    REQUIRE(session_change_begin(s, SESSION_FILES, &err) == 0);
    for (unsigned i = 0; i < SESSION_OUTLETS_MAX; i++)
        add(&of_records, "1");
    struct outlet_options o = {.which = "1"};
    CHECK_EQ(session_add_outlet(s, &of_records, &o, NULL, &err), ORIEL_ELIMIT);
    session_change_take(s);
    CHECK_EQ(session_run(s, &err), SOURCE_IDLE);
    CHECK_EQ(counts().replaced.failed, SESSION_OUTLETS_MAX);
    CHECK_EQ(session_finish(s, &err), ORIEL_EIO); /* also of those that are gone */
    CHECK_EQ(counts().replaced.given, SESSION_OUTLETS_MAX * 10);
    session_free(s);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(session_copies_options_secrets_included)
{
    begin(&file_like, 0, 0);
    char secret[] = "s3cret";
    struct outlet_options o = {.which = "0", .secret = secret, .number = 9};
    REQUIRE(session_add_outlet(s, &of_records, &o, NULL, &err) == 0);
    CHECK_STR(told[0].option, "s3cret/9");
    REQUIRE(session_add_outlet(s, &of_records, NULL, NULL, &err) == 0);
    CHECK_STR(told[0].option, "/5");
    session_free(s);
}

static int failing_callback(void *user, const struct model_batch *items)
{
    *(uint64_t *)user += items->item_count;
    return ORIEL_ENOMEM;
}

TEST(session_counts_a_failing_callback_and_goes_on)
{
    uint64_t items = 0;
    begin(&file_like, 3, 10);
    session_on_items(s, failing_callback, &items);
    CHECK_EQ(session_run(s, &err), SOURCE_END);
    CHECK_EQ(session_finish(s, &err), ORIEL_ENOMEM);
    CHECK(items >= 30);
    CHECK(counts().internal_failed > 0);
    session_free(s);
}

TEST(session_survives_the_failure_of_every_allocation)
{
    for (uint64_t n = 1; n < 2000; n++) {
        memset(told, 0, sizeof told);
        script = (struct script){.batches = 3, .per_batch = 10};
        mem_fail_after(n);
        struct outlet_options o = {.which = "0", .secret = "x"}, p = {.which = "1"};
        int rc = session_new_source(&s, &file_like, "x", NULL, &err);
        if (rc == 0) {
            rc = session_add_outlet(s, &of_records, &o, NULL, &err);
            int rc2 = session_add_outlet(s, &of_items, &p, NULL, &err);
            for (int i = 0; i < 10; i++)
                session_step(s, &err);
            session_finish(s, &err);
            struct session_counts c = counts();
            if (rc == 0)
                CHECK_EQ(c.delivered[0] + c.refused[0], c.records);
            rc = rc ? rc : rc2;
            session_free(s);
        }
        mem_fail_after(0);
        CHECK_EQ(mem_live_blocks(), 0);
        if (rc == 0 && told[1].items >= 30 && n > 100)
            return; /* nothing failed any more */
        test_stop_if_failed();
    }
}

/* ---- a source beside the first ---- */

static struct {
    uint64_t samples, events, last_ns, backwards;
} order;

static int watch_order(void *user, const struct model_batch *items)
{
    (void)user;
    for (size_t i = 0; i < items->item_count; i++) {
        const struct model_item *it = &items->items[i];
        order.samples += it->kind == MODEL_ITEM_SAMPLE;
        order.events += it->kind == MODEL_ITEM_EVENT;
        if (it->kind == MODEL_ITEM_LOSS)
            continue;
        /* An item's own time never goes back; what it is made of may have. */
        const uint64_t t_ns = it->kind == MODEL_ITEM_EVENT    ? it->u.event.t_ns
                              : it->kind == MODEL_ITEM_SAMPLE ? it->u.sample.t_ns
                                                              : it->t_ns;
        order.backwards += t_ns < order.last_ns;
        order.last_ns = t_ns;
    }
    return 0;
}

TEST(what_two_sources_say_of_a_thread_comes_in_one_order)
{
    begin(&ring_like, 10, 20); /* events at 1000 to 1199 */
    REQUIRE(session_add_source(s, &side, "x", &err) == 0);
    add(&of_records, "0");
    session_on_items(s, watch_order, NULL);
    while (session_step(s, &err) == SOURCE_DATA)
        ;
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(order.events, 200);
    CHECK_EQ(order.samples, SIDE_SAMPLES);
    CHECK_EQ(order.backwards, 0);
    CHECK_EQ(counts().records, 200 + SIDE_SAMPLES);
    CHECK_EQ(told[0].records, 200 + SIDE_SAMPLES);
    session_free(s);
    CHECK_EQ(seen.closes, 2);
    CHECK_EQ(mem_live_blocks(), 0);
}

/* In each round a record that is older than one of the round before, as threads have it. */
static int late_poll(void *state, struct model_batch *b, size_t max, struct oriel_err *err_out)
{
    struct fake_source *f = state;
    (void)max;
    (void)err_out;
    if (f->at == script.batches)
        return SOURCE_IDLE;
    const uint64_t now = 1000 + 10 * (uint64_t)f->at++;
    f->t_ns = now + 9;
    bool ok = add_event(f, b);
    f->t_ns = now - 6;
    ok = ok && add_event(f, b);
    b->records[1].stream = 2;
    b->watermark_ns = f->at > script.silent ? now + 4 : MODEL_NO_PROMISE_YET;
    return ok ? SOURCE_DATA : ORIEL_ENOMEM;
}
static const struct source late_like = {.name = "fake",
                                        .state_size = sizeof(struct fake_source),
                                        .open = source_open,
                                        .poll = late_poll,
                                        .commit = source_commit,
                                        .close = source_close};

static void late_rounds(int silent)
{
    memset(&order, 0, sizeof order);
    begin(&late_like, 30, 2);
    script.live = true;
    script.silent = silent;
    REQUIRE(session_add_source(s, &side, "x", &err) == 0);
    session_on_items(s, watch_order, NULL);
    while (session_step(s, &err) == SOURCE_DATA)
        ;
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(order.events, 60);
    CHECK_EQ(order.samples, SIDE_SAMPLES);
    CHECK_EQ(order.backwards, 0);
    session_free(s);
}

TEST(what_a_round_promises_holds_with_the_last_batch_of_it)
{
    late_rounds(0);
}

TEST(what_comes_before_the_first_promise_is_held)
{
    late_rounds(5);
    late_rounds(30);
}

TEST(what_the_second_source_still_holds_comes_at_the_end)
{
    begin(&ring_like, 2, 5);
    REQUIRE(session_add_source(s, &side, "x", &err) == 0);
    session_on_items(s, watch_order, NULL);
    CHECK_EQ(session_step(s, &err), SOURCE_DATA);
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(order.samples, SIDE_SAMPLES);
    CHECK_EQ(order.backwards, 0);
    session_free(s);
}

TEST(times_between_samples_are_no_samples)
{
    for (side_count = 0; side_count < 2; side_count++) {
        begin(&ring_like, 2, 5);
        REQUIRE(session_add_source(s, &side, "x", &err) == 0);
        CHECK_EQ(session_finish(s, &err), 0);
        const struct session_counts c = counts();
        CHECK_EQ(session_samples(&c), side_count * SIDE_SAMPLES);
        CHECK_EQ(c.between, (1 - side_count) * SIDE_SAMPLES);
        session_free(s);
    }
    side_count = 1;
}

/* With the first one's end before or after those beside it are told of theirs. */
static void end_early(bool before)
{
    side_most = 3; /* as large as a batch may be */
    begin(&ring_like, 2, 5);
    script.live = false;
    REQUIRE(session_add_source(s, &side, "x", &err) == 0);
    add(&of_records, "0");
    session_on_items(s, watch_order, NULL);
    for (int steps = before ? 5 : 0; steps > 0; steps--)
        CHECK_EQ(session_step(s, &err), SOURCE_DATA);
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(order.samples, SIDE_SAMPLES);
    CHECK_EQ(order.backwards, 0);
    CHECK_EQ(told[0].records, 10 + SIDE_SAMPLES);
    CHECK_EQ(told[0].last, 1); /* and only then it is over */
    session_free(s);
    side_most = INT_MAX;
}

TEST(all_that_the_second_source_holds_comes_though_the_first_ends_before)
{
    end_early(true);
}

TEST(all_that_the_second_source_holds_comes_though_the_first_ends_meanwhile)
{
    end_early(false);
}

TEST(a_second_source_that_may_not_watch_leaves_the_session_as_it_was)
{
    begin(&ring_like, 2, 5);
    CHECK_EQ(session_add_source(s, &side, NULL, &err), ORIEL_EPERM);
    CHECK_STR(err.text, "side: not permitted");
    add(&of_records, "0");
    while (session_step(s, &err) == SOURCE_DATA)
        ;
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(told[0].records, 10);
    session_free(s);
    CHECK_EQ(seen.closes, 1);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
