/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * profile.proto made by hand: types, units, inlined calls, heaps, damage.
 * tests/import reads what Go writes.
 */
#include "source/pprof/pprof.h"

#include "source/test_import.h"
#include "util/gzip.h"

/* Texts by number. */
enum {
    EMPTY,
    CPU,
    NS,
    MS,
    MAIN,
    LEAF,
    INNER,
    FILE_A,
    EXE,
    SAMPLES,
    COUNT,
    ALLOC,
    BYTES,
    INUSE,
    ODD
};
static const char *const texts[] = {"",          "cpu",         "nanoseconds", "milliseconds",
                                    "main",      "leaf",        "inner",       "/src/a.go",
                                    "/bin/demo", "samples",     "count",       "alloc_space",
                                    "bytes",     "inuse_space", "goroutine"};

struct maker {
    struct buf out;
};

static void put_pair(struct maker *m, uint32_t field, uint64_t a, uint64_t b)
{
    struct pb_mark mark = pb_open(&m->out, field, 1);
    pb_uint(&m->out, 1, a);
    pb_uint(&m->out, 2, b);
    pb_close(&m->out, mark);
}

static void put_location(struct maker *m, uint64_t id, uint64_t function, uint64_t inlined)
{
    struct pb_mark mark = pb_open(&m->out, 4, 1);
    pb_uint(&m->out, 1, id);
    pb_uint(&m->out, 2, 1);
    pb_uint(&m->out, 3, 0x1000 * id);
    if (inlined)
        put_pair(m, 4, inlined, 3);
    if (function)
        put_pair(m, 4, function, 7);
    pb_close(&m->out, mark);
}

static void put_sample(struct maker *m, uint64_t leaf, uint64_t root, int64_t a, int64_t b)
{
    struct pb_mark mark = pb_open(&m->out, 2, 1), packed = pb_open(&m->out, 1, 1);
    pb_varint(&m->out, leaf);
    pb_varint(&m->out, root);
    pb_close(&m->out, packed);
    pb_int(&m->out, 2, a); /* one by one, as some write them */
    pb_int(&m->out, 2, b);
    pb_close(&m->out, mark);
}

