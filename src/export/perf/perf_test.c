/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The perf.data outlet, its records taken apart by hand. tests/perf asks perf itself, and
 * tests/conformance reads every sample back.
 */
#include "export/perf/perfdata.h"

#include "export/test_samples.h"

extern const struct exporter export_perf;

static const struct perfdata_options plain = {.kind = 0};

enum { JIT_AT = 0x7f0000201000, BASE = 0x1000 };

struct record {
    uint32_t type;
    uint16_t misc, size;
    const uint8_t *body;
};

static uint64_t get(const void *at, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, at, n);
    return v;
}

static uint64_t word(const struct record *r, size_t nth)
{
    REQUIRE(8 * nth + 16 <= r->size);
    return get(r->body + 8 * nth, 8);
}

/* The nth record of a type; type 0: of any. False: there are not so many. */
static bool find(const struct fixture *f, uint32_t type, unsigned nth, struct record *out)
{
    const uint8_t *p = (const uint8_t *)f->bytes.data;
    uint64_t at = get(p + 40, 8), end = at + get(p + 48, 8);
    REQUIRE(end <= f->bytes.size);
    while (at < end) {
        *out = (struct record){(uint32_t)get(p + at, 4), (uint16_t)get(p + at + 4, 2),
                               (uint16_t)get(p + at + 6, 2), p + at + 8};
        REQUIRE(out->size >= 8 && out->size <= end - at && out->size % 8 == 0);
        at += out->size;
        if ((type == 0 || out->type == type) && nth-- == 0)
            return true;
    }
    return false;
}

static struct record need(const struct fixture *f, uint32_t type, unsigned nth)
{
    struct record r;
    REQUIRE(find(f, type, nth, &r));
    return r;
}

static struct model_module *module(struct fixture *f, uint8_t kind, const char *path)
{
    struct model_module like = {.process = kind == MODEL_MODULE_JIT ? 0 : UINT32_MAX,
                                .kind = kind,
                                .build_id_bytes = kind == MODEL_MODULE_FILE ? 4 : 0,
                                .build_id = {1, 2, 3, 4},
                                .path = fixture_text(path)};
    struct model_module *m = model_stacks_module(&f->catalog.stacks, &like);
    REQUIRE(m);
    return m;
}

static uint32_t node(struct fixture *f, uint32_t parent, const struct model_module *m,
                     uint64_t address, bool caller)
{
    struct model_place *p = model_stacks_place(&f->catalog.stacks, m->index, address, caller);
    uint32_t n = p ? model_stacks_node(&f->catalog.stacks, parent, p->index) : 0;
    REQUIRE(n);
    return n;
}

TEST(every_kind_is_an_event_and_every_sample_a_record_of_it)
{
    struct fixture f;
    fixture_init(&f);
    samples_tell(&f);
    fixture_run(&f, &export_perf, &plain);
    const uint8_t *p = (const uint8_t *)f.bytes.data;
    CHECK(memcmp(p, "PERFILE2", 8) == 0);
    CHECK_EQ(get(p + 8, 8), PERFDATA_HEADER_BYTES);
    CHECK_EQ(get(p + 32, 8), 2 * get(p + 16, 8)); /* CPU time and allocations */
    struct record first = need(&f, PERFDATA_SAMPLE, 0), last = need(&f, PERFDATA_SAMPLE, 6), more;
    CHECK(!find(&f, PERFDATA_SAMPLE, 7, &more));
    CHECK_EQ(word(&first, 0), get(p + PERFDATA_IDS_AT, 8));
    CHECK_EQ(word(&last, 0), get(p + PERFDATA_IDS_AT + 8, 8));
    CHECK_EQ(word(&first, 2), UINT64_C(101) << 32 | 100);
    CHECK_EQ(word(&first, 3), FIXTURE_START);
    CHECK_EQ(word(&first, 5), 10);
    CHECK_EQ(word(&last, 5), 64);
    fixture_done(&f);
}

