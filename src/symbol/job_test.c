/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/job.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbol/elf_file.h"
#include "symbol/table.h"
#include "test.h"

/* Programs of the fuzz corpus: one C file (t.c: deep and mid are inlined into
 * outer), compiled by two compilers as DWARF 3, 4 and 5, packed and split. */
static struct bytes corpus(const char *name)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/symbol.job/%s", TEST_SOURCE_DIR, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && fstat(fd, &st) == 0);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    REQUIRE(p != MAP_FAILED);
    close(fd);
    return (struct bytes){p, (size_t)st.st_size};
}

static uint64_t symbol_address(struct bytes file, const char *name, uint64_t *out_size)
{
    struct elf_file f;
    struct elf_symbols symbols = {0};
    uint64_t found = 0;
    REQUIRE(elf_file_open(&f, file, NULL) == 0 && elf_symbols_add(&symbols, &f) == 0);
    for (size_t i = 0; i < symbols.count; i++)
        if (strcmp(symbols.items[i].name, name) == 0) {
            found = symbols.items[i].addr;
            *out_size = symbols.items[i].size;
        }
    elf_symbols_done(&symbols);
    elf_file_close(&f);
    REQUIRE(found != 0);
    return found;
}

struct seen {
    bool outer, mid, deep, file;
    size_t depth;
};

/* Everything said about one function, address by address. */
static struct seen look(const struct table *t, uint64_t from, uint64_t n)
{
    struct seen s = {0};
    for (uint64_t addr = from; addr < from + n; addr++) {
        size_t at = table_find(t, addr, 0), depth = 0;
        REQUIRE(at != SIZE_MAX);
        s.file |= strcmp(t->strings + t->file[at], "/src/t.c") == 0;
        for (uint32_t node = t->node[at]; node != TABLE_NONE; node = t->nodes[node].parent) {
            const char *name = t->strings + t->nodes[node].name;
            s.outer |= strcmp(name, "outer") == 0;
            s.mid |= strcmp(name, "mid") == 0;
            s.deep |= strcmp(name, "deep") == 0;
            depth++;
        }
        s.depth = depth > s.depth ? depth : s.depth;
    }
    return s;
}

TEST(every_kind_of_dwarf_tells_the_same_inlined_calls)
{
    static const char *const names[] = {"gcc3",    "gcc4",   "gcc5",   "gccz",
                                        "gcczgnu", "clang4", "clang5", "gcc5deep"};
    size_t deepest = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct job job = {.file = corpus(names[i])};
        struct job_result result;
        struct buf image;
        struct table t;
        uint64_t size = 0, addr = symbol_address(job.file, "outer", &size);
        job.asked = (struct asked){&addr, 1}; /* one address: the whole function is told */
        buf_init(&image);
        CHECK_EQ(job_run(&job, &image, &result), 0);
        CHECK_STR(result.note, "");
        CHECK(result.flags & TABLE_HAS_DWARF);
        REQUIRE(table_open(&t, image.data, image.size) == 0);
        struct seen s = look(&t, addr, size);
        CHECK(s.outer && s.mid && s.file);
        CHECK(s.depth >= 2); /* 3 where the optimizer left something of deep */
        deepest = s.depth > deepest ? s.depth : deepest;
        buf_done(&image);
        test_stop_if_failed();
    }
    CHECK_EQ(deepest, 3);
    CHECK_EQ(mem_live_blocks(), 0);
}

static bool give_dwo(void *ctx, const struct job_question *q, struct job_answer *out)
{
    (*(int *)ctx)++;
    if (q->kind != JOB_FILE_DWO)
        return false;
    CHECK_STR(q->dir, "/src");
    *out = (struct job_answer){corpus("dwo4"), 1};
    return true;
}

