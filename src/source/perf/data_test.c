/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * perf.data files made by hand: both forms, several events, compressed
 * records, chains, damage at every byte. tests/import reads what perf writes.
 */
#include "source/perf/data.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <zstd.h>

#include "source/test_import.h"

extern const struct source source_perfdata;

enum {
    TYPE = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID |
           PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN
};

static void put64(struct buf *b, uint64_t v)
{
    buf_put(b, &v, sizeof v);
}

static void put_two(struct buf *b, uint32_t a, uint32_t c)
{
    buf_put(b, &a, sizeof a);
    buf_put(b, &c, sizeof c);
}

static void put_record(struct buf *b, uint32_t type, uint16_t misc, const struct buf *body)
{
    struct perf_event_header h = {type, misc, (uint16_t)(sizeof h + body->size)};
    buf_put(b, &h, sizeof h);
    buf_put(b, body->data, body->size);
}

static void put_trailer(struct buf *b, uint64_t time, uint64_t id)
{
    put_two(b, 7, 8);
    put64(b, time);
    put64(b, id);
}

static void put_map(struct buf *out, uint64_t time, const char *path)
{
    struct buf b;
    char name[32] = {0};
    buf_init(&b);
    memcpy(name, path, strlen(path));
    put_two(&b, 7, 7);
    put64(&b, 0x400000);
    put64(&b, 0x10000);
    put64(&b, 0);
    for (int i = 0; i < 3; i++)
        put64(&b, 0);
    put_two(&b, PROT_READ | PROT_EXEC, 0);
    buf_put(&b, name, sizeof name);
    put_trailer(&b, time, 1);
    put_record(out, PERF_RECORD_MMAP2, 0, &b);
    buf_done(&b);
}

static void put_comm(struct buf *out, uint64_t time, const char *name, bool exec)
{
    struct buf b;
    char text[16] = {0};
    buf_init(&b);
    memcpy(text, name, strlen(name));
    put_two(&b, 7, 8);
    buf_put(&b, text, sizeof text);
    put_trailer(&b, time, 1);
    put_record(out, PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0, &b);
    buf_done(&b);
}

static void put_sample(struct buf *out, uint64_t time, uint64_t id, uint64_t period,
                       const uint64_t *chain, uint64_t n)
{
    struct buf b;
    buf_init(&b);
    put64(&b, n > 1 ? chain[1] : 0x400010);
    put_two(&b, 7, 8);
    put64(&b, time);
    put64(&b, id);
    put64(&b, period);
    put64(&b, n);
    for (uint64_t i = 0; i < n; i++)
        put64(&b, chain[i]);
    put_record(out, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER, &b);
    buf_done(&b);
}

static const uint64_t user_chain[] = {(uint64_t)PERF_CONTEXT_USER, 0x400010, 0x400020};
static const uint64_t both_chain[] = {(uint64_t)PERF_CONTEXT_KERNEL, 0xffffffff81000010,
                                      0xffffffff81000020, (uint64_t)PERF_CONTEXT_USER, 0x400010};

/* Out of order, as perf writes it. */
static void put_records(struct buf *out)
{
    put_comm(out, 10, "worker", true);
    put_sample(out, 30, 1, 300, both_chain, 5);
    put_sample(out, 20, 1, 200, user_chain, 3);
    put_map(out, 15, "/no/such/program");
    put_sample(out, 25, 2, 7, user_chain, 3);  /* page faults */
    put_sample(out, 26, 3, 99, user_chain, 3); /* something else */
    put_sample(out, 40, 1, 400, NULL, 0);
}

static struct perf_event_attr attr_of(uint64_t id)
{
    struct perf_event_attr a = {.size = sizeof a,
                                .type = PERF_TYPE_SOFTWARE,
                                .config = id == 1   ? PERF_COUNT_SW_CPU_CLOCK
                                          : id == 2 ? PERF_COUNT_SW_PAGE_FAULTS
                                                    : PERF_COUNT_SW_EMULATION_FAULTS,
                                .sample_type = TYPE,
                                .sample_id_all = 1};
    return a;
}

