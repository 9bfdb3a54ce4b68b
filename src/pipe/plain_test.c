/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The short way against the long one: random programs, whole and damaged, go
 * through two pipes that differ in nothing else, and what comes out is compared
 * to the last bit. Seeded: a failure names its seed.
 */
#include "pipe/plain.h"

#include <string.h>

#include "base/buf.h"
#include "piped.h"
#include "random.h"
#include "test.h"

enum { FEW = 3, MANY = PLAIN_THREADS + 6, DEPTH = 3 * PLAIN_DEPTH, PROGRAMS = 20000 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    return random_below(&random_state, n);
}

static bool chance(uint32_t percent)
{
    return random_chance(&random_state, percent);
}

/* ---- a program ---- */

static struct piped c;
static const struct model_site *plain_site, *field_site, *event_site, *set_site, *plot_site;
static struct records_stream streams[MANY], second, beside;
static uint64_t stack[MANY][DEPTH], async[4];
static uint32_t depth[MANY], threads;
static uint64_t now;

static void open_program(const struct pipe_options *options)
{
    piped_init(&c, options);
    plain_site = records_site(&c.w, ORIEL_SITE_SPAN, "plain", "");
    field_site = records_site(&c.w, ORIEL_SITE_SPAN, "fields", "text:s,!n:i");
    event_site = records_site(&c.w, ORIEL_SITE_EVENT, "event", "n:i");
    set_site = records_site(&c.w, ORIEL_SITE_SET, "", "text:s,more:i");
    plot_site = records_site(&c.w, ORIEL_SITE_PLOT, "plot", "v:i");
    for (uint32_t i = 0; i < threads; i++)
        streams[i] = records_thread(&c.w, (int32_t)i + 1);
    second = records_second(&c.w, &streams[0]);
    beside = records_second(&c.w, &streams[1]); /* as a profiler has it */
    memset(depth, 0, sizeof depth);
    memset(async, 0, sizeof async);
    now = 1000;
}

static uint64_t some_id(uint32_t i)
{
    const uint32_t other = below(threads);
    if (chance(10))
        return below(UINT32_MAX);
    if (chance(20))
        return async[below(4)];
    const uint32_t of = chance(80) ? i : other;
    return depth[of] ? stack[of][below(depth[of])] : 0;
}

static void begin(uint32_t i, struct records_stream *s)
{
    if (depth[i] == DEPTH)
        return;
    if (chance(2))
        records_flags((uint8_t)(1u << below(7)));
    stack[i][depth[i]++] = chance(20) ? rec_begin(&c.in, s, now, field_site, "text", INT64_C(5))
                                      : rec_begin(&c.in, s, now, plain_site);
    records_flags(0);
}

static void end(uint32_t i, struct records_stream *s)
{
    if (chance(3)) {
        rec_end(&c.in, s, now, some_id(i));
        return;
    }
    if (!depth[i])
        return;
    const uint32_t at = chance(95) ? depth[i] - 1 : below(depth[i]); /* others: jumped over */
    if (chance(1))
        records_flags(ORIEL_RECF_WATCHED);
    rec_end(&c.in, s, now, stack[i][at]);
    records_flags(0);
    depth[i] = at;
}

/* What belongs to no scope. */
static void any_async(uint32_t i, struct records_stream *s)
{
    const uint32_t k = below(4);
    switch (below(4)) {
    case 0:
        async[k] =
            rec_open(&c.in, s, now, field_site, chance(50) ? some_id(i) : 0, "open", INT64_C(2));
        break;
    case 1:
        rec_close(&c.in, s, now, async[k]);
        break;
    case 2:
        rec_enter(&c.in, s, now, async[k]);
        break;
    default:
        rec_exit(&c.in, s, now, async[k]);
        break;
    }
}

static void any_context(uint32_t i, struct records_stream *s)
{
    if (chance(50))
        rec_detach(&c.in, s, now);
    else
        rec_attach_flags(&c.in, s, now, below(3), 1 + below(3), below(3),
                         below(2) | ORIEL_CONTEXT_ORIGIN_KNOWN |
                             (chance(50) ? ORIEL_CONTEXT_IS_REMOTE : 0));
    if (chance(40))
        rec_state(&c.in, s, now, 0, "a=b");
}

