/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pipe as a whole: options, books, and every allocation failing in turn.
 */
#include "pipe/pipe.h"

#include <stdlib.h>

#include "piped.h"
#include "test.h"

TEST(options_are_checked_and_zero_is_the_default)
{
    struct records w;
    struct pipe *p = NULL;
    records_init(&w);
    struct pipe_options o = {.size = sizeof o};
    CHECK_EQ(pipe_new(&p, &o, &w.catalog), 0);
    pipe_free(p);
    CHECK_EQ(pipe_new(&p, NULL, &w.catalog), 0);
    pipe_free(p);
    CHECK_EQ(pipe_new(NULL, NULL, &w.catalog), ORIEL_EINVAL);
    CHECK_EQ(pipe_new(&p, NULL, NULL), ORIEL_EINVAL);
    o.size = 0;
    CHECK_EQ(pipe_new(&p, &o, &w.catalog), ORIEL_EINVAL);
    static const struct pipe_options bad[] = {
        {.size = sizeof o, .attribute_count_limit = UINT32_MAX},
        {.size = sizeof o, .event_count_limit = 1u << 21},
        {.size = sizeof o, .link_count_limit = UINT32_MAX},
        {.size = sizeof o, .open_span_limit = UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(pipe_new(&p, &bad[i], &w.catalog), ORIEL_EINVAL);
    pipe_free(NULL);
    records_done(&w);
}

TEST(options_of_older_and_newer_callers_are_understood)
{
    struct records w;
    struct pipe *p;
    records_init(&w);
    size_t old = offsetof(struct pipe_options, link_count_limit);
    struct pipe_options *exact = malloc(old); /* not a byte more, for the sanitizer */
    memset(exact, 0, old);
    uint32_t size = (uint32_t)old; /* the optimizer must not see how short it is */
    memcpy(exact, &size, sizeof size);
    CHECK_EQ(pipe_new(&p, exact, &w.catalog), 0);
    pipe_free(p);
    free(exact);
    struct {
        struct pipe_options known;
        uint32_t later;
    } newer = {.known.size = sizeof newer};
    CHECK_EQ(pipe_new(&p, &newer.known, &w.catalog), 0);
    pipe_free(p);
    newer.later = 1; /* asks for something this version does not know */
    CHECK_EQ(pipe_new(&p, &newer.known, &w.catalog), ORIEL_EINVAL);
    records_done(&w);
}

TEST(an_empty_last_batch_is_passed_on)
{
    struct piped c;
    piped_init(&c, NULL);
    CHECK_EQ(piped_last(&c), 0);
    CHECK(c.out.last);
    CHECK_EQ(c.out.item_count, 0);
    piped_done(&c);
}

TEST(items_of_several_pushes_are_appended)
{
    struct piped c;
    piped_init(&c, NULL);
    struct records_stream a = records_thread(&c.w, 1);
    const struct model_site *log = records_format(&c.w, "n is %d", ":i");
    for (uint64_t t = 1; t <= 3; t++) {
        rec_event(&c.in, &a, t, log, (int64_t)t);
        CHECK_EQ(piped_push(&c, t), 0);
        CHECK_EQ(c.out.watermark_ns, t);
    }
    CHECK_EQ(c.out.item_count, 3);
    for (size_t i = 0; i < 3; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "n is %zu", i + 1);
        CHECK_STR(piped_text(c.out.items[i].u.event.message), expected);
    }
    CHECK_EQ(piped_counts(&c).items_out, 3);
    CHECK_EQ(piped_counts(&c).events, 3);
    piped_done(&c);
}

TEST(records_held_back_are_on_the_books)
{
    struct piped c;
    piped_init(&c, NULL);
    struct records_stream a = records_thread(&c.w, 1);
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_SPAN, "s", "text:s");
    uint64_t id = rec_begin(&c.in, &a, 10, site, "kept by the pipe");
    rec_end(&c.in, &a, 20, id);
    CHECK_EQ(piped_push(&c, 5), 0);
    CHECK_EQ(piped_counts(&c).held, 2);
    CHECK_EQ(piped_push(&c, 15), 0);
    CHECK_EQ(piped_counts(&c).held, 1);
    CHECK_EQ(piped_counts(&c).open, 1);
    CHECK_EQ(piped_push(&c, 25), 0);
    CHECK_EQ(piped_counts(&c).held, 0);
    const struct model_span *s = piped_span(&c, "s");
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "text"), "kept by the pipe");
    piped_done(&c);
}

/* ---- memory that fails ---- */

struct cast {
    const struct model_site *span, *set, *log, *plain;
    struct records_stream a, b;
    uint64_t held_open;
};

