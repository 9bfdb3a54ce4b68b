/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the program's own hooks are asked and what then is in the records: spans of a
 * scope and others, logs, ids, samplers; and that nothing is asked once they are gone.
 */
#define ORIEL_TARGET "hooked.test"
#include <oriel/oriel.h>
#include <oriel/processor.h>

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rec/rec.h"
#include "recording.h"
#include "test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" TRACE "-00f067aa0ba902b7-01"

/* ---- what the hooks heard, and what was recorded, one line for each ---- */

static char heard[4096], said[8192];
static size_t heard_bytes, said_bytes;

#define HEAR(...)                                                                                  \
    (heard_bytes += (size_t)snprintf(heard + heard_bytes, sizeof heard - heard_bytes, __VA_ARGS__))
#define SAY(...)                                                                                   \
    (said_bytes += (size_t)snprintf(said + said_bytes, sizeof said - said_bytes, __VA_ARGS__))

static void keep(void *user, const struct model_record *r)
{
    static const char *const names[ORIEL_REC_MAX + 1] = {
        [ORIEL_REC_BEGIN] = "begin",   [ORIEL_REC_END] = "end",       [ORIEL_REC_SET] = "set",
        [ORIEL_REC_EVENT] = "event",   [ORIEL_REC_OPEN] = "open",     [ORIEL_REC_CLOSE] = "close",
        [ORIEL_REC_ENTER] = "enter",   [ORIEL_REC_EXIT] = "exit",     [ORIEL_REC_TOLD] = "given",
        [ORIEL_REC_ATTACH] = "attach", [ORIEL_REC_DETACH] = "detach", [ORIEL_REC_STATUS] = "status",
    };
    (void)user;
    if (!names[r->type])
        return;
    SAY("%s", names[r->type]);
    if (r->site && r->site->name.n)
        SAY(" %.*s", (int)r->site->name.n, r->site->name.p);
    for (uint32_t i = 0; r->site && i < r->site->field_count; i++)
        SAY(" %.*s", (int)r->site->fields[i].name.n, r->site->fields[i].name.p);
    SAY("\n");
}

static struct recording r;

static void begin(void)
{
    heard_bytes = said_bytes = 0;
    heard[0] = said[0] = 0;
    r = (struct recording){.on_record = keep};
    recording_begin(&r, NULL);
}

static void end(void)
{
    recording_read(&r, true);
    CHECK_EQ(r.damaged, 0);
    CHECK_EQ(recording_lost_total(&r), 0);
    CHECK_EQ(rec_thread_local.hooked, 0);
    recording_end(&r);
}

static const char *id_of(const struct oriel_context *c)
{
    static char text[56];
    oriel_traceparent_format(c, text);
    return text;
}

/* ---- spans ---- */

static void on_start(void *user, const struct oriel_context *parent, const struct oriel_span *span,
                     const struct oriel_site *site)
{
    struct oriel_context c;
    CHECK(oriel_context_of(span, &c));
    CHECK(!oriel_context_valid(parent) || memcmp(c.trace_id, parent->trace_id, 16) == 0);
    HEAR("%s start %s %s\n", (const char *)user, site->name, site->target);
    ORIEL_SPAN_SET_ON(span, "started", 1);
    ORIEL_SPAN("of the hook"); /* asks nobody */
}
static void on_ending(void *user, const struct oriel_span *span, const struct oriel_site *site)
{
    HEAR("%s ending %s\n", (const char *)user, site->name);
    ORIEL_SPAN_SET_ON(span, "ended", 1);
    oriel_span_status(span, ORIEL_STATUS_OK, NULL);
}
static void on_end(void *user, const struct oriel_span *span, const struct oriel_site *site)
{
    HEAR("%s end %s\n", (const char *)user, site->name);
    CHECK(span->id != 0);
}
static const struct oriel_span_processor all = {.size = sizeof all,
                                                .user = (void *)(uintptr_t) "a",
                                                .on_start = on_start,
                                                .on_ending = on_ending,
                                                .on_end = on_end};

