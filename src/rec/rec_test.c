/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The record path read back through the real ring source: what was said is
 * what is there, and what is not there was counted.
 */
#define ORIEL_TARGET "rec.test"
#include <oriel/array.h>
#include <oriel/oriel.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "rec/rec.h"
#include "recording.h"
#include "test.h"

static void one_span(void)
{
    ORIEL_SPAN("span");
    __asm__ volatile("" ::: "memory");
}

TEST(nothing_happens_before_a_recording_starts)
{
    struct oriel_span s = ORIEL_OPEN("job", ORIEL_CURRENT);
    one_span();
    ORIEL_INFO("hello", "n", 1);
    CHECK(!oriel_enabled());
    CHECK_EQ(s.id, 0);
    CHECK_EQ(oriel_span_current().id, 0);
}

TEST(spans_and_events_are_read_back_with_their_sites)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    one_span();
    ORIEL_EVENT("cache.evicted", "bytes", 4096);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_END], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 1);
    CHECK_EQ(r.damaged, 0);
    CHECK_EQ(recording_lost_total(&r), 0);
    CHECK_EQ(r.catalog.process_count, 1);
    CHECK_EQ(r.catalog.processes[0]->pid, getpid());
    recording_end(&r);
}

/* The last record of a type, with copies of its texts: the batch dies. */
struct seen {
    struct model_value values[20];
    char texts[20][64];
    unsigned count;
    uint8_t type;
};
static void keep_values(void *user, const struct model_record *m)
{
    struct seen *s = user;
    struct model_values it;
    if (m->type != s->type)
        return;
    model_values_begin(&it, m);
    for (s->count = 0; s->count < 20 && model_values_next(&it, &s->values[s->count]); s->count++) {
        struct model_value *v = &s->values[s->count];
        if (v->type != ORIEL_TYPE_STR && v->type != ORIEL_TYPE_BYTES)
            continue;
        size_t n = v->v.str.n < sizeof s->texts[0] ? v->v.str.n : sizeof s->texts[0];
        memcpy(s->texts[s->count], v->v.str.p, n);
        v->v.str.p = s->texts[s->count];
    }
}

TEST(every_type_of_value_arrives_as_it_was_said)
{
    struct seen s = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_values, .user = &s};
    recording_begin(&r, NULL);
    ORIEL_EVENT("values", "yes", (bool)1, "i", -7, "u", 18446744073709551615ull, "d", 2.5, "s",
                "text", "b", oriel_blob("\0\1\2", 3), "p", (void *)&s, "null", (char *)NULL);
    recording_read(&r, true);
    REQUIRE(s.count == 8);
    CHECK(s.values[0].v.b);
    CHECK_EQ(s.values[1].v.i64, -7);
    CHECK(s.values[2].v.u64 == UINT64_MAX);
    CHECK(s.values[3].v.f64 == 2.5);
    CHECK_MEM(s.values[4].v.str.p, s.values[4].v.str.n, "text", (size_t)4);
    CHECK_MEM(s.values[5].v.str.p, s.values[5].v.str.n, "\0\1\2", (size_t)3);
    CHECK(s.values[6].v.u64 == (uintptr_t)&s);
    CHECK_MEM(s.values[7].v.str.p, s.values[7].v.str.n, "(null)", (size_t)6);
    recording_end(&r);
}

TEST(a_secret_never_leaves_the_call_site)
{
    struct seen s = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_values, .user = &s};
    recording_begin(&r, NULL);
    ORIEL_EVENT("login", "user", "ann", ORIEL_SECRET("token", "hunter2-canary"));
    FILE *f = fopen(r.path, "rb");
    REQUIRE(f);
    static char image[1 << 20];
    bool leaked = false;
    for (size_t n; (n = fread(image, 1, sizeof image, f)) > 0;)
        leaked |= memmem(image, n, "hunter2-canary", 14) != NULL;
    fclose(f);
    CHECK(!leaked);
    recording_read(&r, true);
    CHECK_EQ(s.count, 2);
    CHECK_EQ(s.values[1].v.str.n, 0);
    CHECK(s.values[1].flags & ORIEL_FIELD_SECRET);
    recording_end(&r);
}

