/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random programs through the pipe. A program of threads runs as the real
 * writer does (stacks, chunks that begin with a SYNC, losses) while a plain
 * model writes down what must come out; chaos is any record with any id, of
 * which only the laws that always hold are checked. Seeded: a failure names
 * its seed.
 */
#include "pipe/pipe.h"

#include "piped.h"
#include "random.h"
#include "test.h"

enum { THREADS = 3, DEPTH = 40, SPANS_MAX = 256, SEQUENCES = 25000 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    return random_below(&random_state, n);
}

static bool chance(uint32_t percent)
{
    return random_chance(&random_state, percent);
}

/* ---- the program and what is expected of it ---- */

struct expected {
    uint64_t id, parent, start_ns, end_ns;
    bool written;   /* its begin is in a chunk that survives */
    bool ended;     /* so is its end */
    bool abandoned; /* left by a longjmp: unfinished whatever survives */
    bool seen;
    uint32_t thread, chunk;
};

struct program {
    struct piped c;
    struct model_batch staged[THREADS]; /* written, not yet read */
    struct records_stream streams[THREADS];
    uint64_t stack[THREADS][DEPTH];
    uint32_t depth[THREADS], chunk_left[THREADS];
    bool doomed[THREADS]; /* the chunk being written will be overwritten */
    size_t doomed_from[THREADS];
    uint64_t now;
    struct expected spans[SPANS_MAX];
    uint32_t span_count;
    bool any_loss;
};

static struct program p;
static const struct model_site *span_site, *field_site, *event_site, *set_site;

static struct expected *find(uint64_t id)
{
    for (uint32_t i = p.span_count; i > 0; i--)
        if (p.spans[i - 1].id == id)
            return &p.spans[i - 1];
    return NULL;
}

static void open_program(const struct pipe_options *options)
{
    memset(&p, 0, sizeof p);
    piped_init(&p.c, options);
    span_site = records_site(&p.c.w, ORIEL_SITE_SPAN, "span", "");
    field_site = records_site(&p.c.w, ORIEL_SITE_SPAN, "fields", "text:s,!n:i");
    event_site = records_site(&p.c.w, ORIEL_SITE_EVENT, "event", "n:i");
    set_site = records_site(&p.c.w, ORIEL_SITE_SET, "", "text:s,more:i");
    for (int i = 0; i < THREADS; i++) {
        model_batch_init(&p.staged[i], &p.c.w.catalog);
        p.streams[i] = records_thread(&p.c.w, i + 1);
    }
    p.now = 1000;
}

static void close_program(void)
{
    for (int i = 0; i < THREADS; i++)
        model_batch_done(&p.staged[i]);
    piped_done(&p.c);
}

/* Hand staged records to the pipe: all of some threads, none of others. */
static void flush(bool all)
{
    uint64_t watermark = p.now;
    bool taken[THREADS];
    for (int i = 0; i < THREADS; i++) {
        struct model_batch *b = &p.staged[i];
        taken[i] = all || (chance(60) && !p.doomed[i]);
        if (!taken[i] && b->record_count && b->records[0].t_ns < watermark)
            watermark = b->records[0].t_ns;
        for (size_t k = 0; taken[i] && k < b->record_count; k++)
            *model_batch_add_record(&p.c.in) = b->records[k];
    }
    p.c.in.last = all;
    CHECK_EQ(piped_push(&p.c, watermark), 0);
    for (int i = 0; i < THREADS; i++)
        if (taken[i])
            model_batch_clear(&p.staged[i]);
}

/* ---- the writer ---- */

static void end_chunk(int i)
{
    if (!p.doomed[i])
        return;
    /* Overwritten: its records are gone, its span begins and ends with them. */
    struct model_batch *b = &p.staged[i];
    for (size_t k = p.doomed_from[i]; k < b->record_count; k++) {
        const struct model_record *r = &b->records[k];
        for (uint32_t s = 0; s < p.span_count; s++) {
            if (r->type == ORIEL_REC_BEGIN && p.spans[s].id == r->raw_id)
                p.spans[s].written = false;
            if (r->type == ORIEL_REC_END && (uint32_t)p.spans[s].id == ORIEL_RECORD_LOW(r->raw[0]))
                p.spans[s].ended = false;
        }
    }
    b->record_count = p.doomed_from[i];
    p.any_loss = true;
    p.doomed[i] = false;
}