static void one_span(void)
{
    ORIEL_SPAN("one", "n", 1, "text", "abc");
}

TEST(a_processor_sees_a_span_begin_and_end_and_may_add_to_it)
{
    begin();
    int number = oriel_span_processor_add(&all);
    CHECK(number > 0);
    one_span();
    CHECK_STR(heard, "a start one hooked.test\na ending one\na end one\n");
    CHECK_EQ(oriel_hook_remove(number), 0);
    one_span();
    CHECK_STR(heard, "a start one hooked.test\na ending one\na end one\n");
    end();
    CHECK_STR(said, "begin one n text\nset started\nbegin of the hook\nend\n"
                    "set ended\nstatus\nend\nbegin one n text\nend\n");
}

static struct oriel_context last_parent;
static char last_baggage[16];
static void keep_parent(void *user, const struct oriel_context *parent,
                        const struct oriel_span *span, const struct oriel_site *site)
{
    struct oriel_baggage_member m;
    (void)user, (void)span, (void)site;
    last_parent = *parent;
    last_baggage[0] = 0;
    if (parent->baggage && oriel_baggage_get(parent->baggage, "k", &m))
        snprintf(last_baggage, sizeof last_baggage, "%.*s", (int)m.value_bytes, m.value);
}

TEST(on_start_has_the_whole_parent_context)
{
    const struct oriel_span_processor p = {.size = sizeof p, .on_start = keep_parent};
    struct oriel_context c, current;
    struct oriel_baggage b;
    REQUIRE(oriel_traceparent_parse(PARENT, sizeof PARENT - 1, &c) == 0);
    REQUIRE(oriel_tracestate_parse(&c, "a=1", 3) == 0);
    REQUIRE(oriel_baggage_set(NULL, "k", "v", NULL, &b) == 0);
    c.baggage = &b;
    begin();
    int number = oriel_span_processor_add(&p);
    {
        ORIEL_CONTEXT(&c);
        ORIEL_SPAN("child");
        CHECK_STR(id_of(&last_parent), PARENT);
        CHECK_STR(last_parent.state, "a=1");
        CHECK_EQ(last_parent.marks, ORIEL_CONTEXT_REMOTE);
        CHECK_STR(last_baggage, "v");
        REQUIRE(oriel_context_current(&current));
        struct oriel_span s = ORIEL_OPEN("opened", ORIEL_CURRENT);
        CHECK_MEM(last_parent.span_id, (size_t)8, current.span_id, (size_t)8);
        CHECK_EQ(last_parent.marks, 0);
        struct oriel_span below = ORIEL_OPEN("below", &s);
        REQUIRE(oriel_context_of(&s, &current));
        CHECK_MEM(last_parent.span_id, (size_t)8, current.span_id, (size_t)8);
        struct oriel_span root = ORIEL_OPEN("root", ORIEL_ROOT);
        CHECK(!oriel_context_valid(&last_parent));
        CHECK_STR(last_baggage, "v");
        oriel_span_close(&root);
        oriel_span_close(&below);
        oriel_span_close(&s);
    }
    CHECK_EQ(oriel_hook_remove(number), 0);
    end();
}

TEST(several_are_asked_in_their_order_and_an_opened_span_ends_once)
{
    struct oriel_span_processor b = all;
    b.user = (void *)(uintptr_t) "b";
    begin();
    int first = oriel_span_processor_add(&all), second = oriel_span_processor_add(&b);
    struct oriel_span s = ORIEL_OPEN("s", ORIEL_CURRENT, "n", 1);
    struct oriel_guard g = oriel_span_enter(&s);
    oriel_span_exit(&g);
    CHECK(oriel_span_recording(&s));
    oriel_span_close(&s);
    oriel_span_close(&s);
    CHECK_STR(heard, "a start s hooked.test\nb start s hooked.test\na ending s\nb ending s\n"
                     "a end s\nb end s\n");
    CHECK_EQ(oriel_hook_remove(first), 0);
    heard_bytes = 0;
    one_span();
    CHECK_STR(heard, "b start one hooked.test\nb ending one\nb end one\n");
    CHECK_EQ(oriel_hook_remove(second), 0);
    CHECK(oriel_hook_remove(second) < 0);
    end();
}