static bool is_array(const struct model_value *v, const char *json)
{
    return (v->flags & ORIEL_FIELD_NESTED) && v->type == ORIEL_TYPE_STR &&
           v->v.str.n == strlen(json) && memcmp(v->v.str.p, json, v->v.str.n) == 0;
}

TEST(arrays_of_every_type_are_recorded_as_json_with_whole_elements)
{
    static const int64_t ids[] = {0, -7, INT64_MIN, INT64_MAX};
    static const double shares[] = {2, -0.5, 1e300, 1.0 / 0.0};
    static const bool bits[] = {true, false};
    static const char *const names[] = {"a\"b\\", "\n", NULL, "\xc3\xa4"};
    char a[80], b[80], c[80], d[80], little[8], none[1];
    struct seen s = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_values, .user = &s};
    recording_begin(&r, NULL);
    ORIEL_EVENT("arrays", ORIEL_ARRAY_I64("i", a, ids, 4), ORIEL_ARRAY_F64("f", b, shares, 4),
                ORIEL_ARRAY_BOOL("b", c, bits, 2), ORIEL_ARRAY_STR("s", d, names, 4),
                ORIEL_ARRAY_I64("cut", little, ids, 4), ORIEL_ARRAY_I64("no", none, ids, 4), "n",
                1);
    recording_read(&r, true);
    REQUIRE(s.count == 7);
    CHECK(is_array(&s.values[0], "[0,-7,-9223372036854775808,9223372036854775807]"));
    CHECK(is_array(&s.values[1],
                   "[2.0,-0.5,1.0000000000000001e+300,{\"doubleValue\":\"Infinity\"}]"));
    CHECK(is_array(&s.values[2], "[true,false]"));
    CHECK(is_array(&s.values[3], "[\"a\\\"b\\\\\",\"\\u000a\",null,\"\xc3\xa4\"]"));
    CHECK(is_array(&s.values[4], "[0,-7]"));
    CHECK(is_array(&s.values[5], ""));
    CHECK(model_str_equal(s.values[0].key, MODEL_STR("i")));
    CHECK_EQ(s.values[6].v.i64, 1);
    recording_end(&r);
}

TEST(arguments_are_recorded_only_when_asked_for)
{
    struct region_options o = {.flags = WIRE_REGION_INCLUDE_ARGS};
    struct seen s = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_values, .user = &s};
    recording_begin(&r, &o);
    ORIEL_EVENT("open", ORIEL_ARG("path", "/etc/hosts"));
    recording_read(&r, true);
    CHECK_EQ(s.values[0].v.str.n, 10);
    recording_end(&r);
}

TEST(long_texts_are_cut_and_say_so)
{
    static char big[1 << 20];
    struct seen s = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_values, .user = &s};
    memset(big, 'x', sizeof big - 1);
    recording_begin(&r, NULL);
    ORIEL_EVENT("big", "a", big, "b", big, "n", 7);
    recording_read(&r, true);
    REQUIRE(s.count == 3);
    CHECK(s.values[0].v.str.n > 2000 && s.values[0].v.str.n <= ORIEL_STRING_MAX_BYTES);
    CHECK_EQ(s.values[0].full_bytes, sizeof big - 1);
    CHECK_EQ(s.values[2].v.i64, 7);
    CHECK_EQ(recording_lost_total(&r), 0);
    recording_end(&r);
}

TEST(who_asks_for_room_first_loses_nothing_and_nothing_is_counted)
{
    struct region_options o = {.ring_bytes = 16 * WIRE_CHUNK_BYTES};
    struct recording r = {0};
    uint64_t kept = 0, refused = 0;
    CHECK(!rec_has_room(64)); /* nobody records */
    recording_begin(&r, &o);
    for (int i = 0; i < 50000; i++)
        if (rec_has_room(64)) {
            ORIEL_EVENT("tick", "i", i);
            kept++;
        } else {
            refused++;
        }
    recording_read(&r, true);
    CHECK(kept > 1000 && refused > 0);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], kept);
    CHECK_EQ(recording_lost_total(&r), 0);
    CHECK(rec_has_room(64)); /* what was read is free again */
    recording_end(&r);
}

