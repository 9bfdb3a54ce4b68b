/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where functions of real and of forged files begin.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "symbol/elf_file.h"
#include "test.h"

static struct bytes content(const char *path)
{
    FILE *f = fopen(path, "rb");
    REQUIRE(f && fseek(f, 0, SEEK_END) == 0);
    size_t n = (size_t)ftell(f);
    uint8_t *p = aligned_alloc(8, (n + 7) & ~(size_t)7);
    rewind(f);
    REQUIRE(p && fread(p, 1, n, f) == n);
    fclose(f);
    return (struct bytes){p, n};
}

TEST(functions_of_this_test_begin_where_its_symbols_say)
{
    struct elf_file f;
    struct elf_symbols symbols = {0};
    struct elf_starts starts;
    size_t known = 0, wanted = 0;
    struct bytes file = content("/proc/self/exe");
    REQUIRE(elf_file_open(&f, file, NULL) == 0 && elf_symbols_add(&symbols, &f) == 0);
    REQUIRE(elf_starts_read(&starts, &f) == 0);
    for (size_t i = 0; i < symbols.count; i++) {
        uint64_t lo, hi, inside = symbols.items[i].addr + symbols.items[i].size / 2;
        if (strncmp(symbols.items[i].name, "elf_", 4) != 0 || symbols.items[i].size == 0)
            continue; /* a linker may fold others, and assembler has no tables */
        wanted++;
        size_t at = elf_starts_find(&starts, inside, &lo, &hi);
        CHECK(at != SIZE_MAX && lo <= inside && inside < hi);
        known +=
            at != SIZE_MAX && starts.items[at] == symbols.items[i].addr && lo == starts.items[at];
    }
    CHECK(wanted > 5);
    CHECK_EQ(known, wanted);
    elf_starts_done(&starts);
    elf_symbols_done(&symbols);
    elf_file_close(&f);
    free((void *)(uintptr_t)file.p);
}

/* This test's file with another header in front of its index. */
static size_t read_forged(uint8_t version, uint8_t pointer, uint8_t count, uint8_t table,
                          uint32_t n)
{
    struct elf_file f;
    struct elf_starts starts;
    const uint8_t head[4] = {version, pointer, count, table};
    struct bytes file = content("/proc/self/exe");
    REQUIRE(elf_file_open(&f, file, NULL) == 0);
    struct elf_section *s = elf_file_find(&f, ".eh_frame_hdr");
    REQUIRE(s);
    uint8_t *p = (uint8_t *)(uintptr_t)elf_file_content(&f, s).p;
    REQUIRE(p);
    memcpy(p, head, sizeof head);
    if (n != UINT32_MAX)
        memcpy(p + 8, &n, sizeof n);
    int rc = elf_starts_read(&starts, &f);
    size_t found = rc == 0 ? starts.count : 0;
    CHECK(rc == 0 || rc == ORIEL_ELIMIT);
    elf_starts_done(&starts);
    elf_file_close(&f);
    free((void *)(uintptr_t)file.p);
    return found;
}

TEST(an_index_that_is_not_understood_or_lies_tells_no_more_than_it_has)
{
    const size_t all = read_forged(1, 0x1b, 3, 0x3b, UINT32_MAX);
    CHECK(all > 10);
    CHECK_EQ(read_forged(2, 0x1b, 3, 0x3b, UINT32_MAX), 0);
    CHECK_EQ(read_forged(1, 0xff, 3, 0x3b, UINT32_MAX), 0);
    CHECK_EQ(read_forged(1, 0x1b, 0xff, 0x3b, UINT32_MAX), 0);
    CHECK_EQ(read_forged(1, 0x1b, 3, 0x1b, UINT32_MAX), 0);
    CHECK_EQ(read_forged(1, 0x1b, 3, 0x3b, 5), 5);
    CHECK_EQ(read_forged(1, 0x1b, 3, 0x3b, 0), 0);
    CHECK_EQ(read_forged(1, 0x1b, 3, 0x3b, (uint32_t)all + 1000), all);
    CHECK_EQ(read_forged(1, 0x1b, 3, 0x3b, UINT32_MAX - 1), 0); /* more than there can be */
}

TEST(before_the_first_function_is_none_and_after_the_last_is_that)
{
    uint64_t lo, hi, items[] = {0x100, 0x200};
    const struct elf_starts s = {items, 2, 2}, none = {0};
    CHECK_EQ(elf_starts_find(&s, 0xff, &lo, &hi), SIZE_MAX);
    CHECK(lo == 0 && hi == 0x100);
    CHECK_EQ(elf_starts_find(&s, 0x1ff, &lo, &hi), 0);
    CHECK(lo == 0x100 && hi == 0x200);
    CHECK_EQ(elf_starts_find(&s, UINT64_MAX - 1, &lo, &hi), 1);
    CHECK_EQ(elf_starts_find(&none, 7, &lo, &hi), SIZE_MAX);
    CHECK(lo == 0 && hi == UINT64_MAX);
}

TEST_MAIN()