/* main called leaf, with inner inlined; another leaf has no function. */
static void begin(struct maker *m, uint64_t first, uint64_t unit_a, uint64_t second,
                  uint64_t unit_b)
{
    buf_init(&m->out);
    put_pair(m, 1, first, unit_a);
    put_pair(m, 1, second, unit_b);
    struct pb_mark mapping = pb_open(&m->out, 3, 1);
    pb_uint(&m->out, 1, 1);
    pb_uint(&m->out, 5, EXE);
    pb_close(&m->out, mapping);
    put_location(m, 1, 1, 0);
    put_location(m, 2, 2, 3);
    put_location(m, 3, 0, 0);
    for (uint64_t f = 1; f <= 3; f++)
        put_pair(m, 5, f, MAIN + f - 1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pb_text(&m->out, 6, texts[i]);
}

static void read_made(struct imported *m, struct maker *made)
{
    struct pprof_source s;
    struct oriel_err err = {0};
    imported_init(m);
    int rc = open_memory(&source_pprof, &s, made->out.data, made->out.size, &m->catalog, &err);
    if (rc != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    imported_run(m, &source_pprof, &s);
    source_pprof.close(&s);
    buf_done(&made->out);
}

TEST(stacks_stand_leaf_first_and_inlined_calls_within_their_place)
{
    struct maker made;
    struct imported m;
    begin(&made, SAMPLES, COUNT, CPU, NS);
    put_sample(&made, 2, 1, 4, 400);
    put_sample(&made, 3, 1, 1, 100);
    read_made(&m, &made);
    CHECK_EQ(m.records, 2);
    imported_expect(&m, "main;leaf+inner 1 400 4");
    imported_expect(&m, "main;</bin/demo> 1 100 1");
    CHECK(model_str_equal(m.catalog.processes[0]->exe, MODEL_STR("/bin/demo")));
    imported_done(&m);
}

TEST(units_become_those_of_the_house)
{
    struct maker made;
    struct imported m;
    begin(&made, SAMPLES, COUNT, CPU, MS);
    put_sample(&made, 2, 1, 4, 5);
    read_made(&m, &made);
    imported_expect(&m, "main;leaf+inner 1 5000000 4");
    imported_done(&m);
}

TEST(what_is_in_use_was_allocated_and_not_freed)
{
    struct maker made;
    struct imported m;
    begin(&made, ALLOC, BYTES, INUSE, BYTES);
    put_sample(&made, 2, 1, 1000, 400);
    read_made(&m, &made);
    CHECK_EQ(m.records, 2);
    imported_expect(&m, "main;leaf+inner 3 1000 1");
    imported_expect(&m, "main;leaf+inner 4 600 1");
    imported_done(&m);
}

TEST(a_type_that_nobody_knows_counts_as_cpu_time)
{
    struct maker made;
    struct imported m;
    begin(&made, COUNT, COUNT, ODD, COUNT);
    put_sample(&made, 2, 1, 9, 3);
    read_made(&m, &made);
    CHECK_EQ(m.records, 1);
    imported_expect(&m, "main;leaf+inner 1 3 1");
    imported_done(&m);
}

TEST(counts_alone_weigh_their_period)
{
    struct maker made;
    struct imported m;
    begin(&made, SAMPLES, COUNT, ODD, COUNT);
    put_pair(&made, 11, CPU, NS);
    pb_uint(&made.out, 12, 10000000);
    pb_uint(&made.out, 14, SAMPLES);
    put_sample(&made, 2, 1, 3, 0);
    read_made(&m, &made);
    imported_expect(&m, "main;leaf+inner 1 30000000 1");
    imported_done(&m);
}

TEST(packed_and_plain_are_recognized_and_text_is_not)
{
    static const char text[] = "main;leaf 12\n";
    struct maker made;
    struct buf packed;
    buf_init(&packed);
    begin(&made, SAMPLES, COUNT, CPU, NS);
    REQUIRE(gzip_compress(made.out.data, made.out.size, &packed) == 0);
    CHECK(source_pprof.recognizes((const uint8_t *)made.out.data, made.out.size));
    CHECK(source_pprof.recognizes((const uint8_t *)packed.data, packed.size));
    CHECK(!source_pprof.recognizes((const uint8_t *)text, sizeof text - 1));
    buf_done(&packed);
    buf_done(&made.out);
}

TEST(damage_is_refused_or_counted_but_never_fatal)
{
    struct maker made;
    begin(&made, SAMPLES, COUNT, CPU, NS);
    put_sample(&made, 2, 77, -4, 400); /* a place that is not there, a negative count */
    for (size_t n = 0; n <= made.out.size; n++) {
        struct pprof_source s;
        struct imported m;
        imported_init(&m);
        if (open_memory(&source_pprof, &s, made.out.data, n, &m.catalog, NULL) == 0) {
            imported_run(&m, &source_pprof, &s);
            source_pprof.close(&s);
        }
        imported_done(&m);
    }
    buf_done(&made.out);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    struct maker made;
    int rc = ORIEL_ENOMEM;
    begin(&made, SAMPLES, COUNT, CPU, NS);
    put_sample(&made, 2, 1, 4, 400);
    size_t before = mem_live_blocks();
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 500; n++) {
        struct imported m;
        struct pprof_source s;
        imported_init(&m);
        mem_fail_after(n);
        rc = open_memory(&source_pprof, &s, made.out.data, made.out.size, &m.catalog, NULL);
        mem_fail_after(0);
        if (rc == 0)
            source_pprof.close(&s);
        imported_done(&m);
        CHECK_EQ(mem_live_blocks(), before);
    }
    CHECK_EQ(rc, 0);
    buf_done(&made.out);
}

TEST_MAIN()