/* The form with sections. */
static void put_file(struct buf *out, const struct buf *records)
{
    enum { EVENTS = 3, HEAD = 104, EACH = sizeof(struct perf_event_attr) + 16 };
    uint64_t ids_at = HEAD + EVENTS * EACH, data_at = ids_at + 8 * EVENTS;
    buf_puts(out, DATA_MAGIC);
    put64(out, HEAD);
    put64(out, EACH);
    put64(out, HEAD);
    put64(out, EVENTS * EACH);
    put64(out, data_at);
    put64(out, records->size);
    put64(out, 0);
    put64(out, 0);
    put64(out, 1 << 3 | 1 << 6); /* host name and machine are told */
    for (int i = 0; i < 3; i++)
        put64(out, 0);
    for (uint64_t id = 1; id <= EVENTS; id++) {
        struct perf_event_attr a = attr_of(id);
        buf_put(out, &a, sizeof a);
        put64(out, ids_at + 8 * (id - 1));
        put64(out, 8);
    }
    for (uint64_t id = 1; id <= EVENTS; id++)
        put64(out, id);
    buf_put(out, records->data, records->size);
    for (int i = 0; i < 2; i++) {
        put64(out, data_at + records->size + 32 + 12 * (uint64_t)i);
        put64(out, 12);
    }
    for (int i = 0; i < 2; i++) {
        static const uint32_t length = 8;
        buf_put(out, &length, sizeof length);
        buf_put(out, i ? "x86_64\0" : "the-box", 8);
    }
}