static uint64_t times[2];
static void keep_times(void *user, const struct model_record *m)
{
    (void)user;
    if (m->type == ORIEL_REC_SET || m->type == ORIEL_REC_END)
        times[m->type == ORIEL_REC_END] = m->raw[1];
}

TEST(the_time_of_the_end_was_taken_before_the_hooks_of_the_end)
{
    const struct oriel_span_processor p = {
        .size = sizeof p, .user = (void *)(uintptr_t) "a", .on_ending = on_ending};
    begin();
    r.on_record = keep_times;
    int number = oriel_span_processor_add(&p);
    one_span();
    CHECK_EQ(oriel_hook_remove(number), 0);
    end();
    CHECK(times[1] && times[1] <= times[0]);
}

static jmp_buf back;
static void leave(void)
{
    ORIEL_SPAN("left");
    longjmp(back, 1);
}

TEST(spans_that_a_longjmp_leaves_do_no_harm)
{
    begin();
    int number = oriel_span_processor_add(&all);
    {
        ORIEL_SPAN("outer");
        if (setjmp(back) == 0)
            leave();
    }
    CHECK_EQ(oriel_stack_depth(oriel_tls.thread), 0);
    CHECK_EQ(oriel_hook_remove(number), 0);
    end();
    CHECK(strstr(heard, "a end outer\n") && !strstr(heard, "a end left"));
}

TEST(a_gate_is_open_to_inline_code_again_when_the_last_such_span_is_over)
{
    begin();
    one_span();
    const uint32_t before = oriel_tls.gate->open;
    int number = oriel_span_processor_add(&all);
    {
        ORIEL_SPAN("outer");
        CHECK_EQ(oriel_tls.gate->open, ORIEL_GATE_OTHER);
        one_span();
        CHECK_EQ(oriel_tls.gate->open, ORIEL_GATE_OTHER);
        CHECK_EQ(oriel_hook_remove(number), 0); /* the end of `outer` asks nobody */
    }
    CHECK_EQ(oriel_tls.gate->open, before);
    CHECK_EQ(oriel_tls.gate->ready, before);
    CHECK(!strstr(heard, "end outer"));
    end();
}

static void fail_in_hook(void *user, const struct oriel_context *parent,
                         const struct oriel_span *span, const struct oriel_site *site)
{
    (void)parent, (void)span, (void)site;
    CHECK(oriel_span_processor_add(&all) < 0);
    CHECK(oriel_hook_remove(*(int *)user) < 0);
}

TEST(hooks_are_not_added_or_removed_by_hooks_and_there_are_eight_at_most)
{
    int number = 0, more[ORIEL_HOOKS_MAX];
    struct oriel_span_processor p = {.size = sizeof p, .user = &number, .on_start = fail_in_hook};
    begin();
    number = oriel_span_processor_add(&p);
    one_span();
    CHECK_EQ(oriel_hook_remove(number), 0);
    for (unsigned i = 0; i < ORIEL_HOOKS_MAX; i++)
        CHECK((more[i] = oriel_span_processor_add(&all)) > 0);
    CHECK(oriel_span_processor_add(&all) < 0);
    for (unsigned i = 0; i < ORIEL_HOOKS_MAX; i++)
        CHECK_EQ(oriel_hook_remove(more[i]), 0);
    p.size = 1;
    CHECK(oriel_span_processor_add(&p) < 0);
    CHECK(oriel_span_processor_add(NULL) < 0);
    CHECK(oriel_hook_remove(0) < 0);
    end();
}

/* ---- other threads, signals, fork ---- */

static uint32_t counted[2]; /* atomic: starts, ends */
static void count_start(void *user, const struct oriel_context *parent,
                        const struct oriel_span *span, const struct oriel_site *site)
{
    (void)user, (void)parent, (void)span, (void)site;
    __atomic_fetch_add(&counted[0], 1, __ATOMIC_RELAXED);
}
static void count_end(void *user, const struct oriel_span *span, const struct oriel_site *site)
{
    (void)user, (void)span, (void)site;
    __atomic_fetch_add(&counted[1], 1, __ATOMIC_RELAXED);
}
static const struct oriel_span_processor counting = {
    .size = sizeof counting, .on_start = count_start, .on_end = count_end};