static void hire(struct piped *c, struct cast *k)
{
    k->span = records_site(&c->w, ORIEL_SITE_SPAN, "span", "path:s,!token:s");
    k->plain = records_site(&c->w, ORIEL_SITE_SPAN, "plain", "");
    k->set = records_site(&c->w, ORIEL_SITE_SET, "", "path:s,more:i");
    k->log = records_format(&c->w, "%s and %d", "!:s,:i");
    k->a = records_thread(&c->w, 1);
    k->b = records_thread(&c->w, 2);
}

/* A round with something of everything, on two threads, some of it held. */
static void perform(struct piped *c, struct cast *k, uint64_t t)
{
    struct model_batch *in = &c->in;
    uint64_t s = rec_begin(in, &k->a, t, k->span, "/a/path", "secret text");
    rec_set(in, &k->a, t + 1, s, k->set, "/another", INT64_C(5));
    uint64_t j = rec_open(in, &k->a, t + 2, k->span, s, "/job", "secret text");
    rec_enter(in, &k->b, t + 3, j);
    uint64_t p = rec_begin(in, &k->b, t + 4, k->plain);
    rec_event(in, &k->b, t + 5, k->log, "secret text", INT64_C(9));
    rec_link(in, &k->b, t + 6, p, 1, 2, 3);
    rec_follow(in, &k->b, t + 7, p, s);
    rec_end(in, &k->b, t + 8, p);
    rec_exit(in, &k->b, t + 9, j);
    rec_status(in, &k->a, t + 10, s, ORIEL_STATUS_ERROR, "bad secret text");
    rec_attach(in, &k->b, t + 11, 1, 2, 3);
    rec_span(in, &k->b, t + 12, k->span, 5, 6, s, "/gpu", "x");
    rec_detach(in, &k->b, t + 13);
    if (k->held_open)
        rec_end(in, &k->a, t + 14, k->held_open);
    rec_lose(&k->a, ORIEL_LOST_RING_FULL, 1);
    rec_sync(in, &k->a, t + 15, 1, &s);
    rec_close(in, &k->a, t + 16, j);
    rec_end(in, &k->a, t + 17, s);
    k->held_open = rec_begin(in, &k->a, t + 40, k->span, "/held", "secret text");
}

static bool shows_secret(const struct model_batch *out)
{
    bool found = false;
    for (size_t i = 0; i < out->item_count; i++) {
        const struct model_item *it = &out->items[i];
        struct model_str s = it->kind == MODEL_ITEM_EVENT  ? it->u.event.message
                             : it->kind == MODEL_ITEM_SPAN ? it->u.span.status_message
                                                           : MODEL_STR("");
        found |= s.n && memmem(s.p, s.n, "secret text", 11);
    }
    return found;
}

/* Whether the failure ordered with mem_fail_after(n) has happened. */
static bool has_failed(uint64_t n)
{
    bool pending = false;
    for (uint64_t i = 0; i < n && !pending; i++) {
        void *p = mem_alloc(1);
        pending = !p;
        mem_free(p);
    }
    mem_fail_after(0);
    return !pending;
}

/* Four rounds, in one of which the n-th allocation fails. False: that round
 * makes fewer allocations. */
static bool perform_failing(const struct pipe_options *options, uint64_t failing_round, uint64_t n)
{
    struct piped c;
    struct cast k = {0};
    bool failed = false;
    piped_init(&c, options);
    hire(&c, &k);
    for (uint64_t round = 0; round < 4; round++) {
        perform(&c, &k, 100 + 100 * round);
        c.in.watermark_ns = 130 + 100 * round;
        c.in.last = round == 3;
        if (round == failing_round)
            mem_fail_after(n);
        int rc = pipe_push(c.pipe, &c.in, &c.out);
        if (round == failing_round)
            failed = has_failed(n);
        CHECK(rc == 0 || (rc == ORIEL_ENOMEM && round == failing_round && failed));
        model_batch_clear(&c.in);
        piped_check_books(&c);
    }
    CHECK_EQ(piped_counts(&c).open, 0);
    CHECK_EQ(piped_counts(&c).held, 0);
    CHECK_EQ(piped_counts(&c).tail_held, 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN),
             piped_counts(&c).spans - piped_counts(&c).sampled_out);
    CHECK(!shows_secret(&c.out));
    piped_done(&c);
    return failed;
}

static void fail_each(const struct pipe_options *options)
{
    size_t blocks = mem_live_blocks();
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t n = 1;
        for (; perform_failing(options, round, n); n++)
            CHECK_EQ(mem_live_blocks(), blocks);
        CHECK(n > 2); /* some did fail */
    }
}