TEST(the_chosen_kind_is_the_only_one)
{
    const struct perfdata_options o = {.kind = ORIEL_SAMPLE_ALLOC};
    struct fixture f;
    struct record more;
    fixture_init(&f);
    samples_tell(&f);
    fixture_run(&f, &export_perf, &o);
    CHECK_EQ(get(f.bytes.data + 32, 8), PERFDATA_FILE_ATTR_BYTES);
    need(&f, PERFDATA_SAMPLE, 0);
    CHECK(!find(&f, PERFDATA_SAMPLE, 1, &more));
    fixture_done(&f);
}

TEST(stacks_have_their_markers_and_kernel_and_program_are_told_apart)
{
    struct fixture f;
    fixture_init(&f);
    const struct model_module *lib = module(&f, MODEL_MODULE_FILE, "/lib/a.so"),
                              *kernel = module(&f, MODEL_MODULE_KERNEL, "[kernel]");
    uint32_t at = node(&f, 0, lib, 0x5000, true);
    at = node(&f, at, lib, 0x6000, false); /* interrupted by a signal: as if it called */
    at = node(&f, at, lib, 0x7000, true);  /* behind the instruction that went to the kernel */
    at = node(&f, at, kernel, UINT64_C(0xffffffff81000010), false);
    samples_add(&f, f.worker, ORIEL_SAMPLE_CPU, at, 1);
    fixture_run(&f, &export_perf, &plain);
    struct record r = need(&f, PERFDATA_SAMPLE, 0);
    const uint64_t chain[] = {PERFDATA_CONTEXT_KERNEL,
                              UINT64_C(0xffffffff81000010),
                              PERFDATA_CONTEXT_USER,
                              PERFDATA_SPACE_START + (UINT64_C(1) << 32) + 0x6fff,
                              PERFDATA_SPACE_START + (UINT64_C(1) << 32) + 0x6001,
                              PERFDATA_SPACE_START + (UINT64_C(1) << 32) + 0x5000};
    CHECK_EQ(r.misc, PERFDATA_MISC_KERNEL);
    CHECK_EQ(word(&r, 1), chain[1]);
    REQUIRE(word(&r, 6) == 6);
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(word(&r, 7 + i), chain[i]);
    struct record k = need(&f, PERFDATA_MMAP, 0);
    CHECK_EQ(k.misc, PERFDATA_MISC_KERNEL);
    CHECK(memcmp(k.body + 32, "[kernel.kallsyms]_text", 23) == 0);
    fixture_done(&f);
}

TEST(a_mapping_has_the_offset_that_the_file_says_also_if_that_is_known_only_at_the_end)
{
    const struct model_segment segments[] = {{0x201000, BASE, 0x1800}, {0x900000, 0x3000, 0x100}};
    struct fixture f;
    fixture_init(&f);
    struct model_module *m = module(&f, MODEL_MODULE_FILE, "/usr/bin/demo");
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, node(&f, 0, m, 0x201234, false), 1);
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, node(&f, 0, m, 0x900010, false), 1);
    fixture_open(&f, &export_perf, &plain);
    CHECK_EQ(fixture_write(&f), 0);
    REQUIRE(model_module_set_segments(&f.catalog.stacks, m, segments, 2) == 0);
    CHECK_EQ(fixture_close(&f), 0);
    struct record first = need(&f, PERFDATA_MMAP2, 0), second = need(&f, PERFDATA_MMAP2, 1), more;
    CHECK_EQ(first.misc, PERFDATA_MISC_USER | PERFDATA_MISC_BUILD_ID);
    CHECK_EQ(word(&first, 1), PERFDATA_SPACE_START + 0x201000);
    CHECK_EQ(word(&first, 2), 0x2000);
    CHECK_EQ(word(&first, 3), BASE);
    CHECK_EQ(get(first.body + 32, 8), 4 | UINT64_C(0x04030201) << 32);
    CHECK_STR((const char *)first.body + 64, "/usr/bin/demo");
    CHECK_EQ(word(&second, 1), PERFDATA_SPACE_START + 0x900000);
    CHECK_EQ(word(&second, 3), 0x3000);
    CHECK(!find(&f, PERFDATA_MMAP2, 2, &more));
    fixture_done(&f);
}