TEST(a_full_ring_drops_the_newest_and_counts_each)
{
    struct region_options o = {.ring_bytes = 16 * WIRE_CHUNK_BYTES};
    struct recording r = {0};
    enum { EVENTS = 200000 };
    recording_begin(&r, &o);
    for (int i = 0; i < EVENTS; i++)
        ORIEL_EVENT("tick", "i", i);
    recording_read(&r, true);
    CHECK(r.by_type[ORIEL_REC_EVENT] > 1000);
    CHECK(r.lost[ORIEL_LOST_RING_FULL] > 0);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT] + r.lost[ORIEL_LOST_RING_FULL], EVENTS);
    recording_end(&r);
}

TEST(a_full_ring_still_ends_the_spans_that_were_begun)
{
    struct region_options o = {.ring_bytes = 16 * WIRE_CHUNK_BYTES};
    struct recording r = {0};
    recording_begin(&r, &o);
    for (int i = 0; i < 50000; i++)
        one_span();
    recording_read(&r, true);
    CHECK(r.lost[ORIEL_LOST_RING_FULL] > 0);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], r.by_type[ORIEL_REC_END]);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN] + r.lost[ORIEL_LOST_RING_FULL], 50000);
    recording_end(&r);
}

TEST(a_flight_recorder_keeps_the_newest_and_counts_the_rest)
{
    struct region_options o = {.ring_bytes = 16 * WIRE_CHUNK_BYTES,
                               .policy = WIRE_POLICY_OVERWRITE_OLDEST};
    struct seen s = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_values, .user = &s};
    enum { EVENTS = 200000 };
    recording_begin(&r, &o);
    for (int i = 0; i < EVENTS; i++)
        ORIEL_EVENT("tick", "i", i);
    recording_read(&r, true);
    CHECK_EQ(s.values[0].v.i64, EVENTS - 1);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT] + r.lost[ORIEL_LOST_OVERWRITTEN], EVENTS);
    recording_end(&r);
}

/* ---- many threads ---- */

enum { THREADS = 8, SPANS_PER_THREAD = 20000 };
static void *emit_spans(void *arg)
{
    (void)arg;
    for (int i = 0; i < SPANS_PER_THREAD; i++)
        one_span();
    return NULL;
}

TEST(threads_lose_nothing_that_is_not_counted)
{
    struct region_options o = {.ring_bytes = 64 << 20};
    struct recording r = {0};
    pthread_t threads[THREADS];
    recording_begin(&r, &o);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, emit_spans, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN] + recording_lost_total(&r), THREADS * SPANS_PER_THREAD);
    CHECK_EQ(r.by_type[ORIEL_REC_END], r.by_type[ORIEL_REC_BEGIN]);
    CHECK_EQ(recording_lost_total(&r), 0);
    CHECK_EQ(r.catalog.thread_count, THREADS);
    recording_end(&r);
}

static void *emit_ten(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        ORIEL_EVENT("tick", "i", i);
    return NULL;
}

TEST_T(short_threads_give_their_blocks_back, 120)
{
    struct region_options o = {.threads = 64};
    struct recording r = {0};
    enum { ROUNDS = 2000 };
    recording_begin(&r, &o);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t t;
        pthread_create(&t, NULL, emit_ten, NULL);
        pthread_join(t, NULL);
        if (i % 16 == 0)
            recording_read(&r, false);
    }
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], ROUNDS * 10);
    CHECK_EQ(recording_lost_total(&r), 0);
    recording_end(&r);
}

static uint64_t attempted;

static void *emit_and_count(void *arg)
{
    emit_ten(arg);
    __atomic_fetch_add(&attempted, 10, __ATOMIC_RELAXED);
    return NULL;
}

static int watch_over;

