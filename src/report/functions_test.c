/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sums by function, edge and line, from profiles small enough to add up by hand.
 */
#include "report/functions.h"

#include "base/err.h"
#include "report/test_profile.h"

static const struct profile_filter everything = {
    .kind = ORIEL_SAMPLE_CPU, .thread = -1, .process = -1};

static const struct function_sum *find(const struct profile_maker *m, const struct function_sums *s,
                                       const char *name)
{
    for (size_t i = 0; i < s->items.count; i++) {
        struct model_str n = m->frames.items.items[s->items.items[i].frame].name;
        if (n.n == strlen(name) && memcmp(n.p, name, n.n) == 0)
            return &s->items.items[i];
    }
    test_fail(__FILE__, __LINE__, "no function %s", name);
    return NULL;
}

/* All the functions there are, with their sums. */
struct want {
    const char *name;
    uint64_t self, total;
};
static void expect_sums(struct profile_maker *m, const struct profile_filter *filter,
                        const struct want *want, size_t count)
{
    struct function_sums s;
    uint64_t weight = 0;
    CHECK_EQ(functions_sum(&m->frames, &m->profile, &m->catalog, filter, &s), 0);
    CHECK_EQ(s.items.count, count);
    for (size_t i = 0; i < count; i++) {
        const struct function_sum *f = find(m, &s, want[i].name);
        REQUIRE(f);
        if (f->self != want[i].self || f->total != want[i].total)
            test_fail(__FILE__, __LINE__, "%s: self %llu, total %llu", want[i].name,
                      (unsigned long long)f->self, (unsigned long long)f->total);
        weight += want[i].self;
    }
    for (size_t i = 1; i < s.items.count; i++)
        CHECK(s.items.items[i - 1].self >= s.items.items[i].self);
    CHECK_EQ(s.weight, weight);
    function_sums_done(&s);
}
#define EXPECT_SUMS(m, filter, ...)                                                                \
    expect_sums(m, filter, (const struct want[]){__VA_ARGS__},                                     \
                sizeof((const struct want[]){__VA_ARGS__}) / sizeof(struct want))

TEST(self_is_where_it_ran_and_total_what_it_caused)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;parse;read 5", 0, NULL);
    maker_add(&m, "main;parse 3", 0, NULL);
    maker_add(&m, "main;write 2", 0, NULL);
    EXPECT_SUMS(&m, &everything, {"main", 0, 10}, {"parse", 3, 8}, {"read", 5, 5}, {"write", 2, 2});
    maker_end(&m);
}

TEST(recursion_counts_once)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;walk;walk;walk 7", 0, NULL);
    maker_add(&m, "main;walk;visit;walk 1", 0, NULL);
    EXPECT_SUMS(&m, &everything, {"main", 0, 8}, {"walk", 8, 8}, {"visit", 0, 1});
    maker_end(&m);
}

TEST(inlined_functions_count_as_functions)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;parse;+skip 4", 0, NULL);
    EXPECT_SUMS(&m, &everything, {"main", 0, 4}, {"parse", 0, 4}, {"skip", 4, 4});
    maker_end(&m);
}

TEST(what_nobody_could_resolve_counts_as_its_module)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;!a 4", 0, NULL);
    maker_add(&m, "main;!b 5", 0, NULL);
    EXPECT_SUMS(&m, &everything, {"main", 0, 9}, {"[libz.so.1]", 9, 9});
    maker_end(&m);
}

TEST(a_file_under_two_names_is_one_module)
{
    struct profile_maker m;
    maker_begin(&m);
    static const char *const paths[] = {"/usr/lib/libq.so.0.8.6", "/lib/libq.so.0", "/lib/libr.so"};
    for (uint8_t i = 0; i < 3; i++) {
        struct model_module like = {.kind = MODEL_MODULE_FILE,
                                    .process = UINT32_MAX,
                                    .build_id_bytes = 20,
                                    .build_id = {i / 2},
                                    .path = {paths[i], (uint32_t)strlen(paths[i])}};
        uint32_t module = model_stacks_module(&m.catalog.stacks, &like)->index;
        struct model_place *p = model_stacks_place(&m.catalog.stacks, module, 100 + i, false);
        maker_sample(&m, &m.profile, ORIEL_SAMPLE_CPU,
                     model_stacks_node(&m.catalog.stacks, 0, p->index), 5);
    }
    EXPECT_SUMS(&m, &everything, {"[libq.so.0.8.6]", 10, 10}, {"[libr.so]", 5, 5});
    maker_end(&m);
}

