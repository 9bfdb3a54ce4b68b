/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Folded stacks, our own and those of others.
 */
#include "source/folded/folded.h"

#include "source/test_import.h"

static void read_text(struct imported *m, struct folded_source *s, const char *text)
{
    imported_init(m);
    REQUIRE(open_memory(&source_folded, s, text, strlen(text), &m->catalog, NULL) == 0);
    imported_run(m, &source_folded, s);
}

static void done(struct imported *m, struct folded_source *s)
{
    source_folded.close(s);
    imported_done(m);
}

TEST(every_line_is_a_stack_with_its_weight)
{
    struct imported m;
    struct folded_source s;
    read_text(&m, &s, "main;work;sort 12\nmain;work 3\r\nmain 18446744073709551615");
    CHECK_EQ(m.records, 3);
    imported_expect(&m, "main;work;sort 1 12 1");
    imported_expect(&m, "main;work 1 3 1");
    imported_expect(&m, "main 1 18446744073709551615 1");
    done(&m, &s);
}

TEST(marks_at_names_say_what_is_inlined_and_what_is_the_kernels)
{
    struct imported m;
    struct folded_source s;
    read_text(&m, &s, "main;f;g_[i];h_[i];sys_[k] 5\nx_[i];y 1\n");
    imported_expect(&m, "main;f+g+h;sys 1 5 1");
    imported_expect(&m, "x;y 1 1 1");
    const struct model_stacks *stacks = &m.catalog.stacks;
    for (uint32_t i = 0; i < stacks->place_count; i++)
        if (model_str_equal(stacks->places[i]->lines[0].function, MODEL_STR("sys")))
            CHECK_EQ(stacks->modules[stacks->places[i]->module]->kind, MODEL_MODULE_KERNEL);
    done(&m, &s);
}

TEST(names_may_hold_spaces_and_empty_ones_are_left_out)
{
    struct imported m;
    struct folded_source s;
    read_text(&m, &s, "operator new (unsigned long);;std::map<int, int>::at 7\n");
    imported_expect(&m, "operator new (unsigned long);std::map<int, int>::at 1 7 1");
    done(&m, &s);
}

TEST(a_line_that_is_none_is_counted_and_the_rest_is_read)
{
    struct imported m;
    struct folded_source s;
    struct source_damage damage;
    read_text(&m, &s, "main 1\nnonsense\n\nmain;f x\nmain;g 2\n");
    source_folded.damage(&s, &damage);
    CHECK_EQ(m.records, 2);
    CHECK_EQ(damage.records, 2);
    CHECK_EQ(damage.first_offset, 7);
    done(&m, &s);
}

TEST(a_stack_deeper_than_can_be_kept_counts_at_its_limit)
{
    struct imported m;
    struct folded_source s;
    struct buf text;
    buf_init(&text);
    for (int i = 0; i < 3 * (int)MODEL_STACK_DEPTH_MAX; i++)
        buf_printf(&text, "f%d;", i);
    buf_puts(&text, "leaf 4\n");
    read_text(&m, &s, buf_cstr(&text));
    CHECK_EQ(m.records, 1);
    CHECK_EQ(m.catalog.stacks.node_count, MODEL_STACK_DEPTH_MAX + 1);
    done(&m, &s);
    buf_done(&text);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    static const char text[] = "main;f;g_[i] 1\nmain;h 2\n";
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 500; n++) {
        struct imported m;
        struct folded_source s;
        size_t blocks = mem_live_blocks();
        imported_init(&m);
        mem_fail_after(n);
        rc = open_memory(&source_folded, &s, text, sizeof text - 1, &m.catalog, NULL);
        mem_fail_after(0);
        if (rc == 0)
            source_folded.close(&s);
        imported_done(&m);
        CHECK_EQ(mem_live_blocks(), blocks);
    }
    CHECK_EQ(rc, 0);
}

TEST_MAIN()