/* How often a claimed block looked free and then claimed by the same thread. */
static void *watch_first_block(void *out)
{
    uint32_t *state = &wire_region_thread(&rec_runtime.header, rec_runtime.base, 0)->state;
    uint32_t before = 0, then_free = 0;
    while (!__atomic_load_n(&watch_over, __ATOMIC_RELAXED)) {
        uint32_t now = __atomic_load_n(state, __ATOMIC_RELAXED);
        if (now == 0) {
            then_free = before;
            continue;
        }
        if (now == then_free && wire_state(now) == ORIEL_THREAD_CLAIMED)
            ++*(uint64_t *)out;
        then_free = 0;
        before = now;
    }
    return NULL;
}

/* Every slot is fought for all the time; whoever gets none counts. */
TEST_T(threads_that_fight_for_few_blocks_never_share_one, 120)
{
    enum { AT_ONCE = 6 };
    const int rounds = (int)test_times(3000);
    struct region_options o = {.threads = 4};
    struct recording r = {0};
    uint64_t half_made = 0;
    pthread_t watch;
    recording_begin(&r, &o);
    pthread_create(&watch, NULL, watch_first_block, &half_made);
    for (int i = 0; i < rounds; i++) {
        pthread_t t[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++)
            pthread_create(&t[k], NULL, emit_and_count, NULL);
        for (int k = 0; k < AT_ONCE; k++)
            pthread_join(t[k], NULL);
        recording_read(&r, false);
    }
    __atomic_store_n(&watch_over, 1, __ATOMIC_RELAXED);
    pthread_join(watch, NULL);
    recording_read(&r, true);
    CHECK_EQ(half_made, 0);
    CHECK_EQ(attempted, rounds * AT_ONCE * 10);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT] + recording_lost_total(&r), attempted);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

TEST(a_process_that_finds_no_slot_counts_what_it_cannot_record)
{
    struct region_options o = {.processes = 1};
    struct recording r = {0};
    recording_make(&r, &o);
    pid_t first = fork();
    if (first == 0)
        test_leave(oriel_attach(r.path) == 0 && oriel_enabled() ? 0 : 1);
    int status = 1;
    REQUIRE(waitpid(first, &status, 0) == first);
    CHECK_EQ(status, 0);
    CHECK_EQ(oriel_attach(r.path), 0);
    emit_ten(NULL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 0);
    CHECK_EQ(r.lost[ORIEL_LOST_NO_THREAD], 10);
    recording_end(&r);
}

TEST(a_loss_is_counted_once_it_is_one)
{
    struct region_options o = {.ring_bytes = 16 * WIRE_CHUNK_BYTES};
    struct recording r = {0};
    uint64_t lost[8], before = 0;
    recording_begin(&r, &o);
    for (int i = 0; i < 20000; i++) {
        oriel_lost(lost);
        CHECK(lost[ORIEL_LOST_RING_FULL] >= before); /* never taken back */
        before = lost[ORIEL_LOST_RING_FULL];
        one_span();
        if (before > 10)
            break;
    }
    CHECK(before > 10);
    recording_end(&r);
}

/* ---- signals ---- */

static volatile sig_atomic_t handled;
static uint64_t handler_events;
static void on_signal(int signo)
{
    (void)signo;
    handled++;
    handler_events++;
    ORIEL_EVENT("in.handler", "n", (int)handled);
}

TEST_T(a_signal_handler_that_interrupts_an_emit_loses_nothing, 120)
{
    struct region_options o = {.ring_bytes = 64 << 20};
    struct recording r = {0};
    struct sigaction sa = {.sa_handler = on_signal};
    struct itimerval every = {{0, 50}, {0, 50}};
    uint64_t spans = 0;
    recording_begin(&r, &o);
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    while (handled < (int)test_times(5000)) {
        one_span();
        if (++spans % 20000 == 0)
            recording_read(&r, false);
    }
    memset(&every, 0, sizeof every);
    setitimer(ITIMER_REAL, &every, NULL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN] + r.by_type[ORIEL_REC_EVENT] + recording_lost_total(&r),
             spans + handler_events);
    CHECK_EQ(r.by_type[ORIEL_REC_END], r.by_type[ORIEL_REC_BEGIN]);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

/* ---- fork ---- */