TEST(a_split_unit_that_is_another_build_is_not_used_and_told)
{
    int asked = 0;
    struct job job = {.file = corpus("split5"), .ask = give_dwo, .ctx = &asked};
    struct job_result result;
    struct buf image;
    struct table t;
    uint64_t size = 0, addr = symbol_address(job.file, "outer", &size);
    job.asked = (struct asked){&addr, 1};
    buf_init(&image);
    CHECK_EQ(job_run(&job, &image, &result), 0);
    CHECK(asked >= 1);
    CHECK(strstr(result.note, "split debug information") != NULL);
    CHECK(result.flags & TABLE_INCOMPLETE); /* not for keeping: the file may turn up */
    REQUIRE(table_open(&t, image.data, image.size) == 0);
    size_t at = table_find(&t, addr, 0);
    REQUIRE(at != SIZE_MAX && t.node[at] != TABLE_NONE);
    CHECK_STR(t.strings + t.nodes[t.node[at]].name, "outer"); /* by its symbol */
    CHECK(t.line[at] > 0);                                    /* lines are in the program */
    buf_done(&image);
}

TEST(a_file_of_another_build_is_refused_by_its_build_id)
{
    static const uint8_t other[] = {1, 2, 3, 4};
    uint64_t addr = 1;
    struct job job = {
        .file = corpus("gcc5"), .build_id = {other, sizeof other}, .asked = {&addr, 1}};
    struct job_result result;
    struct buf image;
    buf_init(&image);
    CHECK_EQ(job_run(&job, &image, &result), ORIEL_ENOTFOUND);
    CHECK(result.mismatch);
    CHECK(strstr(result.note, "another build") != NULL);
    CHECK_EQ(image.size, 0);
    buf_done(&image);
}

static struct bytes debug_file;
static bool give_debug(void *ctx, const struct job_question *q, struct job_answer *out)
{
    if (q->kind != JOB_FILE_BUILD_ID || q->nth > 0)
        return false;
    *out = (struct job_answer){debug_file, 1};
    return true;
}

TEST(without_the_file_its_debug_information_will_do)
{
    struct elf_file f;
    debug_file = corpus("gcc5");
    REQUIRE(elf_file_open(&f, debug_file, NULL) == 0 && f.build_id.n > 0);
    uint64_t size = 0, addr = symbol_address(debug_file, "outer", &size);
    struct job job = {.build_id = f.build_id, .asked = {&addr, 1}, .ask = give_debug};
    struct job_result result;
    struct buf image;
    struct table t;
    buf_init(&image);
    CHECK_EQ(job_run(&job, &image, &result), 0);
    REQUIRE(table_open(&t, image.data, image.size) == 0);
    CHECK(look(&t, addr, size).mid);
    buf_done(&image);
    elf_file_close(&f);
}

TEST(addresses_outside_of_everything_are_answered_by_nothing)
{
    static const uint64_t asked[] = {0, 1, 0x7fffffffffff, UINT64_MAX - 1, UINT64_MAX};
    struct job job = {.file = corpus("clang5"), .asked = {asked, 5}};
    struct job_result result;
    struct buf image;
    struct table t;
    buf_init(&image);
    CHECK_EQ(job_run(&job, &image, &result), 0);
    REQUIRE(table_open(&t, image.data, image.size) == 0);
    for (size_t i = 0; i < 4; i++) {
        size_t at = table_find(&t, asked[i], 0);
        REQUIRE(at != SIZE_MAX);
        CHECK(t.node[at] == TABLE_NONE && t.line[at] == 0);
    }
    buf_done(&image);
}

TEST_T(a_job_survives_any_failed_allocation, 300)
{
    struct job job = {.file = corpus("gccz")};
    uint64_t size = 0, addr = symbol_address(job.file, "outer", &size);
    int rc = ORIEL_ENOMEM;
    job.asked = (struct asked){&addr, 1};
    for (uint64_t n = 1; n < 2000; n++) {
        struct job_result result;
        struct buf image;
        buf_init(&image);
        mem_fail_after(n);
        rc = job_run(&job, &image, &result);
        mem_fail_after(0);
        buf_done(&image);
        CHECK_EQ(mem_live_blocks(), 0);
        test_stop_if_failed();
    }
    CHECK_EQ(rc, 0);
}

TEST_MAIN()