TEST(addresses_far_apart_in_one_file_have_windows_of_their_own)
{
    struct fixture f;
    fixture_init(&f);
    const struct model_module *m = module(&f, MODEL_MODULE_FILE, "/lib/far.so");
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, node(&f, 0, m, 0x1000, false), 1);
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, node(&f, 0, m, UINT64_C(0x700000001000), false), 1);
    fixture_run(&f, &export_perf, &plain);
    struct record program = need(&f, PERFDATA_MMAP2, 0), near = need(&f, PERFDATA_MMAP2, 1),
                  far = need(&f, PERFDATA_MMAP2, 2), sample = need(&f, PERFDATA_SAMPLE, 1);
    CHECK_STR((const char *)program.body + 64, "/usr/bin/demo"); /* readers call it after this */
    CHECK_EQ(word(&near, 3), 0x1000);
    CHECK_EQ(word(&far, 3), UINT64_C(0x700000001000));
    CHECK_EQ(word(&sample, 1) - word(&far, 1) + word(&far, 3), UINT64_C(0x700000001000));
    fixture_done(&f);
}

TEST(code_made_at_run_time_keeps_its_address_and_lies_in_anonymous_memory)
{
    struct fixture f;
    struct record more;
    fixture_init(&f);
    const struct model_module *jit = module(&f, MODEL_MODULE_JIT, "[jit]");
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, node(&f, 0, jit, JIT_AT, false), 1);
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, node(&f, 0, jit, JIT_AT + 8, false), 1);
    fixture_run(&f, &export_perf, &plain);
    struct record map = need(&f, PERFDATA_MMAP2, 1), sample = need(&f, PERFDATA_SAMPLE, 0);
    CHECK_STR((const char *)map.body + 64, "//anon");
    CHECK_EQ(word(&sample, 1), JIT_AT);
    CHECK(word(&map, 1) <= JIT_AT && JIT_AT < word(&map, 1) + word(&map, 2));
    CHECK(!find(&f, PERFDATA_MMAP2, 2, &more));
    fixture_done(&f);
}

TEST(names_are_those_of_the_end_and_a_number_that_comes_again_is_another_thread)
{
    struct fixture f;
    fixture_init(&f);
    samples_add(&f, f.worker, ORIEL_SAMPLE_CPU, 0, 1);
    fixture_open(&f, &export_perf, &plain);
    CHECK_EQ(fixture_write(&f), 0);
    REQUIRE(model_thread_set_name(&f.catalog, f.worker, MODEL_STR("renamed")) == 0);
    struct model_thread *again = model_catalog_add_thread(&f.catalog, 0, 101, 9);
    samples_add(&f, again, ORIEL_SAMPLE_CPU, 0, 1);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(fixture_close(&f), 0);
    struct record process = need(&f, PERFDATA_COMM, 0), worker = need(&f, PERFDATA_COMM, 1),
                  ended = need(&f, PERFDATA_EXIT, 0), began = need(&f, PERFDATA_FORK, 0);
    CHECK_EQ(process.misc, PERFDATA_MISC_EXEC);
    CHECK_STR((const char *)process.body + 8, "demo");
    CHECK_STR((const char *)worker.body + 8, "renamed");
    CHECK_EQ(word(&ended, 1) & UINT32_MAX, 101);
    CHECK_EQ(word(&began, 0), UINT64_C(100) << 32 | 100);
    need(&f, PERFDATA_COMM, 2);
    fixture_done(&f);
}

TEST(a_child_comes_from_its_parent_only_where_somebody_said_so)
{
    struct fixture f;
    struct record more;
    fixture_init(&f);
    struct model_process *child =
        model_catalog_add_process(&f.catalog, 200, MODEL_STR("/bin/child"), MODEL_STR("child"));
    struct model_thread *t = model_catalog_add_thread(&f.catalog, child->index, 200, 5);
    f.process->ppid = 1; /* of which nothing is known */
    child->ppid = 100;
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, 0, 1);
    samples_add(&f, t, ORIEL_SAMPLE_CPU, 0, 1);
    fixture_run(&f, &export_perf, &plain);
    struct record fork = need(&f, PERFDATA_FORK, 0), comm = need(&f, PERFDATA_COMM, 1);
    CHECK_EQ(word(&fork, 0), UINT64_C(100) << 32 | 200);
    CHECK_EQ(word(&fork, 1), UINT64_C(100) << 32 | 200);
    CHECK_STR((const char *)comm.body + 8, "child");
    CHECK(!find(&f, PERFDATA_FORK, 1, &more));
    fixture_done(&f);
}

