/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/segments.h"

#include <elf.h>

#include "symbol/job.h"
#include "test.h"

/* A file of nothing but a header and program headers. */
struct image {
    Elf64_Ehdr h;
    Elf64_Phdr p[3];
    uint8_t code[4096];
};

static void make(struct image *i)
{
    memset(i, 0, sizeof *i);
    i->h = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                        .e_type = ET_DYN,
                        .e_phoff = sizeof i->h,
                        .e_phentsize = sizeof(Elf64_Phdr),
                        .e_phnum = 3};
    i->p[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                           .p_flags = PF_R | PF_X,
                           .p_vaddr = 0x9000,
                           .p_offset = 0x200,
                           .p_filesz = 0x100};
    i->p[1] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x200};
    i->p[2] = (Elf64_Phdr){.p_type = PT_LOAD,
                           .p_flags = PF_R | PF_X,
                           .p_vaddr = 0x1000,
                           .p_offset = 0x100,
                           .p_filesz = 0x80};
}

static int run(const struct image *i, struct bytes id, struct buf *out)
{
    const struct job job = {.file = {(const uint8_t *)i, sizeof *i}, .build_id = id};
    struct job_result result = {0};
    buf_init(out);
    int rc = segments_job(NULL, &job, out, &result);
    CHECK_EQ(result.mismatch, id.n > 0);
    return rc;
}

TEST(segments_with_instructions_come_by_address)
{
    static struct image i;
    struct segment found[2];
    struct buf out;
    make(&i);
    CHECK_EQ(run(&i, (struct bytes){NULL, 0}, &out), 0);
    REQUIRE(out.size == sizeof found);
    memcpy(found, out.data, sizeof found);
    CHECK_EQ(found[0].address, 0x1000);
    CHECK_EQ(found[0].offset, 0x100);
    CHECK_EQ(found[0].bytes, 0x80);
    CHECK_EQ(found[1].address, 0x9000);
    CHECK_EQ(found[1].offset, 0x200);
    buf_done(&out);
}

TEST(another_build_a_lie_and_a_file_without_any_are_refused)
{
    static struct image i;
    struct buf out;
    make(&i);
    CHECK_EQ(run(&i, (struct bytes){(const uint8_t *)"abcd", 4}, &out), ORIEL_ENOTFOUND);
    CHECK_EQ(out.size, 0);
    i.h.e_phoff = sizeof i - 8;
    CHECK_EQ(run(&i, (struct bytes){NULL, 0}, &out), ORIEL_EDAMAGED);
    make(&i);
    i.p[0].p_filesz = sizeof i;
    i.p[2].p_vaddr = UINT64_MAX - 1;
    CHECK_EQ(run(&i, (struct bytes){NULL, 0}, &out), ORIEL_ENOTFOUND);
    i.h.e_ident[0] = 0;
    CHECK_EQ(run(&i, (struct bytes){NULL, 0}, &out), ORIEL_EFORMAT);
    buf_done(&out);
}

TEST(the_file_of_this_test_is_read_in_a_child_and_has_this_function)
{
    struct symbols_options o = {.size = sizeof o};
    struct segment found[SEGMENTS_MAX];
    struct symbols *s = NULL;
    uint32_t n = 0;
    REQUIRE(symbols_open(&o, &s) == 0);
    CHECK_EQ(segments_find(s, "/proc/self/exe", NULL, 0, found, &n), 0);
    CHECK(n >= 1);
    for (uint32_t i = 0; i < n; i++)
        CHECK(found[i].bytes > 0);
    CHECK_EQ(segments_find(s, "/nowhere/at/all", NULL, 0, found, &n), ORIEL_ENOTFOUND);
    symbols_close(s);
}

TEST_MAIN()