static uint32_t enough; /* atomic */
static void *spans_until_enough(void *unused)
{
    while (!__atomic_load_n(&enough, __ATOMIC_ACQUIRE))
        one_span();
    return unused;
}

TEST(hooks_come_and_go_while_threads_are_in_their_spans)
{
    const struct region_options size = {.ring_bytes = 1 << 20};
    pthread_t threads[2];
    r = (struct recording){0};
    recording_begin(&r, &size);
    __atomic_store_n(&enough, 0, __ATOMIC_RELEASE);
    counted[0] = counted[1] = 0;
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, spans_until_enough, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        const uint32_t before = __atomic_load_n(&counted[0], __ATOMIC_RELAXED);
        int number = oriel_span_processor_add(&counting);
        while (__atomic_load_n(&counted[0], __ATOMIC_RELAXED) == before)
            recording_read(&r, false);
        CHECK_EQ(oriel_hook_remove(number), 0);
        const uint32_t after = __atomic_load_n(&counted[0], __ATOMIC_RELAXED);
        recording_read(&r, false);
        CHECK_EQ(__atomic_load_n(&counted[0], __ATOMIC_RELAXED), after); /* no thread is in it */
    }
    __atomic_store_n(&enough, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(counted[1] <= counted[0]);
    recording_read(&r, true);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

static uint32_t stays; /* atomic: 1 in the hook, 2 it may leave */
static void stay(void *user, const struct oriel_context *parent, const struct oriel_span *span,
                 const struct oriel_site *site)
{
    (void)user, (void)parent, (void)span, (void)site;
    __atomic_store_n(&stays, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&stays, __ATOMIC_ACQUIRE) != 2)
        sched_yield();
}
static void *a_span(void *unused)
{
    one_span();
    return unused;
}

TEST(a_stop_does_not_wait_for_a_thread_that_never_leaves_a_hook)
{
    const struct oriel_span_processor p = {.size = sizeof p, .on_start = stay};
    pthread_t thread;
    begin();
    CHECK(oriel_span_processor_add(&p) > 0);
    REQUIRE(pthread_create(&thread, NULL, a_span, NULL) == 0);
    while (__atomic_load_n(&stays, __ATOMIC_ACQUIRE) != 1)
        sched_yield();
    rec_hooks_stop(0);
    one_span(); /* asks nobody any more */
    rec_hooks_stop(0);
    __atomic_store_n(&stays, 2, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    counted[0] = 0;
    CHECK(oriel_span_processor_add(&counting) > 0);
    one_span();
    CHECK_EQ(counted[0], 1);
    rec_hooks_stop(UINT64_MAX);
    end();
}

static void handler(int unused)
{
    (void)unused;
    ORIEL_SPAN("in a handler");
    ORIEL_INFO("said there");
}

TEST(a_signal_handler_asks_too_but_not_one_that_interrupts_a_hook)
{
    struct sigaction action = {.sa_handler = handler}, before;
    begin();
    REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
    int number = oriel_span_processor_add(&counting);
    counted[0] = counted[1] = 0;
    raise(SIGUSR1);
    CHECK_EQ(counted[0], 1);
    CHECK_EQ(counted[1], 1);
    CHECK_EQ(oriel_hook_remove(number), 0);
    sigaction(SIGUSR1, &before, NULL);
    end();
    CHECK_STR(said, "begin in a handler\nevent said there\nend\n");
}

TEST(a_fork_child_has_the_hooks_and_ends_the_spans_it_is_in)
{
    int status = 0;
    begin();
    int number = oriel_span_processor_add(&counting);
    counted[0] = counted[1] = 0;
    {
        ORIEL_SPAN("around");
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            one_span();
            bool good = counted[0] == 2 && counted[1] == 1;
            good = good && oriel_hook_remove(number) == 0;
            _exit(good ? 0 : 1);
        }
        REQUIRE(waitpid(child, &status, 0) == child);
    }
    CHECK_EQ(status, 0);
    CHECK_EQ(counted[0], 1);
    CHECK_EQ(counted[1], 1);
    CHECK_EQ(oriel_hook_remove(number), 0);
    recording_read(&r, true);
    recording_end(&r);
}