TEST(samples_without_a_stack_are_unknown_not_lost)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_sample(&m, &m.profile, ORIEL_SAMPLE_CPU, 0, 3);
    EXPECT_SUMS(&m, &everything, {"[unknown]", 3, 3});
    maker_end(&m);
}

static uint64_t total(struct profile_maker *m, struct profile_filter f)
{
    struct function_sums s;
    CHECK_EQ(functions_sum(&m->frames, &m->profile, &m->catalog, &f, &s), 0);
    uint64_t weight = s.weight;
    function_sums_done(&s);
    return weight;
}

TEST(a_filter_takes_by_thread_process_kind_and_span)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;a 1", 0, NULL);
    maker_add(&m, "main;a 2", 1, m.sites[0]);
    maker_add(&m, "main;a 4", 2, m.sites[1]);
    struct profile_filter f = everything;
    CHECK_EQ(total(&m, f), 7);
    f.thread = 1;
    CHECK_EQ(total(&m, f), 2);
    f = everything;
    f.process = 0;
    CHECK_EQ(total(&m, f), 3);
    f = everything;
    f.site = m.sites[1];
    CHECK_EQ(total(&m, f), 4);
    f = everything;
    f.outside_spans = true;
    CHECK_EQ(total(&m, f), 1);
    f = everything;
    f.kind = ORIEL_SAMPLE_ALLOC;
    CHECK_EQ(total(&m, f), 0);
    maker_end(&m);
}

static uint64_t weight_of(const struct profile_maker *m, const struct function_edge *e, size_t n,
                          const char *name)
{
    for (size_t i = 0; i < n; i++) {
        struct model_str s = MODEL_STR("");
        if (e[i].frame != FRAMES_NONE)
            s = m->frames.items.items[e[i].frame].name;
        if (s.n == strlen(name) && memcmp(s.p, name, s.n) == 0)
            return e[i].weight;
    }
    return 0;
}

TEST(who_waits_in_the_kernel_waits_where_the_program_asked_for_it)
{
    struct profile_maker m;
    struct profile_filter user = everything;
    char path[] = "main;read";
    maker_begin(&m);
    uint32_t node = maker_stack(&m, path);
    node = maker_node(&m, node, maker_kernel(&m), 9, false, "schedule");
    maker_sample(&m, &m.profile, ORIEL_SAMPLE_CPU, node, 6);
    user.user_self = true;
    EXPECT_SUMS(&m, &user, {"main", 0, 6}, {"read", 6, 6}, {"schedule", 0, 6});
    maker_end(&m);
}

TEST(who_waits_for_a_lock_waits_where_the_program_asked_for_it_not_in_the_hook)
{
    struct profile_maker m;
    struct profile_filter user = everything;
    char path[] = "main;push;std::mutex::lock()";
    maker_begin(&m);
    uint32_t hook = maker_module(&m, "/usr/lib/liboriel-lock.so.0"), node = maker_stack(&m, path);
    node = maker_node(&m, node, hook, 9, false, "pthread_mutex_lock");
    maker_sample(&m, &m.profile, ORIEL_SAMPLE_LOCK, node, 6);
    user.user_self = true;
    user.kind = ORIEL_SAMPLE_LOCK;
    EXPECT_SUMS(&m, &user, {"main", 0, 6}, {"push", 6, 6}, {"std::mutex::lock()", 0, 6},
                {"pthread_mutex_lock", 0, 6});
    user.kind = ORIEL_SAMPLE_CONDITION;
    maker_sample(&m, &m.profile, ORIEL_SAMPLE_CONDITION, node, 4);
    EXPECT_SUMS(&m, &user, {"main", 0, 4}, {"push", 4, 4}, {"std::mutex::lock()", 0, 4},
                {"pthread_mutex_lock", 0, 4});
    maker_end(&m);
}

TEST(memory_that_a_container_asks_for_is_that_of_the_function_which_uses_it)
{
    struct profile_maker m;
    struct function_sums s;
    struct profile_filter user = everything;
    maker_begin(&m);
    char whole[] = "main;load;std::vector<int>::push_back;operator new",
         cut[] = "std::vector<int>::push_back;operator new";
    struct model_sample sample = {
        .kind = ORIEL_SAMPLE_ALLOC, .thread = m.threads[0], .weight = 7, .count = 1};
    sample.stack = maker_stack(&m, whole);
    REQUIRE(model_profile_add(&m.profile, &sample) == 0);
    sample.weight = 2;
    sample.stack = maker_stack(&m, cut);
    REQUIRE(model_profile_add(&m.profile, &sample) == 0);
    user.kind = ORIEL_SAMPLE_ALLOC;
    user.user_self = true;
    CHECK_EQ(functions_sum(&m.frames, &m.profile, &m.catalog, &user, &s), 0);
    CHECK_EQ(find(&m, &s, "load")->self, 7);
    CHECK_EQ(find(&m, &s, "operator new")->self, 2); /* nobody else is known */
    CHECK_EQ(find(&m, &s, "std::vector<int>::push_back")->self, 0);
    CHECK_EQ(find(&m, &s, "std::vector<int>::push_back")->total, 9);
    function_sums_done(&s);
    maker_end(&m);
}

