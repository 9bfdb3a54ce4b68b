/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/elf_file.h"

#include <elf.h>
#include <zlib.h>
#include <zstd.h>

#include "test.h"

/* A file of a few sections: header | contents | names | section headers. */
struct maker {
    uint8_t bytes[8192];
    Elf64_Shdr headers[8];
    char names[256];
    size_t size, name_size;
    uint16_t count;
};
static void begin(struct maker *m)
{
    memset(m, 0, sizeof *m);
    m->size = sizeof(Elf64_Ehdr);
    m->count = 1;
    m->name_size = 1;
}
static Elf64_Shdr *add(struct maker *m, const char *name, const void *content, size_t n)
{
    Elf64_Shdr *h = &m->headers[m->count++];
    *h = (Elf64_Shdr){.sh_name = (Elf64_Word)m->name_size,
                      .sh_type = SHT_PROGBITS,
                      .sh_offset = m->size,
                      .sh_size = n};
    memcpy(m->bytes + m->size, content, n);
    memcpy(m->names + m->name_size, name, strlen(name) + 1);
    m->name_size += strlen(name) + 1;
    m->size += (n + 7) & ~(size_t)7;
    return h;
}
static struct bytes end(struct maker *m)
{
    add(m, ".shstrtab", m->names, sizeof m->names);
    memcpy(m->bytes + m->headers[m->count - 1].sh_offset, m->names, sizeof m->names);
    Elf64_Ehdr h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                    .e_type = ET_DYN,
                    .e_machine = EM_X86_64,
                    .e_shoff = m->size,
                    .e_shentsize = sizeof(Elf64_Shdr),
                    .e_shnum = m->count,
                    .e_shstrndx = m->count - 1u};
    memcpy(m->bytes, &h, sizeof h);
    memcpy(m->bytes + m->size, m->headers, m->count * sizeof *m->headers);
    return (struct bytes){m->bytes, m->size + m->count * sizeof *m->headers};
}

static struct maker maker;
static struct elf_file file;

TEST(sections_are_found_by_name_and_read)
{
    begin(&maker);
    add(&maker, ".text", "abcd", 4)->sh_flags = SHF_EXECINSTR;
    maker.headers[1].sh_addr = 0x1000;
    add(&maker, ".debug_str", "hello", 6);
    CHECK_EQ(elf_file_open(&file, end(&maker), NULL), 0);
    struct bytes b = elf_file_debug(&file, "str", "");
    CHECK_MEM(b.p, b.n, "hello", 6);
    CHECK(elf_file_find(&file, ".nothing") == NULL);
    CHECK_EQ(elf_file_debug(&file, "str", ".dwo").n, 0);
    CHECK(elf_file_is_text(&file, 0x1003));
    CHECK(!elf_file_is_text(&file, 0x1004));
    elf_file_close(&file);
}

TEST(what_is_no_elf_file_of_ours_is_refused)
{
    struct oriel_err err;
    struct maker other;
    begin(&maker);
    struct bytes good = end(&maker);
    other = maker;
    CHECK_EQ(elf_file_open(&file, (struct bytes){(const uint8_t *)"hello", 5}, &err),
             ORIEL_EFORMAT);
    elf_file_close(&file);
    other.bytes[EI_CLASS] = ELFCLASS32;
    CHECK_EQ(elf_file_open(&file, (struct bytes){other.bytes, good.n}, &err), ORIEL_EFORMAT);
    elf_file_close(&file);
    for (size_t n = 0; n < good.n; n++) { /* cut anywhere */
        CHECK(elf_file_open(&file, (struct bytes){good.p, n}, &err) != 0);
        elf_file_close(&file);
    }
}

