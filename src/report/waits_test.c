/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Waits joined with what ended them, and what they were for in words.
 */
#include "report/waits.h"

#include <string.h>

#include "report/reason.h"
#include "report/report.h"
#include "report/test_profile.h"
#include "test.h"

struct joined {
    struct profile_maker m;
    struct waits waits;
    struct waits_order order;
    uint32_t kernel;
    uint64_t now;
};

static void joined_begin(struct joined *j)
{
    const struct model_module like = {
        .kind = MODEL_MODULE_KERNEL, .process = UINT32_MAX, .path = MODEL_STR("[kernel]")};
    memset(j, 0, sizeof *j);
    maker_begin(&j->m);
    j->kernel = model_stacks_module(&j->m.catalog.stacks, &like)->index;
    j->now = 1000;
}

static void joined_end(struct joined *j)
{
    waits_order_done(&j->order);
    waits_done(&j->waits);
    maker_end(&j->m);
}

static uint32_t stack(struct joined *j, const char *path)
{
    char text[256];
    snprintf(text, sizeof text, "%s", path);
    return maker_stack(&j->m, text);
}

/* One more function on top, the kernel's. */
static uint32_t in_kernel(struct joined *j, uint32_t parent, const char *name)
{
    struct model_stacks *s = &j->m.catalog.stacks;
    uint64_t address = map_hash_bytes(name, strlen(name), 0);
    struct model_place *place = model_stacks_place(s, j->kernel, address, false);
    REQUIRE(place);
    if (!place->resolved) {
        const struct model_line line = {.function = {name, (uint32_t)strlen(name)},
                                        .file = MODEL_STR("")};
        REQUIRE(model_place_set_lines(s, place, &line, 1) == 0);
    }
    return model_stacks_node(s, parent, place->index);
}

static void add(struct joined *j, uint8_t kind, uint32_t thread, uint32_t at, uint64_t ns,
                uint64_t extra)
{
    const struct model_sample s = {.t_ns = j->now,
                                   .kind = kind,
                                   .thread = j->m.threads[thread],
                                   .stack = at,
                                   .weight = ns,
                                   .count = 1,
                                   .extra = extra};
    REQUIRE(waits_add(&j->waits, &s) == 0);
}

static void order(struct joined *j)
{
    waits_order_done(&j->order);
    REQUIRE(waits_settle(&j->waits) == 0);
    REQUIRE(waits_order(&j->waits, &j->m.frames, &j->order) == 0);
}

static enum reason reason(struct joined *j, uint32_t at, uint64_t extra)
{
    struct frame_list list = {0};
    REQUIRE(frames_list(&j->m.frames, at, &list) == 0);
    enum reason r = reason_of(&j->m.frames, &list, extra);
    VEC_DONE(&list.items);
    return r;
}

TEST(a_wait_is_joined_with_the_wake_up_before_it)
{
    struct joined j;
    joined_begin(&j);
    uint32_t waits_in = stack(&j, "main;want"), wakes_in = stack(&j, "run;give");
    add(&j, ORIEL_SAMPLE_WAKE, 1, wakes_in, 500, 20);
    j.now += 10;
    add(&j, ORIEL_SAMPLE_OFF_CPU, 0, waits_in, 500, ORIEL_WAIT_WOKEN);
    add(&j, ORIEL_SAMPLE_PREEMPTED, 0, waits_in, 10, ORIEL_WAIT_WOKEN);
    order(&j);
    REQUIRE(j.order.chain_count == 1 && j.order.row_count == 1);
    const struct wait_chain *c = &j.order.chains[0];
    CHECK(c->thread == j.m.threads[0] && c->by == j.m.threads[1]);
    CHECK_EQ(c->stack, waits_in);
    CHECK_EQ(c->by_stack, wakes_in);
    CHECK_EQ(c->ns, 500);
    CHECK_EQ(j.order.rows[0].ns, 500);
    CHECK_EQ(j.order.rows[0].ready_ns, 10);
    CHECK_EQ(j.waits.ready_ns, 10);
    CHECK_EQ(j.waits.pushed_ns, 0);
    joined_end(&j);
}