static void any_loss(uint32_t i, struct records_stream *s)
{
    if (chance(50))
        rec_lose(s, below(ORIEL_LOST_CAUSES), 1 + below(3));
    rec_sync(&c.in, s, now, depth[i], stack[i]);
}

/* From the first one on its thread is known to wait, or to allocate. */
static void seen_from_outside(uint32_t i, struct records_stream *s)
{
    const uint64_t counts[4] = {now, now * 10, now / 2, now};
    if (chance(20))
        rec_heap(&c.in, s, now, counts);
    else if (chance(50))
        rec_block(&c.in, &beside, now, ORIEL_SAMPLE_OFF_CPU, 7, 1, 0);
    else
        rec_block(&c.in, &beside, now, ORIEL_SAMPLE_OFF_CPU, 8, 100,
                  ORIEL_WAIT_SHARED | UINT64_C(1) << 16);
}

static void any_detail(uint32_t i, struct records_stream *s)
{
    switch (below(6)) {
    case 0:
        rec_set(&c.in, s, now, some_id(i), set_site, "set", INT64_C(3));
        break;
    case 1:
        rec_status(&c.in, s, now, some_id(i), below(3), "status");
        break;
    case 2:
        rec_link(&c.in, s, now, some_id(i), 1, 2, 3);
        break;
    case 3:
        rec_name(&c.in, s, now, some_id(i), "another name");
        break;
    case 4:
        rec_plot(&c.in, s, now, plot_site, INT64_C(7));
        break;
    default:
        rec_event(&c.in, s, now, event_site, INT64_C(5));
        break;
    }
}

static void step(uint32_t i, uint32_t odd)
{
    struct records_stream *s = i == 0 && chance(10) ? &second : &streams[i];
    now += chance(1) ? below(3000000) : below(3);
    if (!chance(odd)) {
        if (chance(52))
            begin(i, s);
        else
            end(i, s);
        return;
    }
    switch (below(6)) {
    case 0:
        any_async(i, s);
        break;
    case 1:
        any_context(i, s);
        break;
    case 2:
        any_loss(i, s);
        break;
    case 3:
        seen_from_outside(i, s);
        break;
    default:
        any_detail(i, s);
        break;
    }
}

/* ---- what came out ---- */

static void put_values(struct buf *b, const struct model_value *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        buf_put(b, v[i].key.p, v[i].key.n);
        buf_printf(b, "=%s,", piped_attr(&v[i], 1, piped_text(v[i].key)));
    }
}

static void put_ids(struct buf *b, const uint8_t trace[16], uint64_t span_id)
{
    char hex[33];
    model_trace_hex(trace, hex);
    buf_printf(b, " %s %llx", hex, (unsigned long long)span_id);
}

static void put_span(struct buf *b, const struct model_span *s)
{
    const unsigned long long times[] = {s->start_ns, s->end_ns, s->busy_ns, s->parent_id};
    const unsigned counts[] = {
        s->flags,          s->trace_flags, s->depth,         s->status,           s->attr_count,
        s->link_count,     s->busy_count,  s->dropped_attrs, s->dropped_links,    s->event_count,
        s->dropped_events, s->told_flags,  s->thread->index, s->end_thread->index};
    put_ids(b, s->trace_id, s->span_id);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        buf_printf(b, " %llx", times[i]);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        buf_printf(b, " %u", counts[i]);
    buf_printf(b, " %s", piped_text(model_span_name(s)));
    buf_printf(b, " '%s'", piped_text(s->status_message));
    buf_printf(b, " '%s' ", piped_text(s->trace_state));
    put_values(b, s->attrs, s->attr_count);
}