/* ---- logs ---- */

static bool not_debug(void *user, const struct oriel_context *context,
                      const struct oriel_site *site)
{
    (void)context;
    HEAR("enabled %s %s %u\n", site->name, site->target, site->level);
    return site->level != ORIEL_LEVEL_DEBUG && strcmp(site->name, user ? user : "") != 0;
}
static bool add_tenant(void *user, const struct oriel_context *context, struct oriel_log *log)
{
    (void)user;
    HEAR("emit %s %u%s\n", log->site->name, log->count,
         oriel_context_valid(context) ? " in a span" : "");
    return oriel_log_add(log, "tenant", oriel_value_text("t1")) &&
           oriel_log_add(log, "shard", oriel_value_i64(-7));
}
static bool drop_secret(void *user, const struct oriel_context *context, struct oriel_log *log)
{
    (void)user, (void)context;
    CHECK_EQ(log->added, 2);
    CHECK_STR(log->attributes[1].name, "shard");
    return strcmp(log->site->name, "secret") != 0;
}

static int evaluated;
static int evaluate(void)
{
    return ++evaluated;
}

TEST(a_log_processor_adds_attributes_and_drops_records)
{
    const struct oriel_log_processor p = {.size = sizeof p, .on_emit = add_tenant};
    const struct oriel_log_processor q = {.size = sizeof q, .on_emit = drop_secret};
    begin();
    int a = oriel_log_processor_add(&p), b = oriel_log_processor_add(&q);
    ORIEL_INFO("plain", "n", 1);
    ORIEL_INFO("secret", "n", 1);
    {
        ORIEL_SPAN("s");
        ORIEL_LOGF(ORIEL_LEVEL_WARN, "%d of %s", 1, "x");
        struct oriel_span s = oriel_span_current();
        ORIEL_EVENT_ON(&s, "event on");
    }
    CHECK_STR(
        heard,
        "emit plain 1\nemit secret 1\nemit %d of %s 2 in a span\nemit event on 0 in a span\n");
    CHECK_EQ(oriel_hook_remove(a), 0);
    CHECK_EQ(oriel_hook_remove(b), 0);
    ORIEL_INFO("plain", "n", 1);
    end();
    CHECK_STR(said, "event plain n tenant shard\nbegin s\nevent %d of %s   tenant shard\n"
                    "event event on tenant shard\nend\nevent plain n\n");
}

TEST(what_a_processor_does_not_want_is_not_even_evaluated)
{
    const struct oriel_log_processor p = {
        .size = sizeof p, .user = (void *)(uintptr_t) "refused", .enabled = not_debug};
    begin();
    int number = oriel_log_processor_add(&p);
    evaluated = 0;
    ORIEL_DEBUG("low", "n", evaluate());
    ORIEL_EVENT("refused", "n", evaluate());
    CHECK_EQ(evaluated, 0);
    CHECK(!ORIEL_ENABLED(ORIEL_LEVEL_DEBUG, "db"));
    CHECK(ORIEL_ENABLED(ORIEL_LEVEL_INFO, "db"));
    ORIEL_INFO("said", "n", evaluate());
    CHECK_EQ(evaluated, 1);
    CHECK_STR(heard, "enabled low hooked.test 2\nenabled refused hooked.test 3\nenabled  db 2\n"
                     "enabled  db 3\nenabled said hooked.test 3\n");
    CHECK_EQ(oriel_filter("db=off"), 0);
    CHECK(!ORIEL_ENABLED(ORIEL_LEVEL_INFO, "db")); /* the filter comes first, and asks nobody */
    CHECK_EQ(oriel_filter(NULL), 0);
    CHECK_EQ(oriel_hook_remove(number), 0);
    CHECK(ORIEL_ENABLED(ORIEL_LEVEL_DEBUG, "db"));
    end();
    CHECK_STR(said, "event said n\n");
}