TEST(what_goes_on_in_a_library_of_ours_is_one_frame_and_what_it_calls_is_not)
{
    struct profile_maker m;
    static const char *const inside[] = {"malloc", "alloc_take", "unwind_here"};
    char path[] = "main;push";
    maker_begin(&m);
    uint32_t hook = maker_module(&m, "/usr/lib/liboriel-alloc.so.0.1"),
             node = maker_stack(&m, path);
    for (uint32_t i = 0; i < 3; i++)
        node = maker_node(&m, node, hook, 9 + i, i < 2, inside[i]);
    maker_sample(&m, &m.profile, ORIEL_SAMPLE_CPU, node, 6);
    node = maker_node(&m, node, m.libz, 9, false, "_int_malloc");
    maker_sample(&m, &m.profile, ORIEL_SAMPLE_CPU, node, 3);
    EXPECT_SUMS(&m, &everything, {"main", 0, 9}, {"push", 0, 9}, {"[Oriel's heap hooks]", 6, 9},
                {"_int_malloc", 3, 3});
    maker_end(&m);
}

TEST(edges_say_who_called_and_who_was_called)
{
    struct profile_maker m;
    struct function_sums s;
    struct function_edges e;
    maker_begin(&m);
    maker_add(&m, "main;a;work;x 5", 0, NULL);
    maker_add(&m, "main;b;work;y 3", 0, NULL);
    maker_add(&m, "main;b;work;work;y 2", 0, NULL);
    maker_add(&m, "work 1", 0, NULL);
    CHECK_EQ(functions_sum(&m.frames, &m.profile, &m.catalog, &everything, &s), 0);
    uint32_t work = find(&m, &s, "work")->frame;
    CHECK_EQ(functions_edges(&m.frames, &m.profile, &m.catalog, &everything, work, &e), 0);
    CHECK_EQ(e.callers.count, 3);
    CHECK_EQ(weight_of(&m, e.callers.items, e.callers.count, "a"), 5);
    CHECK_EQ(weight_of(&m, e.callers.items, e.callers.count, "b"), 5);
    CHECK_EQ(weight_of(&m, e.callers.items, e.callers.count, ""), 1);
    CHECK_EQ(e.callees.count, 2);
    CHECK_EQ(weight_of(&m, e.callees.items, e.callees.count, "x"), 5);
    CHECK_EQ(weight_of(&m, e.callees.items, e.callees.count, "y"), 5);
    function_edges_done(&e);
    function_sums_done(&s);
    maker_end(&m);
}

TEST(lines_carry_what_ran_on_them)
{
    struct profile_maker m;
    struct line_sums l;
    maker_begin(&m);
    maker_add(&m, "main;parse 5", 0, NULL);
    maker_add(&m, "main;w 2", 0, NULL);
    CHECK_EQ(functions_lines(&m.frames, &m.profile, &m.catalog, &everything, FRAMES_NONE, &l), 0);
    CHECK_EQ(l.items.count, 3); /* "w" on line 11, "main" 14, "parse" 15 */
    CHECK_EQ(l.items.items[0].line, 11);
    CHECK_EQ(l.items.items[0].self, 2);
    CHECK_EQ(l.items.items[1].line, 14);
    CHECK_EQ(l.items.items[1].self, 0);
    CHECK_EQ(l.items.items[1].total, 7);
    CHECK_EQ(l.items.items[2].self, 5);
    line_sums_done(&l);
    maker_end(&m);
}

TEST(no_memory_is_said)
{
    for (uint64_t n = 1; n < 30; n++) {
        struct profile_maker m;
        struct function_sums s;
        maker_begin(&m);
        maker_add(&m, "main;parse;read 5", 0, NULL);
        mem_fail_after(n);
        int rc = functions_sum(&m.frames, &m.profile, &m.catalog, &everything, &s);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        if (rc == 0) {
            CHECK_EQ(find(&m, &s, "read")->self, 5);
            n = 30;
        }
        function_sums_done(&s);
        maker_end(&m);
    }
}

TEST_MAIN()