TEST(a_fork_child_records_as_itself)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    one_span();
    pid_t pid = fork();
    if (pid == 0) {
        one_span();
        one_span();
        test_leave(0);
    }
    waitpid(pid, NULL, 0);
    one_span();
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], 4);
    CHECK_EQ(r.by_type[ORIEL_REC_END], 4);
    CHECK_EQ(r.catalog.process_count, 2);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

static void site_names(void *user, const struct model_record *m)
{
    const char *expected = m->thread && m->type == ORIEL_REC_EVENT ? user : NULL;
    if (!expected)
        return;
    bool child = m->site->name.n == 5 && memcmp(m->site->name.p, "child", 5) == 0;
    bool parent = m->site->name.n == 6 && memcmp(m->site->name.p, "parent", 6) == 0;
    int64_t said = (int64_t)m->raw[2]; /* 1 by the child, 2 by the parent */
    CHECK((child && said == 1) || (parent && said == 2));
}

TEST(sites_first_seen_after_a_fork_keep_their_names)
{
    static oriel_word word[2];
    static const struct oriel_field field = {"who", ORIEL_TYPE_I64, 0};
    struct oriel_site site = {ORIEL_ABI_VERSION,
                              ORIEL_SITE_EVENT,
                              ORIEL_LEVEL_INFO,
                              1,
                              1,
                              0,
                              "child",
                              "t",
                              "x.c",
                              "f",
                              NULL,
                              &field,
                              &word[0]};
    struct oriel_value value = {ORIEL_TYPE_I64, 0, {1}};
    struct recording r = {.on_record = site_names, .user = (void *)"names"};
    recording_begin(&r, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        oriel_site_new(&site);
        oriel_abi_event(word[0], 0, &value, 1);
        test_leave(0);
    }
    waitpid(pid, NULL, 0);
    site.name = "parent";
    site.word = &word[1];
    value.v.u64 = 2;
    oriel_site_new(&site);
    oriel_abi_event(word[1], 0, &value, 1);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 2);
    recording_end(&r);
}

TEST(a_fork_that_bypasses_libc_does_not_touch_its_parents_chunk)
{
    test_skip_emulated("MADV_WIPEONFORK does nothing, by which such a fork is noticed");
    struct recording r = {0};
    recording_begin(&r, NULL);
    one_span();
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); /* fork, everywhere */
    if (pid == 0) {
        for (int i = 0; i < 1000; i++)
            one_span();
        test_leave(0);
    }
    for (int i = 0; i < 1000; i++)
        one_span();
    waitpid(pid, NULL, 0);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], 2001);
    CHECK_EQ(r.by_type[ORIEL_REC_END], 2001);
    CHECK_EQ(r.catalog.process_count, 2);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

/* ---- handles, contexts ---- */

TEST(an_opened_span_moves_between_threads_with_its_ids)
{
    struct recording r = {0};
    uint8_t trace[16], span[8], trace2[16], span2[8];
    recording_begin(&r, NULL);
    struct oriel_span s = ORIEL_OPEN("job", ORIEL_ROOT, "id", 7);
    REQUIRE(oriel_span_ids(&s, trace, span));
    struct oriel_guard g = oriel_span_enter(&s);
    REQUIRE(oriel_span_ids(NULL, trace2, span2));
    CHECK_MEM(trace, (size_t)16, trace2, (size_t)16);
    CHECK_MEM(span, (size_t)8, span2, (size_t)8);
    oriel_span_exit(&g);
    CHECK_EQ(oriel_span_current().id, 0);
    oriel_span_close(&s);
    oriel_span_close(&s);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_OPEN], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_CLOSE], 1);
    recording_end(&r);
}

TEST(a_context_from_outside_is_current_until_detached)
{
    static const uint8_t trace[16] = {1, 2, 3}, parent[8] = {9};
    uint8_t trace2[16], span2[8];
    struct recording r = {0};
    recording_begin(&r, NULL);
    struct oriel_guard g = oriel_context_attach(trace, parent, 1);
    {
        ORIEL_SPAN("inside");
        REQUIRE(oriel_span_ids(NULL, trace2, span2));
        CHECK_MEM(trace, (size_t)16, trace2, (size_t)16);
    }
    oriel_context_detach(&g);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_DETACH], 1);
    recording_end(&r);
}

