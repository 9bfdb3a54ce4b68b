/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The callgrind outlet, as text. tests/callgrind asks callgrind_annotate, and
 * tests/conformance reads every stack.
 */
#include "export/callgrind/callgrind.h"

#include "export/test_samples.h"

extern const struct exporter export_callgrind;

static const struct callgrind_options everything = {0};

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part))
        test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", part, text);
}

TEST(every_kind_is_an_event_and_the_sums_are_said)
{
    struct fixture f;
    fixture_init(&f);
    samples_tell(&f);
    const char *text = fixture_run(&f, &export_callgrind, &everything);
    expect(text, "# callgrind format\nversion: 1\ncreator: oriel 0.0.0\npid: 100\ncmd: demo -v\n");
    expect(text, "\nevents: Cpu_ns Alloc_bytes\nsummary: 41 64\n");
    expect(text, "\ntotals: 41 64\n");
    fixture_done(&f);
}

TEST(a_function_has_what_its_lines_cost_and_what_it_called)
{
    struct fixture f;
    fixture_init(&f);
    samples_tell(&f);
    const char *text = fixture_run(&f, &export_callgrind, &everything);
    /* Samples in the inlined function are its own, at its line. */
    expect(text, "cfn=(5) a;b \"\xff\ncalls=2 7\n30 30 0\n");
    expect(text, "fn=(5)\n9 30 0\n");
    /* The library's own, and what it called. */
    expect(text, "fn=(2) [libz.so.1]\n0 5 64\ncob=(3) /bin/demo\ncfi=(3) /src/a.c\n");
    expect(text, "cfn=(4) run\ncalls=4 20\n0 33 0\n");
    fixture_done(&f);
}

TEST(a_recursive_function_counts_once)
{
    struct fixture f;
    fixture_init(&f);
    uint32_t at = 0;
    for (int i = 0; i < 5; i++)
        at = samples_node(&f, at, "/bin/demo", i < 4 ? "deep" : "leaf", NULL);
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, at, 7);
    const char *text = fixture_run(&f, &export_callgrind, &everything);
    expect(text, "calls=1 7\n9 7\n");
    const char *first = strstr(text, "calls=");
    CHECK(first && !strstr(first + 1, "calls="));
    fixture_done(&f);
}

TEST(counted_calls_are_the_numbers_of_calls_recursive_ones_too)
{
    struct fixture f;
    fixture_init(&f);
    uint32_t top = samples_node(&f, 0, "/bin/demo", "top", NULL),
             once = samples_node(&f, top, "/bin/demo", "again", NULL),
             twice = samples_node(&f, once, "/bin/demo", "again", NULL);
    samples_add(&f, f.main, ORIEL_SAMPLE_CALL, top, 10)->count = 2;
    samples_add(&f, f.main, ORIEL_SAMPLE_CALL, once, 20)->count = 300;
    samples_add(&f, f.main, ORIEL_SAMPLE_CALL, twice, 30)->count = 5;
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, once, 1)->count = 1000; /* is no call */
    const char *text = fixture_run(&f, &export_callgrind, &everything);
    expect(text, "\nevents: Cpu_ns Time_ns\nsummary: 1 60\n");
    expect(text, "calls=300 ");
    expect(text, "calls=5 ");
    CHECK(!strstr(text, "calls=1"));
    fixture_done(&f);
}

TEST(a_recording_without_samples_is_said_to_be_one_and_nothing_is_written)
{
    samples_none(&export_callgrind, &everything);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    samples_torture(&export_callgrind, &everything);
}

TEST_MAIN()
