/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The text of perf script, in the forms that its versions write.
 */
#include "source/script/script.h"

#include "source/test_import.h"

static struct model_str str(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static bool head_is(const char *line, const char *comm, int pid, int tid, uint64_t t_ns,
                    uint64_t period)
{
    struct script_head h;
    return script_read_head(str(line), &h) && model_str_equal(h.comm, str(comm)) && h.pid == pid &&
           h.tid == tid && h.t_ns == t_ns && h.period == period;
}

TEST(the_first_line_of_a_sample_is_read_in_all_its_forms)
{
    CHECK(head_is("sampled   301 23798.968286:    2004008 cpu-clock:pppH: ", "sampled", 301, 301,
                  23798968286000, 2004008));
    CHECK(
        head_is("a b c 7/9 [003] 1.000000001:          1 cycles: ", "a b c", 7, 9, 1000000001, 1));
    CHECK(head_is("x 7/9 [003] 12.5: sched:sched_switch: prev_comm=x", "x", 7, 9, 12500000000, 1));
    CHECK(head_is("swapper     0 [001] 5.000001: 10101010 cycles:  ffffffff81 idle+0x1 ([k])",
                  "swapper", 0, 0, 5000001000, 10101010));
    CHECK(head_is("odd 1.5: 3/4 2.5: 6 cycles:", "odd 1.5:", 3, 4, 2500000000, 6));
}

TEST(what_is_no_first_line_is_none)
{
    struct script_head h;
    static const char *const lines[] = {"",
                                        "# comment",
                                        "\t  12e2 turn+0x12 (/bin/x)",
                                        "main;f 12",
                                        "a 1 2.5 7 cycles:",
                                        "a b 2.5: 7 cycles:",
                                        "a 1 2.5: 7",
                                        "a 99999999999 2.5: 7 cycles:"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK(!script_read_head(str(lines[i]), &h));
}

TEST(frames_are_names_without_offsets_and_modules)
{
    struct script_frame f;
    REQUIRE(script_read_frame(str("\t    12e2 turn+0x12 (/bin/x (deleted))"), &f));
    CHECK(model_str_equal(f.name, MODEL_STR("turn")));
    CHECK(model_str_equal(f.module, MODEL_STR("/bin/x (deleted)")));
    REQUIRE(script_read_frame(str(" ffffffff81 do_it+0x3 ([kernel.kallsyms])"), &f));
    CHECK(f.kernel);
    REQUIRE(script_read_frame(str("  267e95 [unknown] ([unknown])"), &f));
    CHECK(f.name.n == 0 && !f.kernel);
    REQUIRE(script_read_frame(str("     std::map<int, int>::at(int) (inlined)"), &f));
    CHECK(f.inlined);
    CHECK(model_str_equal(f.name, MODEL_STR("std::map<int, int>::at(int)")));
    CHECK(!script_read_frame(str("  sampled.c:29"), &f));
    CHECK(!script_read_frame(str("  )"), &f));
}

TEST(samples_become_stacks_from_the_root)
{
    static const char text[] = "# a comment\n"
                               "prog 10/11 2.5: 100 cpu-clock: \n"
                               "\tffffffff81 sys+0x1 ([kernel.kallsyms])\n"
                               "\t        12 inner (inlined)\n"
                               "\t        12 f+0x2 (/bin/x)\n"
                               "  x.c:12\n"
                               "\t        13 main+0x2 (/bin/x)\n"
                               "\t        99 [unknown] (/lib/y.so)\n"
                               "\n"
                               "prog 10/11 1.5: 7 cpu-clock: 12 f+0x2 (/bin/x)\n"
                               "what is this\n"
                               "prog 10/12 3.5: 1 page-faults: \n"
                               "\t        13 main+0x2 (/bin/x)\n";
    struct imported m;
    struct script_source s;
    struct source_damage damage;
    imported_init(&m);
    REQUIRE(open_memory(&source_script, &s, text, sizeof text - 1, &m.catalog, NULL) == 0);
    imported_run(&m, &source_script, &s);
    CHECK_EQ(m.records, 3);
    CHECK(strncmp(buf_cstr(&m.text), "f 1 7 1\n", 8) == 0); /* the earliest */
    imported_expect(&m, "</lib/y.so>;main;f+inner;sys 1 100 1");
    imported_expect(&m, "main 6 1 1");
    source_script.damage(&s, &damage);
    CHECK_EQ(damage.records, 1);
    CHECK_EQ(m.catalog.thread_count, 2);
    CHECK(model_str_equal(m.catalog.threads[0]->name, MODEL_STR("prog")));
    source_script.close(&s);
    imported_done(&m);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    static const char text[] = "prog 10/11 2.5: 100 cpu-clock: \n\t12 f+0x2 (/bin/x)\n";
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 500; n++) {
        struct imported m;
        struct script_source s;
        size_t blocks = mem_live_blocks();
        imported_init(&m);
        mem_fail_after(n);
        rc = open_memory(&source_script, &s, text, sizeof text - 1, &m.catalog, NULL);
        mem_fail_after(0);
        if (rc == 0)
            source_script.close(&s);
        imported_done(&m);
        CHECK_EQ(mem_live_blocks(), blocks);
    }
    CHECK_EQ(rc, 0);
}

TEST_MAIN()