/* Room for one more record; starts a chunk when there is none. */
static void room(int i, bool losses)
{
    if (p.chunk_left[i]-- > 0)
        return;
    end_chunk(i);
    p.chunk_left[i] = below(12) + 1;
    p.doomed[i] = losses && chance(25);
    p.doomed_from[i] = p.staged[i].record_count;
    rec_sync(&p.staged[i], &p.streams[i], p.now, p.depth[i], p.stack[i]);
}

static void begin(int i, bool losses)
{
    if (p.depth[i] == DEPTH || p.span_count == SPANS_MAX)
        return;
    room(i, losses);
    uint64_t parent = p.depth[i] ? p.stack[i][p.depth[i] - 1] : 0;
    uint64_t id =
        chance(30) ? rec_begin(&p.staged[i], &p.streams[i], p.now, field_site, "text", INT64_C(5))
                   : rec_begin(&p.staged[i], &p.streams[i], p.now, span_site);
    p.stack[i][p.depth[i]++] = id;
    p.spans[p.span_count++] = (struct expected){
        .id = id, .parent = parent, .start_ns = p.now, .written = true, .thread = (uint32_t)i};
}

/* End the span at `level`; those above were jumped over. */
static void end(int i, uint32_t level, bool losses)
{
    struct expected *e = find(p.stack[i][level]);
    for (uint32_t k = level + 1; k < p.depth[i]; k++)
        find(p.stack[i][k])->abandoned = true;
    bool popped_first = chance(50); /* before or after the record finds room */
    if (popped_first)
        p.depth[i] = level;
    room(i, losses);
    p.depth[i] = level;
    rec_end(&p.staged[i], &p.streams[i], p.now, e->id);
    e->ended = true;
    e->end_ns = p.now;
}

/* The ring was full: a begin that fails leaves no trace, an end that fails
 * pops the stack. Both are counted, the next chunk says so. */
static void fail(int i)
{
    if (chance(50) && p.depth[i] > 0)
        p.depth[i]--;
    rec_lose(&p.streams[i], ORIEL_LOST_RING_FULL, 1);
    p.chunk_left[i] = 0;
    p.any_loss = true;
}

static void step(bool losses)
{
    int i = (int)below(THREADS);
    uint32_t what = below(100);
    p.now += below(3);
    if (what < 45)
        begin(i, losses);
    else if (what < 85 && p.depth[i])
        end(i, chance(90) ? p.depth[i] - 1 : below(p.depth[i]), losses);
    else if (what < 92) {
        room(i, losses);
        rec_event(&p.staged[i], &p.streams[i], p.now, event_site, INT64_C(1));
    } else if (what < 95 && losses)
        fail(i);
    else
        flush(false);
}

/* ---- what must hold ---- */

static const struct model_span *span_by_id(uint64_t w3c)
{
    for (size_t i = 0; w3c && i < p.c.out.item_count; i++)
        if (p.c.out.items[i].kind == MODEL_ITEM_SPAN && p.c.out.items[i].u.span.span_id == w3c)
            return &p.c.out.items[i].u.span;
    return NULL;
}

/* What a span that came out must look like. */
static void check_span(const struct model_span *s)
{
    struct expected *e = NULL;
    for (uint32_t i = 0; i < p.span_count && !e; i++)
        e = oriel_id_mix(p.spans[i].id) == s->span_id ? &p.spans[i] : NULL;
    CHECK(e && e->written && !e->seen);
    if (!e)
        return;
    e->seen = true;
    CHECK_EQ(s->start_ns, e->start_ns);
    CHECK_EQ(s->parent_id, e->parent ? oriel_id_mix(e->parent) : 0);
    CHECK(s->thread == p.streams[e->thread].thread);
    bool finished = e->ended && !e->abandoned;
    CHECK_EQ((s->flags & MODEL_SPAN_UNFINISHED) != 0, !finished);
    if (finished)
        CHECK_EQ(s->end_ns, e->end_ns);
    const struct model_span *parent = span_by_id(s->parent_id);
    CHECK(s->end_ns >= s->start_ns && s->end_ns <= p.now);
    if (parent) { /* on its thread, so within it */
        CHECK(s->start_ns >= parent->start_ns);
        CHECK(s->end_ns <= parent->end_ns);
        CHECK_MEM(s->trace_id, 16, parent->trace_id, 16);
        CHECK(s->depth > parent->depth);
    }
}

static void check_order(void)
{
    for (size_t i = 1; i < p.c.out.item_count; i++)
        CHECK(p.c.out.items[i].t_ns >= p.c.out.items[i - 1].t_ns);
}