/* ---- ids ---- */

static uint8_t next_id;
static void make_trace(void *user, uint8_t out[16])
{
    (void)user;
    memset(out, 0x11, 16);
}
static void make_span(void *user, uint8_t out[8])
{
    (void)user;
    memset(out, 0x22, 8);
    out[7] = ++next_id;
}
static const struct oriel_id_generator generator = {
    .size = sizeof generator, .trace_id = make_trace, .span_id = make_span};

static const char *here(void)
{
    static char text[56];
    struct oriel_context c;
    oriel_context_current(&c);
    oriel_traceparent_format(&c, text);
    return text;
}

TEST(ids_are_those_of_the_generator_of_the_program)
{
    struct oriel_context c;
    begin();
    next_id = 0;
    int number = oriel_id_generator_set(&generator);
    CHECK(number > 0);
    CHECK(oriel_id_generator_set(&generator) < 0);
    {
        ORIEL_SPAN("root", "n", 1);
        CHECK_STR(here(), "00-11111111111111111111111111111111-2222222222222201-01");
        {
            ORIEL_SPAN("child");
            CHECK_STR(here(), "00-11111111111111111111111111111111-2222222222222202-01");
        }
        CHECK_STR(here(), "00-11111111111111111111111111111111-2222222222222201-01");
        struct oriel_span s = ORIEL_OPEN("opened", ORIEL_CURRENT);
        REQUIRE(oriel_context_of(&s, &c));
        CHECK_STR(id_of(&c), "00-11111111111111111111111111111111-2222222222222203-01");
        oriel_span_close(&s);
    }
    CHECK_STR(here(), "");
    CHECK_EQ(oriel_hook_remove(number), 0);
    {
        ORIEL_SPAN("root", "n", 1);
        CHECK(strncmp(here(), "00-1111", 7) != 0);
    }
    end();
    CHECK_STR(said, "given root n\nenter\ngiven child\nenter\nexit\nclose\ngiven opened\nclose\n"
                    "exit\nclose\nbegin root n\nend\n");
}

/* ---- samplers ---- */

static enum oriel_decision decision;
static enum oriel_decision decide(void *user, const struct oriel_sampling_request *q,
                                  struct oriel_sampling_result *result)
{
    (void)user;
    HEAR("%s %s %u %s%s%s\n", q->name, q->kind, q->count,
         oriel_context_valid(q->parent) ? id_of(q->parent) : "root",
         q->parent->state_bytes ? " " : "", q->parent->state);
    if (decision != ORIEL_DROP)
        oriel_sampling_add(result, "sampler", oriel_value_text("mine"));
    return decision;
}
static const struct oriel_sampler sampler = {.size = sizeof sampler, .should_sample = decide};

TEST(a_sampler_has_the_whole_parent_context_and_what_was_given_at_the_beginning)
{
    struct oriel_context c;
    REQUIRE(oriel_traceparent_parse(PARENT, sizeof PARENT - 1, &c) == 0);
    REQUIRE(oriel_tracestate_parse(&c, "a=1", 3) == 0);
    begin();
    int number = oriel_sampler_set(&sampler);
    decision = ORIEL_RECORD_AND_SAMPLE;
    {
        ORIEL_CONTEXT(&c);
        ORIEL_SPAN("get", "otel.kind", "server", "n", 1);
        CHECK(strncmp(here(), "00-" TRACE, 35) == 0);
        CHECK_STR(here() + 52, "-01");
    }
    CHECK_STR(heard, "get server 2 " PARENT " a=1\n");
    CHECK_EQ(oriel_hook_remove(number), 0);
    end();
    CHECK_STR(said, "attach\ngiven get otel.kind n\nenter\nset sampler\nexit\nclose\ndetach\n");
}