TEST(what_was_lost_is_told)
{
    struct fixture f;
    fixture_init(&f);
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, 0, 1);
    f.worker->lost[ORIEL_LOST_RING_FULL] = 5;
    model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.sample.lost"), MODEL_STR("12"));
    fixture_run(&f, &export_perf, &plain);
    struct record lost = need(&f, PERFDATA_LOST, 0), samples = need(&f, PERFDATA_LOST_SAMPLES, 0);
    CHECK_EQ(word(&lost, 1), 5);
    CHECK_EQ(word(&samples, 0), 12);
    fixture_done(&f);
}

/* One sample of a name without an address, and `more` with one. */
static int run_named(struct fixture *f, bool more, const char **out_note)
{
    struct oriel_err err = {0};
    const struct export_summary end = {0};
    static char note[512];
    fixture_init(f);
    const struct model_module *m = module(f, MODEL_MODULE_UNKNOWN, "[unknown]");
    samples_add(f, f->main, ORIEL_SAMPLE_CPU, node(f, 0, m, UINT64_C(1) << 62 | 7, false), 1);
    if (more)
        samples_add(f, f->main, ORIEL_SAMPLE_CPU, node(f, 0, m, 0x1234, false), 1);
    fixture_open(f, &export_perf, &plain);
    CHECK_EQ(fixture_write(f), 0);
    int rc = export_perf.close(f->state, &end, &err);
    snprintf(note, sizeof note, "%s", rc == 0 ? export_perf.note(f->state) : err.text);
    *out_note = note;
    CHECK_EQ(export_perf.unwritten(f->state), rc == 0 ? 0 : 1);
    free(f->state);
    out_close(f->out);
    return rc;
}

TEST(names_without_addresses_are_counted_and_with_nothing_else_there_is_no_file)
{
    struct fixture f;
    const char *note;
    CHECK_EQ(run_named(&f, true, &note), 0);
    CHECK(strstr(note, "1 of 2 frames") != NULL);
    struct record first = need(&f, PERFDATA_SAMPLE, 0);
    CHECK_EQ(word(&first, 6), 0); /* the sample is there */
    fixture_done(&f);
    CHECK_EQ(run_named(&f, false, &note), ORIEL_ENOTFOUND);
    CHECK(strstr(note, "no addresses") != NULL);
    CHECK_EQ(f.bytes.size, 0);
    fixture_done(&f);
}

static int full_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    (void)o, (void)bytes, (void)n, (void)out_written;
    return ORIEL_ENOSPC;
}

TEST(a_pipe_is_refused_and_a_full_disk_leaves_nothing)
{
    static const struct out_ops pipe_ops = {.write = full_write};
    struct out pipe = {.ops = &pipe_ops};
    struct oriel_err err = {0};
    struct fixture f;
    struct perfdata state = {0};
    fixture_init(&f);
    struct export_env env = {&f.catalog, &pipe, "demo", "0"};
    CHECK_EQ(export_perf.open(&state, &plain, &env, &err), ORIEL_EUNSUPPORTED);
    CHECK(strstr(err.text, "-o") != NULL);
    samples_tell(&f);
    fixture_open(&f, &export_perf, &plain);
    struct out_ops full = *f.out->ops;
    full.write = full_write;
    f.out->ops = &full;
    CHECK_EQ(fixture_write(&f), 0); /* in the buffer yet */
    CHECK_EQ(fixture_close(&f), ORIEL_ENOSPC);
    CHECK_EQ(f.bytes.size, 0);
    fixture_done(&f);
}

TEST(a_recording_without_samples_is_said_to_be_one_and_nothing_is_written)
{
    samples_none(&export_perf, &plain);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    samples_torture(&export_perf, &plain);
}

TEST_MAIN()