static void run_program(uint64_t seed, bool losses)
{
    random_state = seed;
    open_program(NULL);
    for (uint32_t n = 20 + below(80); n > 0; n--)
        step(losses);
    p.now++;
    for (int i = 0; i < THREADS; i++)
        end_chunk(i);
    flush(true);
    for (size_t i = 0; i < p.c.out.item_count; i++)
        if (p.c.out.items[i].kind == MODEL_ITEM_SPAN)
            check_span(&p.c.out.items[i].u.span);
    for (uint32_t i = 0; i < p.span_count; i++)
        CHECK_EQ(p.spans[i].seen, p.spans[i].written);
    struct pipe_counts n = piped_counts(&p.c);
    CHECK(n.open == 0 && n.clamped == 0 && n.fates[PIPE_FOREIGN] == 0);
    if (!p.any_loss)
        CHECK_EQ(n.orphan_ends, 0);
    check_order();
    close_program();
}

static void run_many(bool losses, uint64_t first_seed)
{
    for (uint64_t seed = first_seed; seed < first_seed + test_times(SEQUENCES); seed++) {
        run_program(seed, losses);
        if (mem_live_blocks() != 0)
            test_fail(__FILE__, __LINE__, "seed %llu leaks", (unsigned long long)seed);
        test_stop_if_failed();
    }
}

TEST_T(random_programs_come_out_as_they_ran, 300)
{
    run_many(false, 1);
}

TEST_T(random_programs_with_losses_keep_every_span_that_was_kept_and_its_parent, 300)
{
    run_many(true, 1000001);
}

/* ---- chaos ---- */

static uint64_t some_id(void)
{
    if (p.span_count == 0 || chance(10))
        return chance(50) ? 0 : ((uint64_t)below(UINT32_MAX) << 32) | below(UINT32_MAX);
    return p.spans[below(p.span_count)].id;
}

static void remember(uint64_t id)
{
    p.spans[p.span_count < SPANS_MAX ? p.span_count++ : below(SPANS_MAX)].id = id;
}

/* What says something about spans there are, or are not. */
static void any_detail(struct model_batch *b, struct records_stream *s, uint64_t t)
{
    switch (below(7)) {
    case 0:
        rec_set(b, s, t, some_id(), set_site, "set", INT64_C(3));
        break;
    case 1:
        rec_link(b, s, t, some_id(), 1, 2, 3);
        break;
    case 2:
        rec_follow(b, s, t, some_id(), some_id());
        break;
    case 3:
        rec_status(b, s, t, some_id(), below(4), "status");
        break;
    case 4:
        rec_event_on(b, s, t, some_id(), event_site, INT64_C(4));
        break;
    case 5:
        rec_name(b, s, t, some_id(), chance(80) ? "another name" : "");
        break;
    default:
        rec_event(b, s, t, event_site, INT64_C(5));
        break;
    }
}

static void any_sync(struct model_batch *b, struct records_stream *s, uint64_t t)
{
    uint64_t ids[8];
    for (int i = 0; i < 8; i++)
        ids[i] = some_id();
    if (chance(50))
        rec_lose(s, below(ORIEL_LOST_CAUSES), 1 + below(3));
    if (chance(20))
        s->position += 8 * below(5000);
    rec_sync(b, s, t, below(9), ids);
}

static void any_record(struct model_batch *b, struct records_stream *s)
{
    uint64_t t = chance(3) ? below(2000) : p.now; /* the clock jumps now and then */
    if (chance(3))
        records_flags((uint8_t)below(16));
    uint32_t what = below(16);
    if (what < 3)
        remember(rec_begin(b, s, t, span_site));
    else if (what == 3)
        remember(rec_begin(b, s, t, field_site, "begin", INT64_C(1)));
    else if (what < 7)
        rec_end(b, s, t, some_id());
    else if (what == 7)
        remember(rec_open(b, s, t, field_site, some_id(), "open", INT64_C(2)));
    else if (what == 8)
        rec_close(b, s, t, some_id());
    else if (what == 9)
        rec_enter(b, s, t, some_id());
    else if (what == 10)
        rec_exit(b, s, t, some_id());
    else if (what == 11)
        remember(rec_span(b, s, t, field_site, below(100), below(100), some_id(), "x", INT64_C(4)));
    else if (what == 12 && chance(50))
        rec_attach(b, s, t, below(3), below(3), below(3));
    else if (what == 12)
        rec_detach(b, s, t);
    else if (what == 13)
        any_sync(b, s, t);
    else
        any_detail(b, s, t);
}