/* ---- what profilers outside see ---- */

extern __thread struct oriel_otel_ctx *otel_thread_ctx_v1;

TEST(the_current_span_is_published_for_outside_profilers)
{
    struct recording r = {0};
    uint8_t trace[16], span[8];
    recording_begin(&r, NULL);
    {
        ORIEL_SPAN("outer");
        REQUIRE(otel_thread_ctx_v1 != NULL);
        {
            ORIEL_SPAN("inner");
            REQUIRE(oriel_span_ids(NULL, trace, span));
            CHECK_EQ(otel_thread_ctx_v1->valid, 1);
            CHECK_MEM(otel_thread_ctx_v1->trace_id, (size_t)16, trace, (size_t)16);
            CHECK_MEM(otel_thread_ctx_v1->span_id, (size_t)8, span, (size_t)8);
        }
        REQUIRE(oriel_span_ids(NULL, trace, span));
        CHECK_MEM(otel_thread_ctx_v1->span_id, (size_t)8, span, (size_t)8);
        CHECK_EQ(otel_thread_ctx_v1->valid, 1);
    }
    CHECK_EQ(otel_thread_ctx_v1->valid, 0);
    recording_end(&r);
}

/* Finds OTEL_CTX in our own maps as an outside reader would. */
static bool find_context(char *out, size_t n)
{
    char line[512];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, "/memfd:OTEL_CTX") || strstr(line, "[anon_shmem:OTEL_CTX]") ||
            strstr(line, "[anon:OTEL_CTX]")) {
            memcpy(out, (const void *)(uintptr_t)strtoull(line, NULL, 16), n);
            found = true;
        }
    if (f)
        fclose(f);
    return found;
}

TEST(the_process_context_is_published_and_not_inherited)
{
    test_skip_emulated("MADV_DONTFORK does nothing");
    struct recording r = {0};
    char page[1024];
    setenv("OTEL_SERVICE_NAME", "canary-service", 1);
    recording_begin(&r, NULL);
    REQUIRE(find_context(page, sizeof page));
    CHECK_MEM(page, (size_t)8, "OTEL_CTX", (size_t)8);
    CHECK(memmem(page, sizeof page, "canary-service", 14) != NULL);
    CHECK(memmem(page, sizeof page, "tls_v1", 6) != NULL);
    pid_t pid = fork();
    if (pid == 0)
        test_leave(find_context(page, sizeof page) ? 1 : 0);
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    recording_end(&r);
}

/* ---- filters ---- */

TEST(filters_switch_sites_while_running)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    for (int round = 0; round < 3; round++) {
        ORIEL_DEBUG("fine");
        ORIEL_WARN("grave");
        CHECK_EQ(oriel_filter(round == 0 ? "warn" : "rec.test=debug,off"), 0);
    }
    CHECK_EQ(oriel_filter("rec.test=loud"), ORIEL_EINVAL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 2 + 1 + 2);
    recording_end(&r);
}

static int asked_after_debug_of_the_cache(void)
{
    return ORIEL_ENABLED(ORIEL_LEVEL_DEBUG, "cache");
}

TEST(whether_a_level_of_a_target_would_record_can_be_asked)
{
    struct recording r = {0};
    CHECK(!asked_after_debug_of_the_cache());
    recording_begin(&r, NULL);
    CHECK(asked_after_debug_of_the_cache());
    CHECK_EQ(oriel_filter("info"), 0);
    CHECK(!asked_after_debug_of_the_cache());
    CHECK(ORIEL_ENABLED(ORIEL_LEVEL_WARN, "cache"));
    CHECK_EQ(oriel_filter("info,cache=debug"), 0);
    CHECK(asked_after_debug_of_the_cache());
    CHECK(!ORIEL_ENABLED(ORIEL_LEVEL_DEBUG, ORIEL_TARGET));
    CHECK_EQ(oriel_filter(NULL), 0);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_SET] + r.by_type[ORIEL_REC_EVENT], 0); /* asking says nothing */
    recording_end(&r);
}

