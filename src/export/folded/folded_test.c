/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The outlet of folded stacks, line by line.
 */
#include "export/folded/folded.h"

#include "export/test_samples.h"

extern const struct exporter export_folded;

static const struct folded_options cpu = {.kind = ORIEL_SAMPLE_CPU - 1};

TEST(equal_stacks_are_one_line_and_no_name_breaks_it)
{
    struct fixture f;
    fixture_init(&f);
    samples_tell(&f);
    CHECK_STR(fixture_run(&f, &export_folded, &cpu),
              "[libz.so.1] 5\n"
              "[libz.so.1];run;a:b \"\xff_[i] 30\n"
              "[libz.so.1];run;a:b \"\xff_[i];again;run 1\n"
              "[libz.so.1];run;a:b \"\xff_[i];again;run;sys_read_[k] 2\n"
              "[unknown] 3\n");
    fixture_done(&f);
}

TEST(threads_or_spans_stand_below_the_root_on_request)
{
    struct fixture f;
    struct folded_options o = {.kind = ORIEL_SAMPLE_ALLOC - 1, .by = FOLDED_BY_THREAD};
    fixture_init(&f);
    samples_tell(&f);
    CHECK_STR(fixture_run(&f, &export_folded, &o), "worker (tid 101);[libz.so.1] 64\n");
    buf_clear(&f.bytes);
    samples_tell(&f);
    o.by = FOLDED_BY_SPAN;
    CHECK_STR(fixture_run(&f, &export_folded, &o), "(no span);[libz.so.1] 64\n");
    fixture_done(&f);
}

TEST(a_recording_without_samples_is_said_to_be_one_and_nothing_is_written)
{
    samples_none(&export_folded, &cpu);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    samples_torture(&export_folded, &cpu);
}

TEST_MAIN()