TEST(packed_sections_are_unpacked_in_all_their_forms)
{
    uint8_t packed[600], text[400], gnu[620] = "ZLIB\0\0\0\0\0\0\x01\x90";
    uLongf n = sizeof packed - sizeof(Elf64_Chdr);
    Elf64_Chdr h = {.ch_type = ELFCOMPRESS_ZLIB, .ch_size = sizeof text};
    memset(text, 'x', sizeof text);
    REQUIRE(compress(packed + sizeof h, &n, text, sizeof text) == Z_OK);
    memcpy(packed, &h, sizeof h);
    begin(&maker);
    add(&maker, ".debug_info", packed, n + sizeof h)->sh_flags = SHF_COMPRESSED;
    memcpy(gnu + 12, packed + sizeof h, n);
    add(&maker, ".zdebug_line", gnu, n + 12);
    h.ch_type = 2; /* zstd */
    memcpy(packed, &h, sizeof h);
    size_t z = ZSTD_compress(packed + sizeof h, sizeof packed - sizeof h, text, sizeof text, 1);
    add(&maker, ".debug_abbrev", packed, z + sizeof h)->sh_flags = SHF_COMPRESSED;
    REQUIRE(elf_file_open(&file, end(&maker), NULL) == 0);
    static const char *const names[] = {"info", "line", "abbrev"};
    for (size_t i = 0; i < 3; i++) {
        struct bytes b = elf_file_debug(&file, names[i], "");
        CHECK_MEM(b.p, b.n, text, sizeof text);
    }
    CHECK(!file.damaged);
    elf_file_close(&file);
}

TEST(a_section_that_claims_to_be_huge_is_not_unpacked)
{
    Elf64_Chdr h = {.ch_type = ELFCOMPRESS_ZLIB, .ch_size = UINT64_C(1) << 40};
    begin(&maker);
    add(&maker, ".debug_info", &h, sizeof h)->sh_flags = SHF_COMPRESSED;
    REQUIRE(elf_file_open(&file, end(&maker), NULL) == 0);
    CHECK_EQ(elf_file_debug(&file, "info", "").n, 0);
    CHECK(file.damaged);
    elf_file_close(&file);
}

TEST(the_build_id_is_found_among_other_notes)
{
    static const uint32_t notes[] = {4, 0, 1, 0x554e47, 4, 3, 3, 0x554e47, 0x00030201};
    begin(&maker);
    add(&maker, ".note.gnu.build-id", notes, sizeof notes - 1)->sh_type = SHT_NOTE;
    REQUIRE(elf_file_open(&file, end(&maker), NULL) == 0);
    CHECK_MEM(file.build_id.p, file.build_id.n, "\1\2\3", 3);
    elf_file_close(&file);
}

TEST(links_to_other_files_are_read)
{
    const char *name;
    uint32_t crc;
    struct bytes id;
    begin(&maker);
    add(&maker, ".gnu_debuglink", "a.debug\0\x78\x56\x34\x12", 12);
    add(&maker, ".gnu_debugaltlink", "../alt\0\x01\x02", 9);
    REQUIRE(elf_file_open(&file, end(&maker), NULL) == 0);
    CHECK(elf_file_debuglink(&file, &name, &crc));
    CHECK_STR(name, "a.debug");
    CHECK_EQ(crc, 0x12345678);
    CHECK(elf_file_altlink(&file, &name, &id));
    CHECK_STR(name, "../alt");
    CHECK_MEM(id.p, id.n, "\1\2", 2);
    elf_file_close(&file);
}

TEST(links_without_an_end_are_none)
{
    const char *name;
    uint32_t crc;
    struct bytes id;
    begin(&maker);
    add(&maker, ".gnu_debuglink", "a.debug", 7);
    add(&maker, ".gnu_debugaltlink", "../alt", 6);
    REQUIRE(elf_file_open(&file, end(&maker), NULL) == 0);
    CHECK(!elf_file_debuglink(&file, &name, &crc));
    CHECK(!elf_file_altlink(&file, &name, &id));
    CHECK_EQ(elf_file_minidebug(&file).n, 0);
    elf_file_close(&file);
}

TEST_MAIN()