TEST(a_second_attach_is_refused_and_a_strange_file_too)
{
    struct recording r = {0};
    CHECK_EQ(oriel_attach("/nonexistent/ring"), ORIEL_ENOTFOUND);
    CHECK(oriel_attach("/etc/passwd") != 0);
    recording_begin(&r, NULL);
    CHECK_EQ(oriel_attach(r.path), ORIEL_ESTATE);
    recording_end(&r);
}

TEST(a_ring_of_another_layout_is_refused_and_one_of_this_taken_after_it)
{
    struct recording r = {0};
    recording_make(&r, NULL);
    int fd = open(r.path, O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    void *at = mmap(NULL, sizeof(struct wire_region), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(at != MAP_FAILED);
    struct wire_region *h = at;
    h->abi_version++;
    CHECK_EQ(oriel_attach(r.path), ORIEL_EVERSION);
    CHECK(!oriel_enabled());
    h->abi_version--;
    CHECK_EQ(oriel_attach(r.path), 0);
    emit_ten(NULL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 10);
    munmap(at, sizeof(struct wire_region));
    close(fd);
    recording_end(&r);
}

/* A handler that interrupts a record writes through the second gate; a switch from
 * outside marks that one's clock as well, and both are unmarked by one look. */
TEST(a_mark_on_both_blocks_of_a_thread_goes_with_one_record)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    emit_ten(NULL);
    struct oriel_gate *g = oriel_tls.gate;
    const uint32_t clock = g->thread->clock;
    __atomic_store_n(&g->ready, 0u, __ATOMIC_RELAXED); /* as in the middle of a record */
    emit_ten(NULL);
    __atomic_store_n(&g->ready, g->open, __ATOMIC_RELAXED);
    REQUIRE(g->second);
    g->thread->clock = g->second->thread->clock = ORIEL_CLOCK_MARK;
    emit_ten(NULL);
    CHECK_EQ(g->thread->clock, clock);
    CHECK_EQ(g->second->thread->clock, clock);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 30);
    CHECK_EQ(recording_lost_total(&r), 0);
    recording_end(&r);
}

TEST(sites_made_at_run_time_record_like_others)
{
    static oriel_word word;
    char name[] = "dynamic", key[] = "k";
    struct oriel_field field = {key, ORIEL_TYPE_I64, 0};
    struct oriel_site site = {ORIEL_ABI_VERSION,
                              ORIEL_SITE_EVENT,
                              ORIEL_LEVEL_INFO,
                              1,
                              1,
                              0,
                              name,
                              "binding",
                              "x.rs",
                              "f",
                              NULL,
                              &field,
                              &word};
    struct oriel_value value = {ORIEL_TYPE_I64, 0, {42}};
    struct seen s = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_values, .user = &s};
    recording_begin(&r, NULL);
    REQUIRE(oriel_site_new(&site) == 0);
    memset(name, '?', sizeof name - 1);
    oriel_abi_event(word, 0, &value, 1);
    recording_read(&r, true);
    REQUIRE(s.count == 1);
    CHECK_EQ(s.values[0].v.i64, 42);
    CHECK_MEM(s.values[0].key.p, s.values[0].key.n, "k", (size_t)1); /* the catalog lives */
    recording_end(&r);
}

/* ---- destructors ---- */

static pthread_key_t late_key;
static void late(void *arg)
{
    (void)arg;
    one_span();
}
static void *with_late_destructor(void *arg)
{
    pthread_setspecific(late_key, arg);
    one_span();
    return NULL;
}

TEST(recording_in_a_thread_destructor_is_kept)
{
    struct recording r = {0};
    pthread_t t;
    recording_begin(&r, NULL);
    pthread_key_create(&late_key, late);
    pthread_create(&t, NULL, with_late_destructor, &r);
    pthread_join(t, NULL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], 2);
    CHECK_EQ(r.by_type[ORIEL_REC_END], 2);
    recording_end(&r);
}

TEST_MAIN()