TEST(equal_waits_are_one_row_and_the_longest_comes_first)
{
    struct joined j;
    joined_begin(&j);
    uint32_t a = stack(&j, "main;a"), b = stack(&j, "main;b");
    for (uint64_t i = 1; i <= 3; i++) {
        add(&j, ORIEL_SAMPLE_OFF_CPU, 0, a, i * 100, 0);
        add(&j, ORIEL_SAMPLE_OFF_CPU, 0, b, 1000, ORIEL_WAIT_SHARED);
        add(&j, ORIEL_SAMPLE_PREEMPTED, 0, a, 7, 0);
    }
    order(&j);
    REQUIRE(j.order.row_count == 2);
    CHECK_EQ(j.order.rows[0].stack, b);
    CHECK_EQ(j.order.rows[0].ns, 3000);
    CHECK_EQ(j.order.rows[0].max_ns, 0); /* a share is no single wait */
    CHECK_EQ(j.order.rows[1].ns, 600);
    CHECK_EQ(j.order.rows[1].count, 3);
    CHECK_EQ(j.order.rows[1].max_ns, 300);
    CHECK_EQ(j.waits.ns, 3600);
    CHECK_EQ(j.waits.pushed_ns, 21);
    joined_end(&j);
}

/* How much of a thread's waiting wakes that are told together ended, and where. */
static uint32_t shared_place(struct joined *j, uint32_t thread)
{
    for (size_t i = 0; i < j->order.chain_count; i++)
        if (j->order.chains[i].thread == j->m.threads[thread])
            return j->order.chains[i].stack;
    return UINT32_MAX;
}

TEST(wakes_told_together_are_laid_to_a_place_only_where_there_is_but_one)
{
    struct joined j;
    joined_begin(&j);
    uint32_t a = stack(&j, "main;push"), b = stack(&j, "main;load"), by = stack(&j, "run;give");
    for (uint32_t thread = 0; thread < 2; thread++) {
        add(&j, ORIEL_SAMPLE_OFF_CPU, thread, a, 9500, ORIEL_WAIT_SHARED);
        add(&j, ORIEL_SAMPLE_OFF_CPU, thread, b, thread ? 500 : 4000, ORIEL_WAIT_SHARED);
        add(&j, ORIEL_SAMPLE_WAKE, 1 - thread, by, 700, (20 + thread) | ORIEL_WAIT_SHARED);
    }
    order(&j);
    REQUIRE(j.order.chain_count == 2);
    CHECK_EQ(shared_place(&j, 0), 0); /* a third of it is elsewhere */
    CHECK_EQ(shared_place(&j, 1), a);
    joined_end(&j);
}

TEST(a_share_of_many_waits_is_not_the_one_that_a_single_wake_up_ended)
{
    struct joined j;
    joined_begin(&j);
    uint32_t a = stack(&j, "main;push"), b = stack(&j, "main;load"), by = stack(&j, "run;give");
    add(&j, ORIEL_SAMPLE_OFF_CPU, 0, a, 1000, ORIEL_WAIT_SHARED);
    add(&j, ORIEL_SAMPLE_WAKE, 1, by, 700, 20);
    add(&j, ORIEL_SAMPLE_OFF_CPU, 0, b, 700, ORIEL_WAIT_SHARED);
    order(&j);
    REQUIRE(j.order.chain_count == 1);
    CHECK_EQ(shared_place(&j, 0), 0);
    joined_end(&j);
}

TEST(an_interrupt_on_somebodys_back_is_nobodys_wake_up)
{
    struct joined j;
    joined_begin(&j);
    uint32_t runs = stack(&j, "main;compute"), waits_in = stack(&j, "run;sleep");
    uint32_t irq =
        in_kernel(&j, in_kernel(&j, runs, "asm_sysvec_apic_timer_interrupt"), "hrtimer_wakeup");
    add(&j, ORIEL_SAMPLE_WAKE, 0, irq, 300, 21);
    add(&j, ORIEL_SAMPLE_OFF_CPU, 1, waits_in, 300, 0);
    order(&j);
    REQUIRE(j.order.chain_count == 1);
    CHECK(j.order.chains[0].by == NULL);
    CHECK(j.order.chains[0].flags & ORIEL_WAKE_INTERRUPT);
    joined_end(&j);
}