static void read_bytes(struct imported *m, const struct buf *bytes, struct source_damage *damage)
{
    struct data_source s;
    struct oriel_err err = {0};
    imported_init(m);
    if (open_memory(&source_perfdata, &s, bytes->data, bytes->size, &m->catalog, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    imported_run(m, &source_perfdata, &s);
    source_perfdata.damage(&s, damage);
    source_perfdata.close(&s);
}

static void expect_all(struct imported *m)
{
    CHECK_EQ(m->records, 4);
    imported_expect(m, "</no/such/program>;</no/such/program> 1 200 1");
    imported_expect(m, "</no/such/program>;<[kernel]>;<[kernel]> 1 300 1");
    imported_expect(m, "</no/such/program>;</no/such/program> 6 7 1");
    imported_expect(m, "</no/such/program> 1 400 1");
    CHECK_EQ(m->catalog.process_count, 1);
    CHECK_EQ(m->catalog.processes[0]->pid, 7);
    CHECK(model_str_equal(m->catalog.processes[0]->exe, MODEL_STR("/no/such/program")));
    CHECK(model_str_equal(m->catalog.threads[0]->name, MODEL_STR("worker")));
    CHECK(model_str_equal(model_catalog_resource(&m->catalog, "oriel.import.skipped"),
                          MODEL_STR("1")));
}

TEST(records_are_read_by_time_with_their_events_stacks_and_names)
{
    struct buf records, file;
    struct imported m;
    struct source_damage damage;
    buf_init(&records);
    buf_init(&file);
    put_records(&records);
    put_file(&file, &records);
    read_bytes(&m, &file, &damage);
    expect_all(&m);
    CHECK_EQ(damage.records, 0);
    CHECK(!damage.truncated);
    CHECK(model_str_equal(model_catalog_resource(&m.catalog, "host.name"), MODEL_STR("the-box")));
    imported_done(&m);
    buf_done(&records);
    buf_done(&file);
}

TEST(a_stream_says_its_events_in_records)
{
    struct buf file, b;
    struct imported m;
    struct source_damage damage;
    buf_init(&file);
    buf_puts(&file, DATA_MAGIC);
    put64(&file, 16);
    for (uint64_t id = 1; id <= 3; id++) {
        struct perf_event_attr a = attr_of(id);
        buf_init(&b);
        buf_put(&b, &a, sizeof a);
        put64(&b, id);
        put_record(&file, 64, 0, &b);
        buf_done(&b);
    }
    put_records(&file);
    read_bytes(&m, &file, &damage);
    expect_all(&m);
    CHECK_EQ(damage.records, 0);
    imported_done(&m);
    buf_done(&file);
}

/* The descriptions of two events, of which the first has no id; cut to n bytes. */
static void put_names(struct buf *out, size_t n)
{
    static const char name[16] = "offcpu-time";
    const uint64_t feature = 12;
    struct buf b;
    buf_init(&b);
    put64(&b, feature);
    put_two(&b, 2, sizeof(struct perf_event_attr));
    for (uint32_t ids = 0; ids < 2; ids++) {
        struct perf_event_attr a = attr_of(3);
        buf_put(&b, &a, sizeof a);
        put_two(&b, ids, sizeof name);
        buf_put(&b, name, sizeof name);
    }
    put64(&b, 3);
    b.size = n < b.size ? n : b.size;
    put_record(out, 80, 0, &b);
    buf_done(&b);
}

TEST(an_event_without_a_kind_of_its_own_is_known_by_its_name)
{
    struct buf file, b;
    struct imported m;
    struct source_damage damage;
    for (size_t n = 1000; n > 0; n = n > 400 ? 400 : n - 8) {
        buf_init(&file);
        buf_puts(&file, DATA_MAGIC);
        put64(&file, 16);
        for (uint64_t id = 1; id <= 3; id++) {
            struct perf_event_attr a = attr_of(id);
            buf_init(&b);
            buf_put(&b, &a, sizeof a);
            put64(&b, id);
            put_record(&file, 64, 0, &b);
            buf_done(&b);
        }
        put_names(&file, n);
        put_records(&file);
        read_bytes(&m, &file, &damage);
        CHECK_EQ(m.records, n == 1000 ? 5 : m.records);
        if (n == 1000)
            imported_expect(&m, "</no/such/program>;</no/such/program> 2 99 1");
        imported_done(&m);
        buf_done(&file);
    }
}

TEST(compressed_records_go_on_from_one_to_the_next)
{
    struct buf records, packed, file, b;
    struct imported m;
    struct source_damage damage;
    char room[4096];
    buf_init(&records);
    buf_init(&packed);
    buf_init(&file);
    put_records(&records);
    size_t n = ZSTD_compress(room, sizeof room, records.data, records.size, 1);
    REQUIRE(!ZSTD_isError(n) && n > 20);
    for (int half = 0; half < 2; half++) {
        buf_init(&b);
        buf_put(&b, room + (half ? 20 : 0), half ? n - 20 : 20);
        put_record(&packed, 81, 0, &b);
        buf_done(&b);
    }
    put_file(&file, &packed);
    read_bytes(&m, &file, &damage);
    expect_all(&m);
    CHECK_EQ(damage.records, 0);
    imported_done(&m);
    buf_done(&records);
    buf_done(&packed);
    buf_done(&file);
}

TEST(cut_or_changed_anywhere_it_is_refused_or_counted_but_never_fatal)
{
    struct buf records, file;
    buf_init(&records);
    buf_init(&file);
    put_records(&records);
    put_file(&file, &records);
    for (size_t n = 0; n < 2 * file.size; n++) {
        struct imported m;
        struct data_source s;
        struct buf copy;
        buf_init(&copy);
        buf_put(&copy, file.data, n < file.size ? n : file.size);
        if (n >= file.size)
            copy.data[n - file.size] ^= (char)0xff;
        imported_init(&m);
        if (open_memory(&source_perfdata, &s, copy.size ? copy.data : "", copy.size, &m.catalog,
                        NULL) == 0) {
            imported_run(&m, &source_perfdata, &s);
            source_perfdata.close(&s);
        }
        imported_done(&m);
        buf_done(&copy);
    }
    buf_done(&records);
    buf_done(&file);
}

TEST(a_file_of_a_machine_of_the_other_byte_order_is_refused_in_words)
{
    struct data_source s;
    struct model_catalog c;
    struct oriel_err err = {0};
    model_catalog_init(&c);
    CHECK_EQ(open_memory(&source_perfdata, &s, "2ELIFREP\0\0\0\0\0\0\0\x68", 16, &c, &err),
             ORIEL_EUNSUPPORTED);
    CHECK(strstr(err.text, "byte order") != NULL);
    model_catalog_done(&c);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    struct buf records, file;
    int rc = ORIEL_ENOMEM;
    buf_init(&records);
    buf_init(&file);
    put_records(&records);
    put_file(&file, &records);
    size_t blocks = mem_live_blocks();
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 500; n++) {
        struct imported m;
        struct data_source s;
        imported_init(&m);
        mem_fail_after(n);
        rc = open_memory(&source_perfdata, &s, file.data, file.size, &m.catalog, NULL);
        mem_fail_after(0);
        if (rc == 0)
            source_perfdata.close(&s);
        imported_done(&m);
        CHECK_EQ(mem_live_blocks(), blocks);
    }
    CHECK_EQ(rc, 0);
    buf_done(&records);
    buf_done(&file);
}

TEST_MAIN()
