/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/jit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbol/symbol.h"
#include "symbol/table.h"
#include "test.h"

static struct buf image;
static struct table table;

static int run(struct bytes file, const uint64_t *addrs, size_t n)
{
    struct job_result result;
    struct job job = {.file = file, .asked = {addrs, n}};
    buf_done(&image);
    buf_init(&image);
    int rc = jit_run(NULL, &job, &image, &result);
    if (rc == 0)
        REQUIRE(table_open(&table, image.data, image.size) == 0);
    else
        CHECK(rc != ORIEL_EFORMAT || result.note[0]);
    return rc;
}
static int run_text(const char *text, const uint64_t *addrs, size_t n)
{
    return run((struct bytes){(const uint8_t *)text, strlen(text)}, addrs, n);
}

/* "name file:line:column", "" unknown. */
static const char *said(uint64_t address)
{
    static char out[256];
    size_t at = table_find(&table, address, 0);
    out[0] = 0;
    if (at != SIZE_MAX)
        snprintf(out, sizeof out, "%s %s:%u:%u", table.strings + table.nodes[table.node[at]].name,
                 table.strings + table.file[at], table.line[at], table.column[at]);
    return out;
}

TEST(a_list_names_what_lies_within_and_the_last_word_counts)
{
    static const uint64_t addrs[] = {0xfff, 0x1000, 0x10ff, 0x1100, 0x2008};
    REQUIRE(run_text("1000 100 old name\n"
                     "0x0000000000002000 0x10 int Hot.sum(int)\n"
                     "1000 100 new name\n",
                     addrs, 5) == 0);
    CHECK_STR(said(0xfff), "");
    CHECK_STR(said(0x1000), "new name :0:0");
    CHECK_STR(said(0x10ff), "new name :0:0");
    CHECK_STR(said(0x1100), "");
    CHECK_STR(said(0x2008), "int Hot.sum(int) :0:0");
}

TEST(a_name_that_ends_in_a_place_gives_it_away)
{
    static const uint64_t addrs[] = {0x1000, 0x2000, 0x3000, 0x4000, 0x5000};
    REQUIRE(run_text("1000 1 JS:*mix /a b/x.js:12:7\n"
                     "2000 1 py::f /a/x.py:3\n"
                     "3000 1 std::vector:1\n"
                     "4000 1 JS:~ /a/x.js:1:99999999999\n"
                     "5000 1  :1:2\n",
                     addrs, 5) == 0);
    CHECK_STR(said(0x1000), "JS:*mix /a b/x.js:12:7");
    CHECK_STR(said(0x2000), "py::f /a/x.py:3:0");
    CHECK_STR(said(0x3000), "std::vector:1 :0:0");
    CHECK_STR(said(0x4000), "JS:~ /a/x.js:1:99999999999 :0:0");
    CHECK_STR(said(0x5000), ":1:2 :0:0");
}

TEST(lines_that_are_none_are_passed_over)
{
    static const uint64_t addrs[] = {0x1000, UINT64_MAX - 1};
    REQUIRE(run_text("\n# made by hand\n1000\n1000 zz x\n1000 0 empty\n11112222333344445 1 long\n"
                     "fffffffffffffff0 ff wraps\n1000 10 good\n1000 10 half a li",
                     addrs, 2) == 0);
    CHECK_STR(said(0x1000), "good :0:0");
    CHECK_STR(said(UINT64_MAX - 1), "");
    CHECK_EQ(run_text("nothing of the kind\n", addrs, 2), ORIEL_EFORMAT);
    CHECK_EQ(run_text("", addrs, 2), ORIEL_EFORMAT);
}

/* ---- dumps ---- */

static struct buf dump;
static size_t record_at;

static void put(uint64_t value, size_t n)
{
    buf_put(&dump, &value, n);
}
static void dump_begin(void)
{
    buf_done(&dump);
    buf_init(&dump);
    put(0x4a695444, 4), put(1, 4), put(40, 4), put(62, 4), put(0, 4), put(7, 4);
    put(0, 8), put(0, 8);
}
static void begin(uint32_t id)
{
    record_at = dump.size;
    put(id, 4), put(0, 4), put(99, 8);
}
static void end(void)
{
    uint32_t n = (uint32_t)(dump.size - record_at);
    memcpy(dump.data + record_at + 4, &n, sizeof n);
}
static void load(uint64_t start, uint64_t bytes, const char *name)
{
    begin(0);
    put(7, 4), put(7, 4), put(start, 8), put(start, 8), put(bytes, 8), put(1, 8);
    buf_put(&dump, name, strlen(name) + 1);
    for (uint64_t i = 0; i < bytes; i++)
        buf_putc(&dump, 0x90);
    end();
}
static void entry(uint64_t address, uint32_t line, const char *file)
{
    put(address, 8), put(line, 4), put(3, 4);
    buf_put(&dump, file, strlen(file) + 1);
}
static int run_dump(const uint64_t *addrs, size_t n)
{
    return run((struct bytes){(const uint8_t *)dump.data, dump.size}, addrs, n);
}

TEST(a_dump_tells_names_and_lines)
{
    static const uint64_t addrs[] = {0x1000, 0x1007, 0x1008, 0x100f, 0x2000};
    dump_begin();
    begin(2);
    put(0x1000, 8), put(3, 8);
    entry(0x1000, 10, "/a/x.rb"), entry(0x1008, 11, "\xff"), entry(0x100c, 12, "/a/y.rb");
    end();
    load(0x1000, 16, "loop");
    load(0x2000, 4, "plain");
    REQUIRE(run_dump(addrs, 5) == 0);
    CHECK_STR(said(0x1000), "loop /a/x.rb:10:3");
    CHECK_STR(said(0x1007), "loop /a/x.rb:10:3");
    CHECK_STR(said(0x1008), "loop /a/x.rb:11:3");
    CHECK_STR(said(0x100f), "loop /a/y.rb:12:3");
    CHECK_STR(said(0x2000), "plain :0:0");
}

