/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Composed samplers over whole pipes: which spans come, what their tracestate tells,
 * and what is noted on them.
 */
#include "pipe/compose.h"

#include "base/ratio.h"
#include "piped.h"
#include "test.h"

#define HALF (RATIO_NONE / 2)

static struct piped c;
static struct records_stream a;
static const struct model_site *span, *rich;

static const struct compose on = {.kind = COMPOSE_ON}, off = {.kind = COMPOSE_OFF};
static const struct compose half = {.kind = COMPOSE_RATIO, .ratio = 0.5};

static void open_pipe(const struct compose *composite)
{
    const struct pipe_sampling how = {.size = sizeof how, .composite = composite};
    const struct pipe_options o = {.size = sizeof o, .sampling = &how};
    piped_init(&c, &o);
    span = records_site(&c.w, ORIEL_SITE_SPAN, "span", "");
    rich = records_site(&c.w, ORIEL_SITE_SPAN, "rich", "otel.kind:s,http.route:s,code:i,ok:b");
    a = records_thread(&c.w, 1);
}

static void begin_and_end(uint64_t t, const char *kind, const char *route, int64_t code)
{
    rec_end(&c.in, &a, t + 1, rec_begin(&c.in, &a, t, rich, kind, route, code, true));
}

/* A span below a context from elsewhere, whose id has this randomness. */
static size_t under(const struct compose *composite, uint64_t randomness, uint64_t flags,
                    const char *state)
{
    const uint64_t trace = __builtin_bswap64(randomness);
    open_pipe(composite);
    rec_attach_flags(&c.in, &a, 5, 7, trace, 9,
                     flags | ORIEL_CONTEXT_ORIGIN_KNOWN | ORIEL_CONTEXT_IS_REMOTE);
    if (state)
        rec_state(&c.in, &a, 6, 0, state);
    rec_end(&c.in, &a, 11, rec_begin(&c.in, &a, 10, span));
    rec_detach(&c.in, &a, 12);
    CHECK_EQ(piped_last(&c), 0);
    return piped_items(&c, MODEL_ITEM_SPAN);
}

static const char *state_of(void)
{
    return piped_text(piped_span(&c, "span")->trace_state);
}

TEST(all_none_and_a_share_are_composable)
{
    CHECK_EQ(under(&on, 0, 0, NULL), 1);
    CHECK_EQ(piped_span(&c, "span")->trace_flags & MODEL_TRACE_SAMPLED, MODEL_TRACE_SAMPLED);
    piped_done(&c);
    CHECK_EQ(under(&off, RATIO_NONE - 1, MODEL_TRACE_SAMPLED, NULL), 0);
    piped_done(&c);
    CHECK_EQ(under(&half, HALF, 0, "a=1,ot=rv:80000000000000"), 1);
    CHECK_STR(state_of(), "ot=th:8;rv:80000000000000,a=1");
    piped_done(&c);
    CHECK_EQ(under(&half, HALF - 1, MODEL_TRACE_SAMPLED, NULL), 0);
    piped_done(&c);
    CHECK_EQ(under(&half, 0, 0, "ot=rv:80000000000000"), 1); /* said apart from the id */
    piped_done(&c);
}

TEST(a_parents_threshold_decides_and_goes_on)
{
    const struct compose parent = {.kind = COMPOSE_PARENT, .of = &off};
    CHECK_EQ(under(&parent, HALF, 0, "ot=th:8"), 1); /* whatever its flag says */
    CHECK_STR(state_of(), "ot=th:8");
    piped_done(&c);
    CHECK_EQ(under(&parent, HALF - 1, MODEL_TRACE_SAMPLED, "ot=th:8"), 0);
    piped_done(&c);
    CHECK_EQ(under(&parent, 0, MODEL_TRACE_SAMPLED, "a=1"), 1); /* sampled, and nobody knows how */
    CHECK_STR(state_of(), "a=1");
    piped_done(&c);
    CHECK_EQ(under(&parent, RATIO_NONE - 1, 0, NULL), 0);
    piped_done(&c);
    CHECK_EQ(under(&parent, 0, MODEL_TRACE_SAMPLED, "ot=th:wrong"), 1);
    piped_done(&c);
    open_pipe(&parent); /* without a parent as its root says */
    uint64_t r = rec_begin(&c.in, &a, 10, span);
    rec_end(&c.in, &a, 12, rec_begin(&c.in, &a, 11, span));
    rec_end(&c.in, &a, 13, r);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 0);
    CHECK_EQ(piped_counts(&c).sampled_out, 2);
    piped_done(&c);
}