static void put_item(struct buf *b, const struct model_item *it)
{
    buf_printf(b, "%d %llu", (int)it->kind, (unsigned long long)it->t_ns);
    if (it->kind == MODEL_ITEM_SPAN) {
        put_span(b, &it->u.span);
    } else if (it->kind == MODEL_ITEM_EVENT) {
        const struct model_event *e = &it->u.event;
        put_ids(b, e->trace_id, e->span_id);
        buf_printf(b, " %u %d ", e->trace_flags, e->span_unwanted);
        put_values(b, e->attrs, e->attr_count);
    } else if (it->kind == MODEL_ITEM_SAMPLE) {
        const struct model_sample *s = &it->u.sample;
        put_ids(b, s->trace_id, s->span_id);
        buf_printf(b, " %llu %llu %u %s", (unsigned long long)s->weight,
                   (unsigned long long)s->count, s->stack,
                   s->site ? piped_text(s->site->name) : "-");
    } else if (it->kind == MODEL_ITEM_LOSS) {
        buf_printf(b, " %u %llu", it->u.loss.cause, (unsigned long long)it->u.loss.count);
    }
    buf_putc(b, '\n');
}

static struct pipe_sampling any_sampling(void)
{
    static const struct pipe_rate rates[] = {{"", 0.5}, {"plain", 1}};
    return (struct pipe_sampling){
        .size = sizeof(struct pipe_sampling),
        .root = (enum pipe_sampler)below(3),
        .share = below(5) / 4.0,
        .parent_based = chance(70),
        .remote_sampled = chance(50) ? (enum pipe_delegate)below(4) : PIPE_AS_PARENT,
        .local_not_sampled = chance(50) ? (enum pipe_delegate)below(4) : PIPE_AS_PARENT,
        .rates = rates,
        .rate_count = chance(10) ? 2 : 0,
        .traces_per_s = chance(10) ? 1 + below(1000) : 0,
        .keep_errors = chance(30),
        .keep_slow_ns = chance(10) ? 1 + below(1000) : 0};
}

/* The items and the books of one run. Everything but `long_way` follows from the seed. */
static void run(uint64_t seed, bool long_way, struct buf *b)
{
    struct pipe_options options = {.size = sizeof options, .long_way = long_way};
    random_state = seed;
    threads = chance(10) ? MANY : FEW;
    options.open_span_limit = chance(30) ? 1 + below(12) : 0;
    options.attribute_count_limit = chance(30) ? 1 : 0;
    const struct pipe_sampling how = any_sampling();
    options.sampling = chance(40) ? &how : NULL;
    const uint32_t odd = chance(50) ? 3 : below(30), switches = below(60);
    open_program(&options);
    uint32_t i = 0;
    for (uint32_t n = 20 + below(400); n > 0; n--) {
        if (chance(switches))
            i = below(threads);
        step(i, odd);
        if (chance(2))
            CHECK_EQ(piped_push(&c, chance(20) ? 0 : now - below(20)), 0);
        if (options.sampling && chance(1)) {
            const struct pipe_sampling other = any_sampling();
            (void)pipe_set_sampling(c.pipe, &other); /* refused where tails are kept otherwise */
        }
    }
    CHECK_EQ(piped_last(&c), 0);
    for (size_t k = 0; k < c.out.item_count; k++)
        put_item(b, &c.out.items[k]);
    const struct pipe_counts counts = piped_counts(&c);
    for (size_t k = 0; k < sizeof counts / sizeof(uint64_t); k++)
        buf_printf(b, "%llu ", (unsigned long long)((const uint64_t *)(const void *)&counts)[k]);
    piped_done(&c);
}

TEST_T(the_short_way_gives_what_the_long_one_gives, 300)
{
    struct buf quick, slow;
    buf_init(&quick);
    buf_init(&slow);
    for (uint64_t seed = 1; seed <= test_times(PROGRAMS); seed++) {
        buf_clear(&quick);
        buf_clear(&slow);
        run(seed, false, &quick);
        run(seed, true, &slow);
        if (strcmp(buf_cstr(&quick), buf_cstr(&slow)) != 0)
            test_fail(__FILE__, __LINE__, "seed %llu:\n%s\nthe long way:\n%s",
                      (unsigned long long)seed, buf_cstr(&quick), buf_cstr(&slow));
        test_stop_if_failed();
    }
    buf_done(&quick);
    buf_done(&slow);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