TEST(a_lock_has_its_holder_and_one_without_is_told_too)
{
    struct joined j;
    joined_begin(&j);
    uint32_t wants = stack(&j, "main;want"), took = stack(&j, "take");
    add(&j, ORIEL_SAMPLE_LOCK, 0, wants, 400, 0xabc0);
    add(&j, ORIEL_SAMPLE_HOLDER, 0, took, 400, 21);
    add(&j, ORIEL_SAMPLE_LOCK, 0, wants, 50, 0xabc0);
    add(&j, ORIEL_SAMPLE_LOCK, 0, wants, 60, 0xabc0);
    order(&j);
    REQUIRE(j.order.chain_count == 2);
    CHECK_EQ(j.order.chains[0].ns, 400);
    CHECK_EQ(j.order.chains[0].lock, 0xabc0);
    CHECK_EQ(j.order.chains[0].by_tid, 21);
    CHECK_EQ(j.order.chains[0].by_stack, took);
    CHECK_EQ(j.order.chains[1].ns, 110);
    CHECK_EQ(j.order.chains[1].count, 2);
    CHECK_EQ(j.order.chains[1].by_tid, 0);
    joined_end(&j);
}

TEST(marks_of_a_stack_add_up_to_its_depth)
{
    struct joined j;
    joined_begin(&j);
    uint32_t deep = stack(&j, "main;deep;deeper");
    add(&j, ORIEL_SAMPLE_DEPTH, 1, stack(&j, "main"), 4096, 8 << 20);
    add(&j, ORIEL_SAMPLE_DEPTH, 1, deep, 100, 8 << 20);
    REQUIRE(j.waits.depths.count == 1);
    CHECK_EQ(j.waits.depths.items[0].bytes, 4196);
    CHECK_EQ(j.waits.depths.items[0].limit, 8 << 20);
    CHECK_EQ(j.waits.depths.items[0].stack, deep);
    joined_end(&j);
}

/* The report's text when two threads have stacks of which so much was seen. */
static bool tells_stacks(bool all, uint64_t first, uint64_t second, uint64_t limit)
{
    struct joined j;
    struct model_batch b;
    struct report *report;
    struct buf out;
    joined_begin(&j);
    const struct report_options how = {.size = sizeof how, .stacks = all};
    REQUIRE(report_new(&report, &how, &j.m.catalog) == 0);
    model_batch_init(&b, &j.m.catalog);
    for (uint32_t i = 0; i < 2; i++) {
        struct model_item *item = model_batch_add_item(&b);
        REQUIRE(item);
        item->kind = MODEL_ITEM_SAMPLE;
        item->t_ns = 1000 + i;
        item->u.sample = (struct model_sample){.t_ns = item->t_ns,
                                               .weight = i ? second : first,
                                               .count = 1,
                                               .extra = limit,
                                               .thread = j.m.threads[i],
                                               .stack = stack(&j, "main;deep"),
                                               .kind = ORIEL_SAMPLE_DEPTH};
    }
    REQUIRE(report_add(report, &b) == 0);
    buf_init(&out);
    REQUIRE(report_text(report, NULL, &out) == 0);
    bool tells = strstr(buf_cstr(&out), "\nstacks") != NULL;
    CHECK_EQ(tells, strstr(buf_cstr(&out), "worker") != NULL); /* the second is not left out */
    buf_done(&out);
    model_batch_done(&b);
    report_free(report);
    joined_end(&j);
    return tells;
}