TEST(lines_that_count_from_an_elf_header_on_are_found_out)
{
    static const uint64_t addrs[] = {0x1004, 0x100f};
    dump_begin();
    begin(2);
    put(0x1000, 8), put(2, 8);
    entry(0x1000 + 64, 10, "/a/x.js"), entry(0x1008 + 64, 11, "/a/x.js");
    end();
    load(0x1000, 16, "loop");
    REQUIRE(run_dump(addrs, 2) == 0);
    CHECK_STR(said(0x1004), "loop /a/x.js:10:3");
    CHECK_STR(said(0x100f), "loop /a/x.js:11:3");
}

TEST(a_file_that_is_not_that_of_the_name_is_not_believed)
{
    static const uint64_t addrs[] = {0x1000, 0x1008};
    dump_begin();
    begin(2);
    put(0x1000, 8), put(2, 8);
    entry(0x1000, 10, "/a/x.js"), entry(0x1008, 11, "W\x12");
    end();
    load(0x1000, 16, "loop /a/x.js:9:1");
    REQUIRE(run_dump(addrs, 2) == 0);
    CHECK_STR(said(0x1000), "loop /a/x.js:10:3");
    CHECK_STR(said(0x1008), "loop /a/x.js:10:3");
}

TEST(code_that_moves_keeps_its_name)
{
    static const uint64_t addrs[] = {0x1000, 0x3000};
    dump_begin();
    load(0x1000, 16, "loop");
    begin(1);
    put(7, 4), put(7, 4), put(0x1000, 8), put(0x1000, 8), put(0x3000, 8), put(16, 8), put(1, 8);
    end();
    load(0x1000, 16, "other");
    REQUIRE(run_dump(addrs, 2) == 0);
    CHECK_STR(said(0x1000), "other :0:0");
    CHECK_STR(said(0x3000), "loop :0:0");
}

TEST(a_dump_that_ends_anywhere_is_read_up_to_there)
{
    static const uint64_t addrs[] = {0x1000};
    dump_begin();
    load(0x1000, 16, "loop");
    size_t whole = dump.size;
    for (dump.size = 40; dump.size < whole; dump.size++) {
        REQUIRE(run_dump(addrs, 1) == 0);
        CHECK_STR(said(0x1000), "");
    }
    REQUIRE(run_dump(addrs, 1) == 0);
    CHECK_STR(said(0x1000), "loop :0:0");
}

/* ---- files ---- */

static const char *list_file(const char *text)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/perf-1.map", test_tmpdir());
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

static bool opens(const char *path, uint64_t not_before_ns)
{
    int fd = jit_open(path, not_before_ns);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

TEST(a_file_that_somebody_else_may_have_made_is_not_read)
{
    char link[4200];
    const char *path = list_file("1000 10 x\n");
    REQUIRE(chmod(path, 0644) == 0 && chmod(test_tmpdir(), 0711) == 0);
    CHECK(opens(path, 0));
    snprintf(link, sizeof link, "%s.link", path);
    REQUIRE(symlink(path, link) == 0);
    CHECK(!opens(link, 0));
    REQUIRE(unlink(link) == 0 && mkfifo(link, 0600) == 0);
    CHECK(!opens(link, 0));
    if (geteuid() != 0)
        return;
    REQUIRE(chown(path, 65534, 65534) == 0);
    CHECK(opens(path, 0));
    REQUIRE(chmod(path, 0666) == 0);
    CHECK(!opens(path, 0));
    REQUIRE(chmod(path, 0644) == 0 && chown(path, 0, 0) == 0 && seteuid(1) == 0);
    CHECK(opens(path, 0)); /* root's */
    REQUIRE(seteuid(0) == 0 && chown(path, 65534, 65534) == 0 && seteuid(1) == 0);
    CHECK(!opens(path, 0));
    REQUIRE(seteuid(0) == 0);
}

TEST(a_file_from_before_the_process_is_not_read)
{
    const char *path = list_file("1000 10 x\n");
    struct timespec times[2] = {{1000, 0}, {1000, 0}};
    REQUIRE(utimensat(AT_FDCWD, path, times, 0) == 0);
    CHECK(opens(path, UINT64_C(1000) * 1000000000));
    CHECK(!opens(path, UINT64_C(1000) * 1000000000 + 1));
}

TEST(the_confined_reader_answers_and_a_missing_list_is_no_error)
{
    struct symbols_options o = {.size = sizeof o, .timeout_ms = 600000};
    struct symbols *s;
    struct symbols_result r;
    static const uint64_t addrs[] = {0x1000, 0x1000, 0x2000};
    struct symbols_module m = {
        .path = list_file("1000 10 f\n"), .addresses = addrs, .count = 3, .jit = true};
    REQUIRE(symbols_open(&o, &s) == 0 && symbols_resolve(s, &m, 1, &r) == 0);
    CHECK_STR(r.modules[0].text, "");
    CHECK_EQ(r.modules[0].items[0].count, 1);
    CHECK_EQ(r.modules[0].items[1].count, 1);
    CHECK_EQ(r.modules[0].items[2].count, 0);
    CHECK_STR(intern_get(&r.strings, r.lines.items[0].name).p, "f");
    symbols_result_done(&r);
    m.path = "/nonexistent/perf-1.map";
    REQUIRE(symbols_resolve(s, &m, 1, &r) == 0);
    CHECK_STR(r.modules[0].text, "");
    CHECK_EQ(r.modules[0].items[0].count, 0);
    symbols_result_done(&r);
    symbols_close(s);
}

TEST_MAIN()