/* What holds for every input. */
static void check_laws(void)
{
    static const uint8_t zero[16];
    struct pipe_counts n = piped_counts(&p.c);
    uint64_t spans = 0, unfinished = 0, clamped = 0, lost[ORIEL_LOST_CAUSES] = {0};
    for (size_t i = 0; i < p.c.out.item_count; i++) {
        const struct model_item *it = &p.c.out.items[i];
        if (it->kind == MODEL_ITEM_LOSS)
            lost[it->u.loss.cause] += it->u.loss.count;
        if (it->kind != MODEL_ITEM_SPAN)
            continue;
        const struct model_span *s = &it->u.span;
        spans++;
        unfinished += (s->flags & MODEL_SPAN_UNFINISHED) != 0;
        clamped += (s->flags & MODEL_SPAN_CLAMPED) != 0;
        CHECK(s->site && s->thread && s->end_thread && s->span_id);
        CHECK(s->end_ns >= s->start_ns);
        CHECK(memcmp(s->trace_id, zero, 16) != 0);
        CHECK_EQ((s->flags & MODEL_SPAN_ROOT) != 0, s->parent_id == 0);
        CHECK(span_by_id(s->span_id) == s); /* ids are unique */
        for (uint32_t k = 0; k < s->attr_count; k++)
            CHECK(s->attrs[k].key.n > 0);
    }
    CHECK_EQ(spans + n.sampled_out, n.spans);
    CHECK_EQ(n.tail_held, 0);
    CHECK(n.sampled_out ? unfinished <= n.unfinished : unfinished == n.unfinished);
    CHECK(n.sampled_out ? clamped <= n.clamped : clamped == n.clamped);
    CHECK_MEM(lost, sizeof lost, n.lost, sizeof n.lost);
    CHECK_EQ(p.c.out.item_count, n.items_out);
    CHECK_EQ(n.open, 0);
    check_order();
}

static struct pipe_sampling any_sampling(void)
{
    return (struct pipe_sampling){.size = sizeof(struct pipe_sampling),
                                  .root = (enum pipe_sampler)below(3),
                                  .share = below(5) / 4.0,
                                  .parent_based = chance(70),
                                  .remote_sampled = (enum pipe_delegate)below(4),
                                  .local_not_sampled = (enum pipe_delegate)below(4),
                                  .traces_per_s = chance(20),
                                  .keep_errors = chance(50),
                                  .keep_slow_ns = chance(30) ? 1 + below(40) : 0,
                                  .tail_bytes = chance(30) ? 2000 : 0,
                                  .tail_ns = chance(30) ? 10 : 0};
}

static void run_chaos(uint64_t seed)
{
    struct pipe_options options = {.size = sizeof options};
    random_state = seed;
    options.open_span_limit = chance(30) ? 1 + below(6) : 0;
    options.attribute_count_limit = chance(30) ? 1 : 0;
    const struct pipe_sampling how = any_sampling();
    options.sampling = chance(40) ? &how : NULL;
    open_program(&options);
    struct records_stream second = records_second(&p.c.w, &p.streams[0]);
    for (uint32_t n = 20 + below(100); n > 0; n--) {
        int i = (int)below(THREADS);
        p.now += below(4);
        any_record(&p.c.in, i == 0 && chance(30) ? &second : &p.streams[i]);
        if (chance(5))
            CHECK_EQ(piped_push(&p.c, chance(20) ? 0 : p.now - below(20)), 0);
    }
    records_flags(0);
    CHECK_EQ(piped_last(&p.c), 0);
    check_laws();
    close_program();
}

TEST_T(any_records_in_any_order_keep_the_laws, 300)
{
    for (uint64_t seed = 1; seed <= test_times(2 * SEQUENCES); seed++) {
        run_chaos(seed);
        if (mem_live_blocks() != 0)
            test_fail(__FILE__, __LINE__, "seed %llu leaks", (unsigned long long)seed);
        test_stop_if_failed();
    }
}

TEST_T(chaos_without_memory_keeps_the_books, 300)
{
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        random_state = seed;
        open_program(NULL);
        for (int round = 0; round < 4; round++) {
            for (int k = 0; k < 30; k++, p.now += below(4))
                any_record(&p.c.in, &p.streams[below(THREADS)]);
            records_flags(0);
            p.c.in.last = round == 3;
            mem_fail_after(1 + below(40));
            int rc = piped_push(&p.c, p.now);
            mem_fail_after(0);
            CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        }
        close_program();
        CHECK_EQ(mem_live_blocks(), 0);
        test_stop_if_failed();
    }
}

TEST_MAIN()