TEST(what_a_sampler_drops_has_a_context_and_no_record)
{
    char dropped[56], opened[56];
    struct oriel_context c;
    begin();
    int number = oriel_sampler_set(&sampler);
    decision = ORIEL_DROP;
    {
        ORIEL_SPAN("dropped", "n", 1);
        memcpy(dropped, here(), sizeof dropped);
        CHECK_STR(dropped + 52, "-02");
        ORIEL_SPAN_SET("lost", 1);
        CHECK(!oriel_span_recording(NULL));
        struct oriel_span s = ORIEL_OPEN("opened", ORIEL_CURRENT);
        CHECK(!oriel_span_recording(&s));
        ORIEL_SPAN_SET_ON(&s, "lost", 1);
        REQUIRE(oriel_context_of(&s, &c));
        CHECK(strncmp(id_of(&c), dropped, 35) == 0);
        CHECK(strncmp(id_of(&c), dropped, 52) != 0);
        memcpy(opened, id_of(&c), sizeof opened);
        struct oriel_guard g = oriel_span_enter(&s);
        CHECK_STR(here(), opened);
        oriel_span_exit(&g);
        CHECK_STR(here(), dropped);
        decision = ORIEL_RECORD_AND_SAMPLE;
        struct oriel_span below = ORIEL_OPEN("below", &s);
        REQUIRE(oriel_context_of(&below, &c));
        CHECK(strncmp(id_of(&c), dropped, 35) == 0);
        CHECK_STR(id_of(&c) + 52, "-03");
        oriel_span_close(&below);
        oriel_span_close(&s);
    }
    CHECK_STR(here(), "");
    CHECK(strstr(heard, opened));
    CHECK_EQ(oriel_hook_remove(number), 0);
    {
        ORIEL_SPAN("after");
        CHECK_STR(here() + 52, "-03"); /* the thread's flags are what they were */
    }
    end();
    CHECK_STR(said, "attach\nattach\ndetach\ngiven below\nset sampler\nclose\ndetach\n"
                    "begin after\nend\n");
}

TEST(what_is_only_recorded_is_not_sampled_and_neither_is_told_below)
{
    begin();
    int number = oriel_sampler_set(&sampler);
    decision = ORIEL_RECORD_ONLY;
    {
        ORIEL_SPAN("outer");
        CHECK_STR(here() + 52, "-02");
        CHECK(oriel_span_recording(NULL));
        decision = ORIEL_RECORD_AND_SAMPLE;
        {
            ORIEL_SPAN("inner");
            CHECK_STR(here() + 52, "-03");
        }
        CHECK_STR(here() + 52, "-02");
    }
    CHECK_EQ(oriel_hook_remove(number), 0);
    end();
    CHECK(strstr(said, "given outer\nenter\nset sampler\ngiven inner\nenter\n"));
}

TEST(what_a_sampler_drops_is_recorded_and_heard_of_below_always_record)
{
    const struct oriel_sampler always = {.size = sizeof always,
                                         .user = (void *)(uintptr_t)&sampler,
                                         .should_sample = oriel_always_record};
    begin();
    int number = oriel_sampler_set(&always), hears = oriel_span_processor_add(&all);
    static const enum oriel_decision roots[] = {ORIEL_DROP, ORIEL_RECORD_ONLY,
                                                ORIEL_RECORD_AND_SAMPLE};
    static const char *const names[] = {"-02", "-02", "-03"}; /* never "sampled" but for the last */
    for (unsigned i = 0; i < 3; i++) {
        decision = roots[i];
        ORIEL_SPAN("one");
        CHECK_STR(here() + 52, names[i]);
        CHECK(oriel_span_recording(NULL));
    }
    CHECK_EQ(oriel_hook_remove(number), 0);
    CHECK_EQ(oriel_hook_remove(hears), 0);
    end();
    unsigned heard_of = 0, recorded = 0;
    for (const char *p = heard; (p = strstr(p, "a start one ")); p++)
        heard_of++;
    for (const char *p = said; (p = strstr(p, "given one\n")); p++)
        recorded++;
    CHECK_EQ(heard_of, 3);
    CHECK_EQ(recorded, 3);
}

TEST_MAIN()