TEST(only_stacks_that_are_nearly_full_are_told_unasked)
{
    const uint64_t usual = 8 << 20;
    CHECK(!tells_stacks(false, 5000, usual / 2 - 1, usual));
    CHECK(tells_stacks(false, 5000, usual / 2, usual));
    CHECK(!tells_stacks(false, 5000, usual / 2 - 1, 0)); /* the limit is not known */
    CHECK(tells_stacks(false, 5000, usual / 2, 0));
    CHECK(tells_stacks(false, 0, 5000, 8192)); /* a small one */
    CHECK(tells_stacks(true, 5000, 4000, usual));
}

TEST(what_a_thread_waits_for_is_said_in_words)
{
    static const struct {
        const char *user, *kernel;
        enum reason is;
    } cases[] = {
        {"main;work;pthread_mutex_lock;__lll_lock_wait", "__x64_sys_futex", REASON_LOCK},
        {"main;___pthread_mutex_lock", NULL, REASON_LOCK},
        {"main;pthread_cond_wait@@GLIBC;pthread_mutex_lock", "do_futex", REASON_CONDITION},
        {"main;work;futex_wait", "futex_wait", REASON_FUTEX},
        {"main;__GI___clock_nanosleep", "hrtimer_nanosleep", REASON_TIME},
        {"main;__libc_read", "anon_pipe_read", REASON_PIPE},
        {"main;__libc_read", "sock_recvmsg", REASON_SOCKET},
        {"main;__libc_read", NULL, REASON_READ},
        {"main;epoll_wait", "do_epoll_wait", REASON_EVENTS},
        {"main;wait4", "do_wait", REASON_CHILD},
        {"main;compute", "asm_exc_page_fault", REASON_MEMORY},
        {"main;compute", NULL, REASON_UNKNOWN},
    };
    struct joined j;
    joined_begin(&j);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t at = stack(&j, cases[i].user);
        if (cases[i].kernel)
            at = in_kernel(&j, at, cases[i].kernel);
        enum reason r = reason(&j, at, 0);
        if (r != cases[i].is)
            test_fail(__FILE__, __LINE__, "%s: %s, not %s", cases[i].user, reason_text(r),
                      reason_text(cases[i].is));
    }
    joined_end(&j);
}

TEST(where_names_say_nothing_the_record_does)
{
    struct joined j;
    joined_begin(&j);
    uint32_t at = stack(&j, "!stripped");
    CHECK_EQ(reason(&j, at, ORIEL_WAIT_FOR_CHILD), REASON_CHILD);
    CHECK_EQ(reason(&j, at, ORIEL_WAIT_FOR_FUTEX), REASON_FUTEX);
    CHECK_EQ(reason(&j, at, ORIEL_WAIT_DISK), REASON_DISK);
    CHECK_EQ(reason(&j, at, 0xfff0), REASON_OTHER); /* of a recorder to come */
    CHECK_EQ(reason(&j, at, 0), REASON_UNKNOWN);
    at = stack(&j, "read"); /* and where they say less */
    CHECK_EQ(reason(&j, at, ORIEL_WAIT_FOR_PIPE), REASON_PIPE);
    CHECK_EQ(reason(&j, at, ORIEL_WAIT_FOR_TERMINAL), REASON_TERMINAL);
    CHECK_EQ(reason(&j, at, ORIEL_WAIT_FOR_OTHER), REASON_READ);
    CHECK_EQ(reason(&j, at, 0), REASON_READ);
    at = stack(&j, "pthread_mutex_lock");
    CHECK_EQ(reason(&j, at, ORIEL_WAIT_FOR_PIPE), REASON_LOCK);
    joined_end(&j);
}

TEST(the_place_is_the_programs_own_function)
{
    struct joined j;
    struct frame_list list = {0};
    joined_begin(&j);
    uint32_t at = in_kernel(
        &j,
        stack(&j, "main;my_wait;std::condition_variable::wait(int);pthread_cond_wait;__futex_wait"),
        "schedule");
    REQUIRE(frames_list(&j.m.frames, at, &list) == 0);
    uint32_t place = reason_place(&j.m.frames, &list);
    REQUIRE(place != FRAMES_NONE);
    CHECK_STR(j.m.frames.items.items[place].name.p, "my_wait");
    VEC_DONE(&list.items);
    joined_end(&j);
}

TEST_MAIN()
