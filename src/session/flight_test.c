/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A session as a flight recorder: of what sources beside the ring give until somebody asks
 * for it, the last is there and the rest is counted.
 */
#include "session/session.h"

#include "base/mem.h"
#include "test.h"

/* ---- a ring that says nothing ---- */

static int ring_open(void *state, const char *path, struct model_catalog *c, struct oriel_err *why)
{
    const struct model_site site = {.id = 2,
                                    .kind = ORIEL_SITE_EVENT,
                                    .level = ORIEL_LEVEL_INFO,
                                    .name = MODEL_STR("said"),
                                    .target = MODEL_STR("test")};
    const struct model_process *p =
        model_catalog_add_process(c, 7, MODEL_STR("/x"), MODEL_STR("x"));
    (void)state;
    (void)path;
    (void)why;
    REQUIRE(p && model_catalog_add_thread(c, p->index, 7, 1) && model_catalog_add_site(c, &site));
    return 0;
}

static int ring_poll(void *state, struct model_batch *b, size_t max, struct oriel_err *why)
{
    (void)state;
    (void)max;
    (void)why;
    b->watermark_ns = UINT64_MAX;
    return SOURCE_IDLE;
}

static void ring_commit(void *state)
{
    (void)state;
}
static void source_close(void *state)
{
    (void)state;
}
static const struct source silent_ring = {.name = "silent",
                                          .state_size = 1,
                                          .open = ring_open,
                                          .poll = ring_poll,
                                          .commit = ring_commit,
                                          .close = source_close};

static struct session *s;
static struct oriel_err err;

static struct session_counts counts(void)
{
    struct session_counts c;
    session_get_counts(s, &c);
    return c;
}

/* ---- beside it, a flood ---- */

/* One of so many events that nobody asks for. */
struct flood {
    const struct model_thread *thread;
    const struct model_site *site;
    uint64_t said, given_up;
    bool over;
};
static struct flood *flood;
enum { FLOOD_SERIAL = 91, FLOOD_ONCE = 1000 };

static int flood_open(void *state, const void *options, struct model_catalog *c,
                      struct oriel_err *why)
{
    struct flood *f = flood = state;
    (void)options;
    (void)why;
    *f = (struct flood){.thread = c->threads[0], .site = c->sites[0]};
    return model_catalog_alias_thread(c, FLOOD_SERIAL, 0);
}

static int flood_poll(void *state, struct model_batch *b, size_t max, struct oriel_err *why)
{
    struct flood *f = state;
    (void)max;
    (void)why;
    for (unsigned i = 0; !f->over && i < FLOOD_ONCE; i++) {
        uint64_t *raw = arena_alloc(&b->arena, 16, 8);
        struct model_record *r = model_batch_add_record(b);
        REQUIRE(raw && r);
        const uint8_t type = i % 2 ? ORIEL_REC_EVENT : ORIEL_REC_SAMPLE;
        const uint64_t t = 1000 + ++f->said;
        raw[0] = ORIEL_RECORD_HEADER(2, type, 0, 2);
        raw[1] = t;
        *r = (struct model_record){.t_ns = t,
                                   .position = t * 16,
                                   .raw = raw,
                                   .site = i % 2 ? f->site : NULL,
                                   .thread = f->thread,
                                   .words = 2,
                                   .type = type,
                                   .stream = FLOOD_SERIAL};
    }
    b->watermark_ns = f->over ? UINT64_MAX : 1000 + f->said;
    return f->over ? SOURCE_IDLE : SOURCE_DATA;
}

static void flood_over(void *state)
{
    ((struct flood *)state)->over = true;
}

static void flood_overwritten(void *state, const struct model_record *r)
{
    CHECK(r->stream == FLOOD_SERIAL);
    ((struct flood *)state)->given_up++;
}

static struct source flood_source = {.name = "flood",
                                     .state_size = sizeof(struct flood),
                                     .open_with = flood_open,
                                     .poll = flood_poll,
                                     .over = flood_over,
                                     .close = source_close};
enum { FLOOD_HELD = 262144 };

static uint64_t last_seen_ns;
static int watch_last(void *user, const struct model_batch *items)
{
    (void)user;
    for (size_t i = 0; i < items->item_count; i++)
        if (items->items[i].kind != MODEL_ITEM_LOSS)
            last_seen_ns = items->items[i].t_ns;
    return 0;
}

static void fly(uint64_t held)
{
    REQUIRE(session_new_source(&s, &silent_ring, "x", NULL, &err) == 0);
    REQUIRE(session_add_source(s, &flood_source, "x", &err) == 0);
    session_set_held(s, held);
    session_on_items(s, watch_last, NULL);
    for (int i = 0; i < 20; i++)
        session_look(s);
}

TEST(a_flight_recorder_holds_the_last_of_those_beside_and_counts_the_rest)
{
    fly(FLOOD_HELD);
    CHECK_EQ(counts().records, 0);
    CHECK(flood->said >= 20000);
    const uint64_t said = flood->said;
    flood->over = true; /* and no more comes */
    const struct session_counts before = counts();
    CHECK(before.lost[ORIEL_LOST_OVERWRITTEN] > 0 && before.samples_overwritten > 0);
    CHECK_EQ(session_finish(s, &err), 0);
    const struct session_counts c = counts();
    CHECK_EQ(c.records + c.lost[ORIEL_LOST_OVERWRITTEN] + c.samples_overwritten, said);
    CHECK_EQ(last_seen_ns, 1000 + said);
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)c.samples_overwritten);
    CHECK(model_str_equal(model_catalog_resource(session_catalog(s), "oriel.sample.overwritten"),
                          (struct model_str){text, (uint32_t)strlen(text)}));
    session_free(s);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(who_counts_what_was_overwritten_itself_is_told_of_each)
{
    flood_source.overwritten = flood_overwritten;
    fly(FLOOD_HELD);
    flood->over = true;
    CHECK(flood->given_up > 0);
    const uint64_t said = flood->said, up = flood->given_up;
    CHECK_EQ(session_finish(s, &err), 0);
    CHECK_EQ(counts().records + up, said);
    CHECK_EQ(counts().lost[ORIEL_LOST_OVERWRITTEN], 0);
    session_free(s);
    flood_source.overwritten = NULL;
}

TEST(two_dumps_have_each_record_once)
{
    fly(FLOOD_HELD);
    uint64_t last = 0;
    while (counts().records == 0 || counts().records > last) { /* what is held, and no poll more */
        last = counts().records;
        if (last)
            flood->over = true;
        CHECK(session_step(s, &err) >= 0);
    }
    const struct session_counts first = counts();
    CHECK_EQ(first.records + first.lost[ORIEL_LOST_OVERWRITTEN] + first.samples_overwritten,
             flood->said);
    flood->over = false;
    for (int i = 0; i < 20; i++)
        session_look(s);
    flood->over = true;
    CHECK_EQ(session_finish(s, &err), 0);
    const struct session_counts c = counts();
    CHECK(c.records > first.records);
    CHECK_EQ(c.records + c.lost[ORIEL_LOST_OVERWRITTEN] + c.samples_overwritten, flood->said);
    session_free(s);
}

TEST(where_nothing_may_be_held_those_beside_are_left_alone)
{
    fly(0);
    CHECK_EQ(flood->said, 0);
    flood->over = true;
    CHECK_EQ(session_finish(s, &err), 0);
    session_free(s);
}

TEST_MAIN()