TEST(the_first_rule_that_fits_chooses_the_sampler)
{
    static const char *const routes[] = {"/health", "/ready", NULL};
    static const char *const fours[] = {"4*", "5?3", NULL}, *const not [] = {"404", NULL};
    const struct compose_rule rules[] = {
        {.key = "http.route", .values = routes, .sampler = &off},
        {.pattern_key = "code", .included = fours, .excluded = not, .sampler = &on},
        {.kinds = 1u << 3, .parents = COMPOSE_NO_PARENT, .sampler = &on},
        {.key = "ok", .values = (const char *const[]){"false", NULL}, .sampler = &on},
    };
    const struct compose by_rules = {.kind = COMPOSE_RULES, .rules = rules, .rule_count = 4};
    static const struct {
        const char *kind, *route;
        int64_t code;
        size_t spans;
    } cases[] = {{"server", "/health", 403, 0}, {"server", "/", 403, 1}, {"server", "/", 404, 0},
                 {"server", "/", 503, 1},       {"server", "/", 500, 0}, {"client", "/", 0, 1},
                 {"client", "/ready", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_pipe(&by_rules);
        begin_and_end(10, cases[i].kind, cases[i].route, cases[i].code);
        CHECK_EQ(piped_last(&c), 0);
        CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), cases[i].spans);
        piped_done(&c);
    }
}

/* Each span for itself, unlike with a sampler that goes by the parent. */
TEST(rules_hold_for_spans_below_others_too)
{
    const struct compose_rule rules[] = {{.parents = COMPOSE_LOCAL, .sampler = &on}};
    const struct compose local = {.kind = COMPOSE_RULES, .rules = rules, .rule_count = 1};
    open_pipe(&local);
    uint64_t r = rec_begin(&c.in, &a, 10, span);
    rec_end(&c.in, &a, 12, rec_begin(&c.in, &a, 11, rich, "internal", "", (int64_t)0, true));
    rec_end(&c.in, &a, 13, r);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 1);
    CHECK(piped_find(&c, "rich") && !piped_find(&c, "span"));
    piped_done(&c);
}

TEST(annotations_come_on_what_is_taken_and_the_program_has_the_last_word)
{
    const struct compose_note notes[] = {
        {.key = "rule", .type = ORIEL_TYPE_STR, .text = "mine"},
        {.key = "level", .type = ORIEL_TYPE_I64, .i64 = 3},
        {.key = "code", .type = ORIEL_TYPE_F64, .f64 = 0.5},
    };
    const struct compose noted = {
        .kind = COMPOSE_NOTES, .of = &on, .notes = notes, .note_count = 3};
    const struct compose_note outer_note = {.key = "outer", .type = ORIEL_TYPE_BOOL, .i64 = 1};
    const struct compose outer = {
        .kind = COMPOSE_NOTES, .of = &noted, .notes = &outer_note, .note_count = 1};
    open_pipe(&outer);
    begin_and_end(10, "server", "/", 7);
    rec_end(&c.in, &a, 21, rec_begin(&c.in, &a, 20, span));
    rec_span(&c.in, &a, 30, rich, 22, 25, 0, "client", "/x", (int64_t)9, false);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "rich"), *plain = piped_span(&c, "span");
    CHECK_EQ(s->attr_count, 7);
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "rule"), "mine");
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "outer"), "true");
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "code"), "7");
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "http.route"), "/");
    CHECK_EQ(plain->attr_count, 4);
    CHECK_STR(piped_attr(plain->attrs, plain->attr_count, "level"), "3");
    const struct model_span *given = &piped_item(&c, MODEL_ITEM_SPAN, 2)->u.span;
    CHECK_EQ(given->attr_count, 7);
    CHECK_STR(piped_attr(given->attrs, given->attr_count, "rule"), "mine");
    CHECK_STR(piped_attr(given->attrs, given->attr_count, "code"), "9");
    piped_done(&c);
}

TEST(a_composite_may_be_changed_while_spans_it_annotated_are_open)
{
    const struct compose_note note = {.key = "rule", .type = ORIEL_TYPE_STR, .text = "first"};
    const struct compose noted = {
        .kind = COMPOSE_NOTES, .of = &on, .notes = &note, .note_count = 1};
    struct pipe_sampling next = {.size = sizeof next, .composite = &off};
    open_pipe(&noted);
    uint64_t r = rec_begin(&c.in, &a, 10, span);
    CHECK_EQ(piped_push(&c, 10), 0);
    CHECK_EQ(pipe_set_sampling(c.pipe, &next), 0);
    next.composite = NULL;
    CHECK_EQ(pipe_set_sampling(c.pipe, &next), 0);
    rec_end(&c.in, &a, 20, r);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "span");
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "rule"), "first");
    piped_done(&c);
}

TEST(trees_that_are_too_deep_are_refused)
{
    struct compose deep[COMPOSE_DEPTH_MAX + 1];
    for (int i = 0; i <= COMPOSE_DEPTH_MAX; i++)
        deep[i] = (struct compose){.kind = i == COMPOSE_DEPTH_MAX ? COMPOSE_ON : COMPOSE_PARENT,
                                   .of = i == COMPOSE_DEPTH_MAX ? NULL : &deep[i + 1]};
    struct arena arena;
    arena_init(&arena);
    CHECK(compose_copy(&arena, deep) == NULL);
    CHECK(compose_copy(&arena, deep + 1) != NULL);
    CHECK_EQ(compose_usual(deep), 0);
    CHECK_EQ(compose_usual(&half), HALF);
    CHECK_EQ(compose_usual(&off), RATIO_NONE);
    arena_done(&arena);
}

TEST_MAIN()