TEST_T(whichever_allocation_fails_nothing_crashes_leaks_or_goes_uncounted, 300)
{
    fail_each(NULL);
}

TEST_T(nor_where_spans_wait_for_the_end_of_their_trace, 300)
{
    static const struct pipe_rate rates[] = {{"nobody", 1}};
    static const struct pipe_sampling how = {.size = sizeof how,
                                             .root = PIPE_SAMPLE_OFF,
                                             .parent_based = true,
                                             .keep_errors = true,
                                             .rates = rates,
                                             .rate_count = 1};
    fail_each(&(struct pipe_options){.size = sizeof(struct pipe_options), .sampling = &how});
}

TEST(a_new_pipe_without_memory_is_refused)
{
    struct records w;
    struct pipe *p = NULL;
    records_init(&w);
    mem_fail_after(1);
    CHECK_EQ(pipe_new(&p, NULL, &w.catalog), ORIEL_ENOMEM);
    mem_fail_after(0);
    CHECK(!p);
    records_done(&w);
}

TEST(a_steady_load_allocates_nothing)
{
    struct piped c;
    struct cast k = {0};
    piped_init(&c, NULL);
    hire(&c, &k);
    for (uint64_t round = 0; round < 200; round++) {
        uint64_t t = 100 + 100 * round;
        for (uint64_t i = 0; i < 40; i++) {
            uint64_t id = rec_begin(&c.in, &k.a, t + 2 * i, k.plain);
            rec_end(&c.in, &k.a, t + 2 * i + 1, id);
        }
        if (round > 20)
            mem_fail_after(1); /* the first one would fail */
        c.in.watermark_ns = t + 90;
        CHECK_EQ(pipe_push(c.pipe, &c.in, &c.out), 0);
        mem_fail_after(0);
        model_batch_clear(&c.in);
        model_batch_clear(&c.out);
    }
    CHECK_EQ(piped_counts(&c).spans, 200 * 40);
    piped_done(&c);
}

/* What a consumer was given, call by call. */
struct given {
    size_t calls, items;
    uint64_t last_ns;
    bool ordered, cut_a_tie;
};

static void count_given(void *user, const struct model_batch *items)
{
    struct given *g = user;
    REQUIRE(items->item_count >= PIPE_GIVEN);
    for (size_t i = 0; i < items->item_count; i++) {
        g->ordered &= items->items[i].t_ns >= g->last_ns;
        g->last_ns = items->items[i].t_ns;
    }
    g->calls++;
    g->items += items->item_count;
    g->cut_a_tie |= items->items[items->item_count - 1].u.span.flags & MODEL_SPAN_TIED;
}

TEST(a_large_push_is_given_out_in_parts_that_add_up)
{
    struct piped c;
    struct cast k = {0};
    struct given g = {.ordered = true};
    const size_t spans = 5 * PIPE_GIVEN + 7;
    piped_init(&c, NULL);
    hire(&c, &k);
    pipe_on_items(c.pipe, count_given, &g);
    for (uint64_t i = 0; i < spans; i++)
        rec_end(&c.in, &k.a, 100 + 2 * i + 1, rec_begin(&c.in, &k.a, 100 + 2 * i, k.plain));
    c.in.last = true;
    CHECK_EQ(pipe_push(c.pipe, &c.in, &c.out), 0);
    CHECK(g.calls >= 4 && g.ordered);
    CHECK(c.out.last && c.out.item_count < 2 * (size_t)PIPE_GIVEN);
    CHECK_EQ(g.items + c.out.item_count, spans);
    CHECK_EQ(piped_counts(&c).items_out, spans);
    piped_done(&c);
}

TEST(spans_of_the_same_instant_are_given_out_together)
{
    struct piped c;
    struct cast k = {0};
    struct given g = {.ordered = true};
    piped_init(&c, NULL);
    hire(&c, &k);
    pipe_on_items(c.pipe, count_given, &g);
    for (uint64_t i = 0; i < 4 * PIPE_GIVEN; i++) { /* groups of three of one interval */
        uint64_t ids[3];
        for (unsigned d = 0; d < 3; d++)
            ids[d] = rec_begin(&c.in, &k.a, 100 + 2 * i, k.plain);
        for (unsigned d = 3; d-- > 0;)
            rec_end(&c.in, &k.a, 100 + 2 * i + 1, ids[d]);
    }
    c.in.last = true;
    CHECK_EQ(pipe_push(c.pipe, &c.in, &c.out), 0);
    CHECK(g.calls > 2 && !g.cut_a_tie);
    CHECK_EQ(g.items + c.out.item_count, 3 * 4 * PIPE_GIVEN);
    piped_done(&c);
}

TEST_MAIN()
